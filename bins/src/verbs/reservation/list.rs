//! `list`: all reservations.

use bootstrap_core::observe;
use bootstrap_core::reservations::{Row, rows};
use serde::Serialize;

use super::now;
use crate::args::{Format, Output};
use crate::output::{Screen, table};
use crate::run::{Exit, Failure};
use crate::unifi::{Unifi, unread};

/// List reservations, by address
///
/// MARK is what a reservation says of who made it: site, cluster and machine, or the name and machine given by hand.
/// NOW is the address the client has.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With -o json:
  {\"reservations\": [{\"mac\", \"name\", \"network\", \"address\",
   \"active\" (false: switched off, and still in the way),
   \"mark\": {\"site\", \"cluster\" (null: made by hand), \"machine\", \"before\"} or null,
   \"online\", \"current\"}]}
  What is not known is null. New fields may be added.

Exit codes:
  0 listed, 5 the gateway could not be read")]
pub struct List {
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Serialize)]
struct Listed {
    reservations: Vec<Row>,
}

/// Reads and prints.
///
/// # Errors
/// The gateway cannot be read.
pub fn run(arguments: &List, unifi: &Unifi, screen: &mut Screen) -> Result<Exit, Failure> {
    unifi.work(async |gateway| {
        let port = gateway.alone.port();
        let view = observe::addresses(port.as_ref())
            .await
            .map_err(|error| unread(&error))?;
        let listed = Listed {
            reservations: rows(&view, now()),
        };
        if arguments.output.format == Format::Table {
            print(&listed.reservations, screen);
        } else {
            screen.document(arguments.output.format, &listed)?;
        }
        Ok(Exit::Done)
    })
}

fn print(rows: &[Row], screen: &mut Screen) {
    let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let rows = rows.iter().map(|row| {
        let mark = row.mark.as_ref().map(|mark| match &mark.cluster {
            Some(cluster) => format!("{}/{cluster}/{}", mark.site, mark.machine),
            None => format!("{}/{}", mark.site, mark.machine),
        });
        let off = if row.active { "" } else { " (off)" };
        [
            row.mac.clone(),
            text(row.name.clone()),
            text(row.network.clone()),
            format!("{}{off}", row.address),
            text(mark),
            if row.online { "yes" } else { "no" }.to_owned(),
            text(row.current.map(|address| address.to_string())),
        ]
    });
    screen.print(&table(
        &["mac", "name", "network", "address", "mark", "online", "now"],
        rows,
    ));
}
