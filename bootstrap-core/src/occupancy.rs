//! Who has an address, as far as the gateway knows. The gateway is the only memory there is.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use unifi_client::{ActiveClient, ClientRecord, Lease, Mac, PastClient};

/// What somebody else has to do with an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// A reservation, or one switched off that still blocks the address.
    Reserved(Mac),
    /// A live lease, with its end in Unix seconds.
    Leased(Mac, Option<u64>),
    /// Online with it: a client or UniFi hardware.
    Online(Mac),
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Reserved(mac) => write!(f, "reserved for {mac}"),
            Self::Leased(mac, _) => write!(f, "leased to {mac}"),
            Self::Online(mac) => write!(f, "in use by {mac}"),
        }
    }
}

/// The gateway's lists that tell who has what.
#[derive(Debug, Clone, Copy)]
pub struct Lists<'a> {
    /// Client records.
    pub records: &'a [ClientRecord],
    /// Leases.
    pub leases: &'a [Lease],
    /// Clients online, and hardware.
    pub active: &'a [ActiveClient],
    /// Unix seconds.
    pub now: u64,
}

/// Who but `mac` has an address now.
pub fn holder(lists: Lists<'_>, address: Ipv4Addr, mac: Option<Mac>) -> Option<Holder> {
    let other = |held: Mac| Some(held) != mac;
    let reserved = lists
        .records
        .iter()
        .find(|record| record.fixed_ip == Some(address) && other(record.mac))
        .map(|record| Holder::Reserved(record.mac));
    let leased = || {
        lists
            .leases
            .iter()
            .find(|lease| lease.ip == address && other(lease.mac) && is_live(lease, lists.now))
            .map(|lease| Holder::Leased(lease.mac, lease.expires))
    };
    let online = || {
        lists
            .active
            .iter()
            .find(|client| client.ip == Some(address) && other(client.mac))
            .map(|client| Holder::Online(client.mac))
    };
    reserved.or_else(leased).or_else(online)
}

fn is_live(lease: &Lease, now: u64) -> bool {
    lease.expires.is_none_or(|expires| expires > now)
}

/// When each address was last seen in use, Unix seconds; 0 where that is not known.
pub fn last_seen(
    records: &[ClientRecord],
    past: &[PastClient],
    leases: &[Lease],
) -> BTreeMap<Ipv4Addr, u64> {
    let mut seen = BTreeMap::new();
    let records = records
        .iter()
        .filter_map(|record| Some((record.last_ip?, record.last_seen)));
    let past = past
        .iter()
        .filter_map(|client| Some((client.last_ip?, client.last_seen)));
    let leases = leases.iter().map(|lease| (lease.ip, lease.expires));
    for (address, when) in records.chain(past).chain(leases) {
        let latest = seen.entry(address).or_insert(0);
        *latest = (*latest).max(when.unwrap_or(0));
    }
    seen
}
