//! `ensure`: makes one reservation.

use std::net::Ipv4Addr;

use bootstrap_core::diagnostic::{Diagnostic, Severity};
use bootstrap_core::observe;
use bootstrap_core::ports;
use bootstrap_core::reservations::{
    AddressRange, Decision, Refused, Rules, Wanted, carry_out, conflicts, decide,
};
use bootstrap_core::site::Site;
use unifi_client::Mac;

use super::{Owner, Report, now};
use crate::args::Output;
use crate::output::Screen;
use crate::run::{Exit, Failure};
use crate::unifi::{Unifi, for_a_person, unread, unwritten};

/// Reserve an address for a client unless it is reserved for it
///
/// The address must be one that its network can give out, and no other client may have it reserved, leased or in use. A
/// reservation that the client has and that is not ours is left alone unless --replace is given. What is made or changed
/// is marked in the client's note, so that `release` knows it and can bring back what was there before. A reservation
/// that is right already stays as it is, unmarked if it was.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  unifi-reservation ensure bc:24:11:00:00:01 172.16.8.11 --name node-1
  unifi-reservation ensure bc:24:11:00:00:01 172.16.8.11 --exclude 172.16.8.1-172.16.8.9 --dry-run

With -o json:
  {\"action\": \"reserved\" or \"unchanged\", \"dry_run\", \"mac\", \"address\",
   \"other\" (the address it takes the place of, or null)}
  New fields may be added.

Exit codes:
  0 it is reserved, 1 the gateway refused it, 3 somebody else has the address or the client has
  another reservation, 5 the address cannot be reserved, or nothing was tried")]
pub struct Ensure {
    /// Hardware address, in any of the usual spellings
    #[arg(value_name = "MAC", value_parser = mac)]
    mac: Mac,
    /// IPv4 address
    #[arg(value_name = "ADDRESS")]
    address: Ipv4Addr,
    /// Name for a client that has none
    #[arg(long)]
    name: Option<String>,
    /// The network the address must be in, by name
    #[arg(long, value_name = "NAME")]
    network: Option<String>,
    /// Addresses that are not given out: FIRST-LAST, NETWORK/PREFIX or one; virtual addresses of the site of -f are too
    #[arg(long, value_name = "RANGE")]
    exclude: Vec<AddressRange>,
    /// Take the place of another reservation of the client, which comes back when this one is released
    #[arg(long)]
    replace: bool,
    /// Say what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    owner: Owner,
    #[command(flatten)]
    output: Output,
}

pub(super) fn mac(text: &str) -> Result<Mac, String> {
    text.parse()
        .map_err(|error: unifi_client::Error| match error.refusal() {
            Some(refusal) => refusal.message.clone().unwrap_or_default(),
            None => error.to_string(),
        })
}

/// Looks, decides, writes once and reads back.
///
/// # Errors
/// The address cannot be reserved, somebody else has it, or the gateway refuses.
pub fn run(arguments: &Ensure, unifi: &Unifi, screen: &mut Screen) -> Result<Exit, Failure> {
    let wanted = Wanted {
        mac: arguments.mac,
        address: arguments.address,
        name: arguments.name.clone(),
        network: arguments.network.clone(),
    };
    unifi.work(async |gateway| {
        let port = gateway.alone.port();
        let port = port.as_ref();
        let rules = Rules {
            owner: arguments.owner.of(gateway),
            excluded: excluded(&arguments.exclude, gateway.site.as_ref()),
            replace: arguments.replace,
        };
        let decision = decision(port, &wanted, &rules).await?;
        let (action, other) = match &decision {
            Decision::Unchanged => ("unchanged", None),
            Decision::Make(_) => ("reserved", None),
            Decision::Change { was, .. } => ("reserved", *was),
        };
        if !arguments.dry_run {
            carry_out(port, &wanted, &decision)
                .await
                .map_err(|error| unwritten(&error))?;
        }
        let report = Report {
            action,
            dry_run: arguments.dry_run,
            mac: wanted.mac.to_string(),
            address: Some(wanted.address),
            other,
        };
        report.print(arguments.output, screen)?;
        if !arguments.dry_run && decision != Decision::Unchanged {
            warn(port, &wanted, screen).await;
        }
        Ok(Exit::Done)
    })
}

async fn decision(
    port: &dyn ports::Gateway,
    wanted: &Wanted,
    rules: &Rules,
) -> Result<Decision, Failure> {
    let read = async {
        let view = observe::addresses(port).await?;
        let own = match view.records.iter().find(|record| record.mac == wanted.mac) {
            Some(record) => Some(record.clone()),
            // Some versions list configured clients only.
            None => port.client_record(wanted.mac).await?,
        };
        Ok((view, own))
    };
    let (view, own) = read.await.map_err(|error| unread(&error))?;
    decide(wanted, rules, own.as_ref(), &view, now()).map_err(|refused| match refused {
        Refused::Impossible(finding) => Failure::findings(Exit::Refused, vec![finding]),
        Refused::Taken(finding) => for_a_person(finding),
    })
}

fn excluded(ranges: &[AddressRange], site: Option<&Site>) -> Vec<(AddressRange, String)> {
    let named = ranges
        .iter()
        .map(|range| (*range, "named by --exclude".to_owned()));
    let clusters = site.into_iter().flat_map(|site| &site.clusters);
    let virtual_addresses = clusters.flat_map(|cluster| {
        let why = format!("a virtual address of the cluster {}", cluster.name);
        let addresses = cluster.virtual_addresses.iter();
        addresses.map(move |address| (AddressRange::from(*address), why.clone()))
    });
    named.chain(virtual_addresses).collect()
}

/// What is good to know of a reservation that was just made.
async fn warn(port: &dyn ports::Gateway, wanted: &Wanted, screen: &mut Screen) {
    // It is made and was read back; that this look fails is no matter.
    let Ok(view) = observe::addresses(port).await else {
        return;
    };
    let mac = wanted.mac.to_string();
    let warnings: Vec<Diagnostic> = conflicts(&view, now())
        .into_iter()
        .filter(|conflict| conflict.severity == Severity::Warning)
        .filter(|conflict| conflict.macs.first() == Some(&mac))
        .map(|conflict| Diagnostic::warning(conflict.message))
        .collect();
    screen.findings(&warnings);
}
