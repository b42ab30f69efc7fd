//! What is wrong with the reservations there are.

use std::net::Ipv4Addr;

use unifi_client::{ClientRecord, Mac, Network};

use super::{by_address, current, network_of};
use crate::diagnostic::Severity;
use crate::observe::GatewayView;

/// Kinds of conflicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConflictKind {
    /// Two clients have the address reserved.
    ReservedTwice,
    /// Reserved for one, leased to another.
    LeasedToAnother,
    /// Reserved for one, another is seen with it.
    UsedByAnother,
    /// In no network, or an address that its network cannot give out.
    OutsideNetwork,
    /// Made for another network than the one that has the address.
    OtherNetwork,
    /// The network has no DHCP server here, so it has no effect.
    NoDhcp,
    /// Switched off, and blocks an address that somebody else has or asks for.
    SwitchedOff,
    /// The DHCP server may give the address to anybody before the client first asks.
    InPool,
    /// The client is there with another address.
    NotTakenUp,
}

/// One conflict.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Conflict {
    /// Errors need a person; warnings are good to know.
    pub severity: Severity,
    /// Which kind.
    pub kind: ConflictKind,
    /// The address.
    pub address: Ipv4Addr,
    /// Clients it is about, the one with the reservation first.
    pub macs: Vec<String>,
    /// In words.
    pub message: String,
}

/// Everything that is wrong, by address.
pub fn conflicts(view: &GatewayView, now: u64) -> Vec<Conflict> {
    let mut found = Vec::new();
    for (address, holders) in by_address(view) {
        if let [first, .., last] = holders.as_slice() {
            let macs: Vec<Mac> = holders.iter().map(|record| record.mac).collect();
            let message = format!(
                "{address} is reserved for {} and for {}",
                first.mac, last.mac
            );
            found.push(conflict(
                ConflictKind::ReservedTwice,
                address,
                &macs,
                message,
            ));
        }
        for record in holders {
            let has = current(record.mac, view, now);
            of_network(record, address, has, view, &mut found);
            of_presence(record, address, has, view, now, &mut found);
        }
    }
    for record in &view.records {
        if let Some(address) = record.fixed_ip.filter(|_| !record.use_fixed_ip) {
            let message = format!(
                "the reservation of {address} for {} is switched off and still blocks the address",
                record.mac
            );
            found.push(conflict(
                ConflictKind::SwitchedOff,
                address,
                &[record.mac],
                message,
            ));
        }
    }
    found.sort_by_key(|conflict| (conflict.address, conflict.kind, conflict.macs.clone()));
    found
}

fn conflict(kind: ConflictKind, address: Ipv4Addr, macs: &[Mac], message: String) -> Conflict {
    let severity = match kind {
        ConflictKind::SwitchedOff | ConflictKind::InPool | ConflictKind::NotTakenUp => {
            Severity::Warning
        }
        _ => Severity::Error,
    };
    Conflict {
        severity,
        kind,
        address,
        macs: macs.iter().map(ToString::to_string).collect(),
        message,
    }
}

fn of_network(
    record: &ClientRecord,
    address: Ipv4Addr,
    has: Option<Ipv4Addr>,
    view: &GatewayView,
    found: &mut Vec<Conflict>,
) {
    let mac = record.mac;
    let mut add = |kind, message| found.push(conflict(kind, address, &[mac], message));
    let Some(network) = network_of(&view.networks, address) else {
        let message = format!("{address}, reserved for {mac}, is in no network of the gateway");
        return add(ConflictKind::OutsideNetwork, message);
    };
    let name = &network.name;
    if !network.is_assignable(address) {
        let message =
            format!("{address}, reserved for {mac}, is no address that {name} can give out");
        add(ConflictKind::OutsideNetwork, message);
    }
    let other = |id: &String| {
        view.networks
            .iter()
            .find(|network| network.id == *id && !holds(network, address))
    };
    if let Some(other) = record.network_id.as_ref().and_then(other) {
        let message = format!(
            "{address}, reserved for {mac} in {}, belongs to {name}",
            other.name
        );
        add(ConflictKind::OtherNetwork, message);
    }
    if !network.dhcp.enabled || network.dhcp_elsewhere {
        let message = format!(
            "{address} is reserved for {mac}, and the gateway does not serve DHCP on {name}"
        );
        add(ConflictKind::NoDhcp, message);
    } else if network.dhcp.is_dynamic(address) && has != Some(address) {
        let message = format!(
            "{address}, reserved for {mac}, is in the dynamic range of {name}: until {mac} first asks, another may get it"
        );
        add(ConflictKind::InPool, message);
    }
}

fn holds(network: &Network, address: Ipv4Addr) -> bool {
    network
        .subnet
        .is_some_and(|subnet| subnet.contains(&address))
}

