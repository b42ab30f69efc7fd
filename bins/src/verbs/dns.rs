//! The verbs of `unifi-dns`.

pub mod ensure;
pub mod list;
pub mod remove;

use bootstrap_core::dns_records;
use serde::Serialize;
use unifi_client::{DnsRecord, NewDnsRecord, RecordType};

use crate::args::{Format, Output};
use crate::output::{Screen, clean};
use crate::run::Failure;

/// A record as it is printed.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    name: String,
    #[serde(rename = "type")]
    record_type: String,
    value: String,
    ttl: u32,
    enabled: bool,
}

/// What was done, or would be.
#[derive(Debug, Serialize)]
struct Report {
    action: &'static str,
    dry_run: bool,
    records: Vec<Shown>,
    /// What stood there before.
    before: Option<Shown>,
}

impl From<&DnsRecord> for Shown {
    fn from(record: &DnsRecord) -> Self {
        Self {
            name: record.name.clone(),
            record_type: record.record_type.to_string(),
            value: record.value.clone(),
            ttl: record.ttl,
            enabled: record.enabled,
        }
    }
}

impl From<&NewDnsRecord> for Shown {
    fn from(record: &NewDnsRecord) -> Self {
        Self {
            name: record.name.clone(),
            record_type: record.record_type.to_string(),
            value: record.value.clone(),
            ttl: record.ttl,
            enabled: true,
        }
    }
}

impl Report {
    fn print(&self, output: Output, screen: &mut Screen) -> Result<(), Failure> {
        if output.format != Format::Table {
            return screen.document(output.format, self);
        }
        for record in &self.records {
            let done = match (&self.before, self.dry_run) {
                (Some(before), true) => format!("would replace {}", before.value),
                (Some(before), false) => format!("replaced {}", before.value),
                (None, true) if self.action != "unchanged" => format!("would be {}", self.action),
                (None, _) => self.action.to_owned(),
            };
            screen.print(&clean(&format!(
                "{} {} {}: {done}",
                record.name, record.record_type, record.value
            )));
        }
        Ok(())
    }
}

/// The type of a record; which ones can be written is for the client to say.
fn record_type(text: &str) -> Result<RecordType, String> {
    let letters = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if text.is_empty() || !letters {
        return Err("a type is written as A, AAAA, CNAME or TXT".to_owned());
    }
    Ok(RecordType::from(text))
}

/// A record for a line of text.
fn line(record: &DnsRecord) -> String {
    clean(&dns_records::shown(record))
}
