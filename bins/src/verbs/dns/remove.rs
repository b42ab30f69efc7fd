//! `remove`: takes one record away.

use bootstrap_core::dns_records;
use unifi_client::RecordType;

use super::{Report, Shown, line, record_type};
use crate::args::Output;
use crate::output::{Screen, clean};
use crate::run::{Exit, Failure};
use crate::unifi::{Unifi, for_a_person, unread, unwritten};

/// Remove a DNS record that is exactly as named
///
/// DNS records carry no mark of who made them. So what has the name but another type or value than given is left alone,
/// and a name with several records needs TYPE and VALUE. A record that is not there counts as removed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  unifi-dns remove omni.home.example
  unifi-dns remove omni.home.example A 172.16.8.5

With -o json:
  {\"action\": \"removed\" or \"absent\", \"dry_run\", \"records\": [RECORD], \"before\": null}
  where RECORD is {\"name\", \"type\", \"value\", \"ttl\" (seconds, 0 is automatic), \"enabled\"}.
  New fields may be added.

Exit codes:
  0 it is gone, 1 the gateway refused it, 3 what has the name is something else,
  5 nothing was tried")]
pub struct Remove {
    /// Name
    #[arg(value_name = "NAME")]
    name: String,
    /// Type
    #[arg(value_name = "TYPE", value_parser = record_type)]
    kind: Option<RecordType>,
    /// Address, target or text
    #[arg(value_name = "VALUE")]
    value: Option<String>,
    /// Say what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: Output,
}

/// Looks, removes and reads back.
///
/// # Errors
/// What has the name is something else, or the gateway refuses.
pub fn run(arguments: &Remove, unifi: &Unifi, screen: &mut Screen) -> Result<Exit, Failure> {
    unifi.work(async |gateway| {
        let port = gateway.alone.port();
        let listed = port.dns_records().await.map_err(|error| unread(&error))?;
        let (kind, value) = (arguments.kind.as_ref(), arguments.value.as_deref());
        let meant =
            dns_records::named(&arguments.name, kind, value, &listed).map_err(for_a_person)?;
        if meant.is_empty() {
            screen.note(&clean(&format!(
                "{} has no record: nothing to remove",
                arguments.name
            )));
        }
        for record in &meant {
            if arguments.dry_run {
                continue;
            }
            dns_records::remove(port.as_ref(), record)
                .await
                .map_err(|error| unwritten(&error))?;
            tracing::info!(record = line(record), "removed");
        }
        let report = Report {
            action: if meant.is_empty() {
                "absent"
            } else {
                "removed"
            },
            dry_run: arguments.dry_run,
            records: meant.into_iter().map(Shown::from).collect(),
            before: None,
        };
        report.print(arguments.output, screen)?;
        Ok(Exit::Done)
    })
}