fn of_presence(
    record: &ClientRecord,
    address: Ipv4Addr,
    has: Option<Ipv4Addr>,
    view: &GatewayView,
    now: u64,
    found: &mut Vec<Conflict>,
) {
    let mac = record.mac;
    let is_live = |expires: Option<u64>| expires.is_none_or(|expires| expires > now);
    let lease = view
        .leases
        .iter()
        .find(|lease| lease.ip == address && lease.mac != mac && is_live(lease.expires));
    let user = view
        .active
        .iter()
        .find(|client| client.ip == Some(address) && client.mac != mac);
    if let Some(lease) = lease {
        let message = format!("{address}, reserved for {mac}, is leased to {}", lease.mac);
        found.push(conflict(
            ConflictKind::LeasedToAnother,
            address,
            &[mac, lease.mac],
            message,
        ));
    }
    if let Some(user) = user.filter(|user| lease.is_none_or(|lease| lease.mac != user.mac)) {
        let what = if user.device { "UniFi hardware " } else { "" };
        let message = format!(
            "{address}, reserved for {mac}, is in use by {what}{}",
            user.mac
        );
        found.push(conflict(
            ConflictKind::UsedByAnother,
            address,
            &[mac, user.mac],
            message,
        ));
    }
    let online = view.active.iter().any(|client| client.mac == mac);
    if let Some(has) = has.filter(|has| online && *has != address) {
        let message = format!(
            "{mac} has {has}, not {address}, which is reserved for it: it takes that up when its lease is renewed or it restarts"
        );
        found.push(conflict(ConflictKind::NotTakenUp, address, &[mac], message));
    }
}

#[cfg(test)]
mod tests {
    use unifi_client::{ActiveClient, DhcpServer, Lease};

    use super::*;

    fn network(id: &str, subnet: &str, dhcp: bool) -> Network {
        Network {
            id: id.to_owned(),
            name: format!("net-{id}"),
            purpose: "corporate".to_owned(),
            subnet: subnet.parse().ok(),
            vlan: None,
            dhcp: DhcpServer {
                enabled: dhcp,
                start: Some([10, 0, 0, 100].into()),
                stop: Some([10, 0, 0, 200].into()),
                ..DhcpServer::default()
            },
            dhcp_elsewhere: false,
        }
    }

    fn record(last: u8, address: [u8; 4], network: Option<&str>) -> ClientRecord {
        ClientRecord {
            id: format!("id-{last}"),
            mac: Mac([2, 0, 0, 0, 0, last]),
            name: None,
            hostname: None,
            note: None,
            use_fixed_ip: true,
            fixed_ip: Some(address.into()),
            network_id: network.map(str::to_owned),
            local_dns: None,
            last_seen: None,
            last_ip: None,
        }
    }

    #[test]
    fn each_kind_is_found_and_what_is_right_is_not() {
        let lease = |last: u8, address: [u8; 4], expires| Lease {
            mac: Mac([2, 0, 0, 0, 0, last]),
            ip: address.into(),
            expires: Some(expires),
            name: None,
        };
        let active = |last: u8, address: [u8; 4], device| ActiveClient {
            mac: Mac([2, 0, 0, 0, 0, last]),
            ip: Some(address.into()),
            name: None,
            network_id: None,
            device,
        };
        let off = ClientRecord {
            use_fixed_ip: false,
            ..record(20, [10, 0, 0, 20], None)
        };
        let view = GatewayView {
            networks: vec![
                network("a", "10.0.0.1/24", true),
                network("b", "10.0.1.1/24", false),
            ],
            records: vec![
                record(1, [10, 0, 0, 11], Some("a")),
                record(2, [10, 0, 0, 12], Some("a")),
                record(3, [10, 0, 0, 12], None),
                record(4, [10, 0, 0, 14], Some("a")),
                record(5, [10, 0, 0, 15], Some("a")),
                record(6, [192, 0, 2, 6], None),
                record(7, [10, 0, 0, 1], None),
                record(8, [10, 0, 0, 18], Some("b")),
                record(9, [10, 0, 1, 19], Some("b")),
                record(10, [10, 0, 0, 110], None),
                record(11, [10, 0, 0, 21], None),
                record(12, [10, 0, 0, 120], None),
                off,
            ],
            leases: vec![
                lease(4, [10, 0, 0, 14], 2_000),
                lease(30, [10, 0, 0, 14], 2_000),
                lease(31, [10, 0, 0, 11], 500),
                lease(12, [10, 0, 0, 120], 2_000),
            ],
            active: vec![
                active(32, [10, 0, 0, 15], true),
                active(30, [10, 0, 0, 14], false),
                active(11, [10, 0, 0, 150], false),
                active(1, [10, 0, 0, 11], false),
            ],
            ..GatewayView::default()
        };
        let found: Vec<String> = conflicts(&view, 1_000)
            .iter()
            .map(|conflict| {
                let kind = serde_json::to_value(conflict.kind).unwrap();
                let macs: Vec<&str> = conflict.macs.iter().map(|mac| &mac[15..]).collect();
                format!(
                    "{} {} {} {:?}",
                    conflict.address,
                    kind.as_str().unwrap(),
                    macs.join(","),
                    conflict.severity
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                "10.0.0.1 outside-network 07 Error",
                "10.0.0.12 reserved-twice 02,03 Error",
                "10.0.0.14 leased-to-another 04,1e Error",
                "10.0.0.15 used-by-another 05,20 Error",
                "10.0.0.18 other-network 08 Error",
                "10.0.0.20 switched-off 14 Warning",
                "10.0.0.21 not-taken-up 0b Warning",
                "10.0.0.110 in-pool 0a Warning",
                "10.0.1.19 no-dhcp 09 Error",
                "192.0.2.6 outside-network 06 Error",
            ]
        );
    }
}
