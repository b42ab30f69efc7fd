//! `list`: the names the gateway answers by itself.

use serde::Serialize;
use unifi_client::Family;

use super::Shown;
use crate::args::{Format, Output};
use crate::output::{Screen, table};
use crate::run::{Exit, Failure};
use crate::unifi::{Unifi, unread};

/// List DNS records, and the names that client records have
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With -o json:
  {\"api\": \"integration\" or \"v2\", \"records\": [{\"name\", \"type\", \"value\",
   \"ttl\" (seconds, 0 is automatic), \"enabled\",
   \"client\" (the MAC of the client record that has the name, else null)}]}
  New fields may be added.

Exit codes:
  0 listed, 5 the gateway could not be read")]
pub struct List {
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Serialize)]
struct Listed {
    api: Option<&'static str>,
    records: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    record: Shown,
    client: Option<String>,
}

/// Reads and prints.
///
/// # Errors
/// The gateway cannot be read.
pub fn run(arguments: &List, unifi: &Unifi, screen: &mut Screen) -> Result<Exit, Failure> {
    unifi.work(async |gateway| {
        let port = gateway.alone.port();
        let records = port.dns_records().await.map_err(|error| unread(&error))?;
        let clients = port
            .client_records()
            .await
            .map_err(|error| unread(&error))?;
        let mut rows: Vec<Row> = records
            .iter()
            .map(|record| Row {
                record: record.into(),
                client: None,
            })
            .collect();
        rows.extend(clients.iter().filter_map(|client| {
            Some(Row {
                record: Shown {
                    name: client.local_dns.clone()?,
                    record_type: "A".to_owned(),
                    value: client.reserved()?.to_string(),
                    ttl: 0,
                    enabled: true,
                },
                client: Some(client.mac.to_string()),
            })
        }));
        rows.sort_by(|left, right| {
            let key = |row: &Row| (row.record.name.clone(), row.record.value.clone());
            key(left).cmp(&key(right))
        });
        let api = gateway.alone.dns_family().map(|family| match family {
            Family::Integration => "integration",
            Family::V2 => "v2",
            Family::Legacy => "legacy",
        });
        print(&Listed { api, records: rows }, arguments.output, screen)
    })
}

fn print(listed: &Listed, output: Output, screen: &mut Screen) -> Result<Exit, Failure> {
    if output.format != Format::Table {
        screen.document(output.format, listed)?;
        return Ok(Exit::Done);
    }
    let rows = listed.records.iter().map(|row| {
        let record = &row.record;
        let of = match (&row.client, record.enabled) {
            (Some(mac), _) => format!("client {mac}"),
            (None, true) => "record".to_owned(),
            (None, false) => "record, disabled".to_owned(),
        };
        let ttl = match record.ttl {
            0 => "auto".to_owned(),
            ttl => ttl.to_string(),
        };
        [
            record.name.clone(),
            record.record_type.clone(),
            record.value.clone(),
            ttl,
            of,
        ]
    });
    screen.print(&table(&["name", "type", "value", "ttl", "of"], rows));
    Ok(Exit::Done)
}
