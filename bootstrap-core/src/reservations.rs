//! Reservations of a gateway, one at a time: what there is, making one, giving one back, and what is wrong with them.
//!
//! The same marks and checks as for the machines of a site, for those who reserve by hand or from a script.

mod conflicts;
mod give_back;
mod range;
mod reserve;

pub use conflicts::{Conflict, ConflictKind, conflicts};
pub use give_back::{GiveBack, Given, give_back, release};
pub use range::AddressRange;
pub use reserve::{Decision, Refused, Rules, Wanted, carry_out, decide};

pub(crate) use give_back::undo;
pub(crate) use reserve::read_back;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use unifi_client::{ClientRecord, Mac, Network};

use crate::mark;
use crate::observe::GatewayView;

/// Stands for cluster and machine set in the mark of a reservation that was made by hand: neither can be named so, and
/// what a site does with the marks of its clusters passes it by.
pub const BY_HAND: &str = "-";

/// A reservation, with what the gateway knows of its client now.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Row {
    /// Hardware address.
    pub mac: String,
    /// Alias or hostname.
    pub name: Option<String>,
    /// Name of the network the address is in.
    pub network: Option<String>,
    /// Reserved address.
    pub address: Ipv4Addr,
    /// Off: it counts for nobody and still blocks the address.
    pub active: bool,
    /// The mark, where there is one.
    pub mark: Option<MarkRow>,
    /// Whether the client is there now.
    pub online: bool,
    /// The address it has now, by its lease or as seen.
    pub current: Option<Ipv4Addr>,
}

/// Whose a reservation is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct MarkRow {
    /// Site, or whoever made it by hand.
    pub site: String,
    /// Cluster; absent for those made by hand.
    pub cluster: Option<String>,
    /// Machine request, machine id, or the name given by hand.
    pub machine: String,
    /// What stood there before and comes back.
    pub before: Option<Ipv4Addr>,
}

impl From<mark::Reservation> for MarkRow {
    fn from(mark: mark::Reservation) -> Self {
        Self {
            site: mark.site,
            cluster: Some(mark.cluster).filter(|cluster| cluster != BY_HAND),
            machine: mark.machine,
            before: mark.before,
        }
    }
}

/// All reservations, by address.
pub fn rows(view: &GatewayView, now: u64) -> Vec<Row> {
    let mut rows: Vec<Row> = view
        .records
        .iter()
        .filter_map(|record| row(record, view, now))
        .collect();
    rows.sort_by_key(|row| (row.address, row.mac.clone()));
    rows
}

fn row(record: &ClientRecord, view: &GatewayView, now: u64) -> Option<Row> {
    let address = record.fixed_ip?;
    let note = record.note.as_deref().unwrap_or_default();
    Some(Row {
        mac: record.mac.to_string(),
        name: record.name.clone().or_else(|| record.hostname.clone()),
        network: network_of(&view.networks, address).map(|network| network.name.clone()),
        address,
        active: record.use_fixed_ip,
        mark: mark::Reservation::any(note).map(MarkRow::from),
        online: view.active.iter().any(|client| client.mac == record.mac),
        current: current(record.mac, view, now),
    })
}

/// The network whose subnet holds an address.
fn network_of(networks: &[Network], address: Ipv4Addr) -> Option<&Network> {
    networks.iter().find(|network| {
        network
            .subnet
            .is_some_and(|subnet| subnet.contains(&address))
    })
}

/// The address a client has: as seen, else as leased.
fn current(mac: Mac, view: &GatewayView, now: u64) -> Option<Ipv4Addr> {
    let seen = view.active.iter().find(|client| client.mac == mac);
    let lease = || {
        view.leases
            .iter()
            .find(|lease| lease.mac == mac && lease.expires.is_none_or(|expires| expires > now))
            .map(|lease| lease.ip)
    };
    seen.and_then(|client| client.ip).or_else(lease)
}

/// Reservations that are on, by address.
fn by_address(view: &GatewayView) -> BTreeMap<Ipv4Addr, Vec<&ClientRecord>> {
    let mut all: BTreeMap<Ipv4Addr, Vec<&ClientRecord>> = BTreeMap::new();
    for record in &view.records {
        if let Some(address) = record.reserved() {
            all.entry(address).or_default().push(record);
        }
    }
    all
}
