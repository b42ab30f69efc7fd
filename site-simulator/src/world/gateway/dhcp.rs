//! DHCP: who gets which address, and for how long it stays theirs.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use unifi_client::Mac;

use super::{Gateway, LEASE, Lan, Record};
use crate::log::{Fact, Log};

/// A lease as the server keeps it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    pub(super) ip: Ipv4Addr,
    pub(super) expires: Duration,
}

/// A live lease.
#[derive(Debug, Clone)]
pub struct LeaseView<'a> {
    /// Its holder's record.
    pub record: &'a Record,
    /// Address.
    pub ip: Ipv4Addr,
    /// Network, where the address belongs to one.
    pub lan: Option<&'a Lan>,
    /// Expiry, Unix seconds.
    pub expires: u64,
    /// Whether the holder is there.
    pub online: bool,
}

impl Gateway {
    /// A DHCP exchange of a NIC on a bridge: `vmbr0`, or `vmbr0.20` with a VLAN tag. A reservation counts if no
    /// other MAC holds the address; else the running lease is renewed, else a free dynamic address is given.
    /// `None`: no network there, or no address left.
    pub fn dhcp_exchange(
        &mut self,
        now: Duration,
        log: &mut Log,
        mac: Mac,
        bridge: &str,
        hostname: &str,
    ) -> Option<Ipv4Addr> {
        let lan = self.lan_at(bridge)?.clone();
        let reserved = self.records.get(&mac).and_then(Record::reservation);
        let reserved =
            reserved.filter(|ip| lan.blueprint.subnet.contains(ip) && !self.is_held(now, *ip, mac));
        let ip = match reserved {
            Some(ip) => ip,
            None => self
                .running_lease(now, &lan, mac)
                .or_else(|| self.free_address(now, &lan, mac))?,
        };
        self.leases.insert(
            mac,
            Lease {
                ip,
                expires: now + LEASE,
            },
        );
        self.online.insert(mac);
        self.remember(now, mac, ip, &lan, hostname);
        log.note(
            now,
            Fact::Leased {
                mac,
                ip,
                reserved: reserved.is_some(),
            },
        );
        Some(ip)
    }

    /// The client went away; its lease lives on until it expires.
    pub fn goes_offline(&mut self, mac: Mac) {
        self.online.remove(&mac);
    }

    /// A client takes its address without asking, as a statically configured host does.
    pub fn comes_online(&mut self, now: Duration, mac: Mac, ip: Ipv4Addr) {
        if let Some(lan) = self.lan_of(ip).cloned() {
            self.online.insert(mac);
            self.remember(now, mac, ip, &lan, "");
        }
    }

