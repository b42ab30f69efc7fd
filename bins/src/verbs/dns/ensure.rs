//! `ensure`: keeps one record.

use bootstrap_core::diagnostic::Diagnostic;
use bootstrap_core::dns_records::{self, Step};
use unifi_client::{NewDnsRecord, RecordType};

use super::{Report, record_type};
use crate::args::Output;
use crate::output::Screen;
use crate::run::{Exit, Failure};
use crate::unifi::{Unifi, for_a_person, unread, unwritten};

/// Make a DNS record unless it is there
///
/// A record of that name and type with another value, a disabled one, or one with another lifetime is left alone unless
/// --replace is given. An alias is never put beside another record of its name. Every write stops the gateway's DNS for
/// a second or two, so nothing is written that changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  unifi-dns ensure omni.home.example A 172.16.8.5
  unifi-dns ensure omni.home.example A 172.16.8.6 --replace --dry-run

With -o json:
  {\"action\": \"made\", \"replaced\" or \"unchanged\", \"dry_run\", \"records\": [RECORD],
   \"before\": RECORD or null}
  where RECORD is {\"name\", \"type\", \"value\", \"ttl\" (seconds, 0 is automatic), \"enabled\"}.
  New fields may be added.

Exit codes:
  0 it is there, 1 the gateway refused it, 3 something else has the name, 5 nothing was tried")]
pub struct Ensure {
    /// Fully qualified name; `*.` in front stands for all names below
    #[arg(value_name = "NAME")]
    name: String,
    /// A, AAAA, CNAME or TXT
    #[arg(value_name = "TYPE", value_parser = record_type)]
    kind: RecordType,
    /// Address, target or text
    #[arg(value_name = "VALUE")]
    value: String,
    /// Lifetime in seconds, 0 is automatic [default: any for a record that is there, automatic for one that is made]
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<u32>,
    /// Put it in the place of the record that has another value
    #[arg(long)]
    replace: bool,
    /// Say what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: Output,
}

/// Looks, decides, writes once and reads back.
///
/// # Errors
/// Something else has the name, or the gateway refuses.
pub fn run(arguments: &Ensure, unifi: &Unifi, screen: &mut Screen) -> Result<Exit, Failure> {
    let wanted = NewDnsRecord {
        name: arguments.name.clone(),
        record_type: arguments.kind.clone(),
        value: arguments.value.clone(),
        ttl: arguments.ttl.unwrap_or(0),
    };
    let wanted = wanted.normalized().map_err(|error| {
        let text = error.refusal().map(ToString::to_string);
        let finding = Diagnostic::error(text.unwrap_or_else(|| error.to_string()));
        Failure::findings(Exit::Refused, vec![finding])
    })?;
    unifi.work(async |gateway| {
        let port = gateway.alone.port();
        let records = port.dns_records().await.map_err(|error| unread(&error))?;
        let clients = port
            .client_records()
            .await
            .map_err(|error| unread(&error))?;
        let (ttl, replace) = (arguments.ttl, arguments.replace);
        let step =
            dns_records::ensure(&wanted, ttl, &records, &clients, replace).map_err(for_a_person)?;
        if !arguments.dry_run {
            dns_records::keep(port.as_ref(), &wanted, ttl, &step)
                .await
                .map_err(|error| unwritten(&error))?;
        }
        let (action, before) = match &step {
            Step::Unchanged => ("unchanged", None),
            Step::Make => ("made", None),
            Step::Replace(old) => ("replaced", Some(old.into())),
        };
        let report = Report {
            action,
            dry_run: arguments.dry_run,
            records: vec![(&wanted).into()],
            before,
        };
        report.print(arguments.output, screen)?;
        Ok(Exit::Done)
    })
}
