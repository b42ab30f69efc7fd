//! `release`: gives one reservation back.

use bootstrap_core::reservations::{GiveBack, give_back, release};
use unifi_client::Mac;

use super::ensure::mac;
use super::{Owner, Report};
use crate::args::Output;
use crate::output::Screen;
use crate::run::{Exit, Failure};
use crate::unifi::{Unifi, for_a_person, unread, unwritten};

/// Release the reservation of a client
///
/// Only what is ours is released, which its mark tells: one with the name of --owner. The address that was reserved
/// before comes back, and the mark goes; what people wrote into the note stays. The client itself is not forgotten.
///
/// With --not-ours any reservation of this client is released: one that a person made is cleared, one with somebody
/// else's mark is undone as that mark says. `unifi-reservation list` shows whose they are.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  unifi-reservation release bc:24:11:00:00:01
  unifi-reservation release bc:24:11:00:00:01 --owner home --dry-run

With -o json:
  {\"action\": \"released\" or \"absent\", \"dry_run\", \"mac\", \"address\" (null where there was none),
   \"other\" (the address that is reserved again, or null)}
  New fields may be added.

Exit codes:
  0 it is gone, 1 the gateway refused it, 3 it is not ours, 5 nothing was tried")]
pub struct Release {
    /// Hardware address, in any of the usual spellings
    #[arg(value_name = "MAC", value_parser = mac)]
    mac: Mac,
    /// Also what is not ours
    #[arg(long)]
    not_ours: bool,
    /// Say what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    owner: Owner,
    #[command(flatten)]
    output: Output,
}

/// Looks, decides, writes once and reads back.
///
/// # Errors
/// It is not ours, or the gateway refuses.
pub fn run(arguments: &Release, unifi: &Unifi, screen: &mut Screen) -> Result<Exit, Failure> {
    unifi.work(async |gateway| {
        let port = gateway.alone.port();
        let mac = arguments.mac;
        let record = port
            .client_record(mac)
            .await
            .map_err(|error| unread(&error))?;
        let owner = arguments.owner.of(gateway);
        let decided =
            give_back(record.as_ref(), &owner, arguments.not_ours).map_err(|refused| {
                for_a_person(
                    refused
                        .hint("--not-ours releases it all the same; --owner NAME says who we are"),
                )
            })?;
        let (action, address, other) = match &decided {
            GiveBack::Absent => {
                screen.note(&format!("{mac} has no reservation: nothing to release"));
                ("absent", None, None)
            }
            GiveBack::Release(given) => ("released", Some(given.address), given.before),
        };
        if let (GiveBack::Release(given), false) = (&decided, arguments.dry_run) {
            release(port.as_ref(), mac, given)
                .await
                .map_err(|error| unwritten(&error))?;
        }
        let report = Report {
            action,
            dry_run: arguments.dry_run,
            mac: mac.to_string(),
            address,
            other,
        };
        report.print(arguments.output, screen)?;
        Ok(Exit::Done)
    })
}