    /// Live leases.
    pub fn leases(&self, now: Duration) -> Vec<LeaseView<'_>> {
        let live = self
            .leases
            .iter()
            .filter(|(mac, lease)| self.is_live(now, **mac, **lease));
        live.filter_map(|(mac, lease)| {
            // Those that are there renew at half time.
            let online = self.online.contains(mac);
            let expires = if online {
                lease.expires.max(now + LEASE / 2)
            } else {
                lease.expires
            };
            let record = self.records.get(mac)?;
            Some(LeaseView {
                record,
                ip: lease.ip,
                lan: self.lan_of(lease.ip),
                expires: self.unix(expires),
                online,
            })
        })
        .collect()
    }

    /// Records of the clients that are there, with their addresses.
    pub fn present(&self) -> Vec<(&Record, Option<Ipv4Addr>)> {
        let record = |mac| {
            let record = self.records.get(mac)?;
            Some((
                record,
                self.leases
                    .get(mac)
                    .map(|lease| lease.ip)
                    .or(record.last_ip),
            ))
        };
        self.online.iter().filter_map(record).collect()
    }

    /// Whether a client is there.
    pub fn is_online(&self, mac: Mac) -> bool {
        self.online.contains(&mac)
    }

    fn is_live(&self, now: Duration, mac: Mac, lease: Lease) -> bool {
        now < lease.expires || self.online.contains(&mac)
    }

    /// Whether a live lease of another MAC holds an address.
    fn is_held(&self, now: Duration, ip: Ipv4Addr, mac: Mac) -> bool {
        self.leases.iter().any(|(holder, lease)| {
            *holder != mac && lease.ip == ip && self.is_live(now, *holder, *lease)
        })
    }

    fn running_lease(&self, now: Duration, lan: &Lan, mac: Mac) -> Option<Ipv4Addr> {
        let lease = self
            .leases
            .get(&mac)
            .filter(|lease| self.is_live(now, mac, **lease))?;
        let reserved_for_other = self
            .records
            .values()
            .any(|record| record.mac != mac && record.reservation() == Some(lease.ip));
        let (first, last) = lan.blueprint.dhcp;
        // An address that was reserved once is not kept after the reservation went.
        ((first..=last).contains(&lease.ip) && !reserved_for_other).then_some(lease.ip)
    }

    /// The search begins at a point that the MAC fixes, so that clients keep their addresses over restarts.
    fn free_address(&self, now: Duration, lan: &Lan, mac: Mac) -> Option<Ipv4Addr> {
        let (first, last) = lan.blueprint.dhcp;
        let (first, last) = (u32::from(first), u32::from(last));
        let size = last.checked_sub(first)?.checked_add(1)?;
        let start = mac.0.iter().fold(0_u32, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(u32::from(*byte))
        }) % size;
        let live = self
            .leases
            .iter()
            .filter(|(mac, lease)| self.is_live(now, **mac, **lease));
        let mut taken: BTreeSet<Ipv4Addr> = live.map(|(_, lease)| lease.ip).collect();
        taken.extend(self.records.values().filter_map(Record::reservation));
        taken.extend(
            self.online
                .iter()
                .filter_map(|mac| self.records.get(mac)?.last_ip),
        );
        taken.extend(self.lans.iter().map(|lan| lan.blueprint.subnet.addr()));
        taken.extend(self.devices.iter().map(|device| device.ip));
        if let Some(own) = self.leases.get(&mac) {
            taken.remove(&own.ip);
        }
        (0..size)
            .map(|step| Ipv4Addr::from(first + (start + step) % size))
            .find(|ip| !taken.contains(ip))
    }

    fn remember(&mut self, now: Duration, mac: Mac, ip: Ipv4Addr, lan: &Lan, hostname: &str) {
        let seen = self.unix(now);
        if !self.records.contains_key(&mac) {
            let id = self.object_id();
            self.records.insert(mac, Record::new(id, mac));
        }
        if let Some(record) = self.records.get_mut(&mac) {
            record.last_ip = Some(ip);
            record.last_seen = Some(seen);
            record.first_seen.get_or_insert(seen);
            record.last_network = Some(lan.id.clone());
            if !hostname.is_empty() {
                record.hostname = Some(hostname.to_owned());
            }
        }
    }

    /// The network behind a bridge. Without a tag an untagged network goes first.
    fn lan_at(&self, bridge: &str) -> Option<&Lan> {
        let on = |lan: &&Lan, name: &str| lan.blueprint.bridges.iter().any(|known| known == name);
        let listed = |name: &str| {
            let untagged = self
                .lans
                .iter()
                .find(|lan| on(lan, name) && lan.blueprint.vlan.is_none());
            untagged.or_else(|| self.lans.iter().find(|lan| on(lan, name)))
        };
        let Some((name, tag)) = bridge.rsplit_once('.') else {
            return listed(bridge);
        };
        let tag = tag.parse::<u16>().ok();
        let tagged = |lan: &&Lan| lan.blueprint.vlan == tag;
        self.lans
            .iter()
            .find(|lan| tagged(lan) && on(lan, name))
            .or_else(|| listed(bridge))
    }
}
