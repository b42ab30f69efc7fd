//! `conflicts`: what is wrong with the reservations there are.

use bootstrap_core::diagnostic::Severity;
use bootstrap_core::observe;
use bootstrap_core::reservations::{Conflict, conflicts};
use serde::Serialize;

use super::now;
use crate::args::{Format, Output};
use crate::output::{Screen, table};
use crate::run::{Exit, Failure};
use crate::unifi::{Unifi, unread};

/// Tell what is wrong with the reservations
///
/// Errors: an address reserved twice, leased to or in use by another client, outside its network, made for another
/// network, or where no DHCP server is. Warnings: one that is switched off and still blocks its address, one in the
/// dynamic range, one that its client has not taken up yet.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With -o json:
  {\"conflicts\": [{\"severity\": \"error\" or \"warning\", \"kind\", \"address\",
   \"macs\" (the one with the reservation first), \"message\"}]}
  where the kinds are reserved-twice, leased-to-another, used-by-another, outside-network,
  other-network, no-dhcp, switched-off, in-pool and not-taken-up.
  New fields and kinds may be added.

Exit codes:
  0 no errors, 3 errors: a person has to decide, 5 the gateway could not be read")]
pub struct Conflicts {
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Serialize)]
struct Found {
    conflicts: Vec<Conflict>,
}

/// Reads and tells.
///
/// # Errors
/// The gateway cannot be read.
pub fn run(arguments: &Conflicts, unifi: &Unifi, screen: &mut Screen) -> Result<Exit, Failure> {
    unifi.work(async |gateway| {
        let port = gateway.alone.port();
        let view = observe::addresses(port.as_ref())
            .await
            .map_err(|error| unread(&error))?;
        let found = Found {
            conflicts: conflicts(&view, now()),
        };
        match (arguments.output.format, found.conflicts.as_slice()) {
            (Format::Table, []) => screen.note("no conflicts"),
            (Format::Table, all) => screen.print(&table(
                &["severity", "address", "what"],
                all.iter().map(|conflict| {
                    let severity = match conflict.severity {
                        Severity::Error => "error",
                        Severity::Warning => "warning",
                    };
                    [
                        severity.to_owned(),
                        conflict.address.to_string(),
                        conflict.message.clone(),
                    ]
                }),
            )),
            (format, _) => screen.document(format, &found)?,
        }
        let is_error = |conflict: &Conflict| conflict.severity == Severity::Error;
        Ok(if found.conflicts.iter().any(is_error) {
            Exit::Person
        } else {
            Exit::Done
        })
    })
}
