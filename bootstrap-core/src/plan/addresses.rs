//! Addresses: who keeps which, and what a machine to come gets. The gateway is the only memory.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use unifi_client::{Mac, Network};

use super::{Action, Change, Effect, Finding, Plan, SlotAddress};
use crate::diagnostic::Diagnostic;
use crate::machines::{Machine, machines, missing};
use crate::mark;
use crate::observe::{GatewayView, Snapshot};
use crate::ports::System;
use crate::site::{MachineSetIntent, Site};

/// Addresses given out.
#[derive(Debug, Default)]
pub(super) struct AddressPlan {
    /// By machine id.
    pub(super) of_machine: BTreeMap<String, SlotAddress>,
    /// By machine set id and index among the machines to come.
    pub(super) of_new: BTreeMap<(String, u32), SlotAddress>,
}

pub(super) fn plan(site: &Site, snapshot: &Snapshot, plan: &mut Plan) -> AddressPlan {
    let mut found = AddressPlan::default();
    let Some(gateway) = &snapshot.gateway else {
        return found;
    };
    let machines = machines(site, snapshot);
    let missing = missing(site, snapshot);
    let releases = releases(site, snapshot, gateway, &machines);
    let mut taken = taken(site, gateway, &releases);
    plan.actions.extend(releases);
    for set in site.clusters.iter().flat_map(|cluster| &cluster.machine_sets) {
        if set.addresses.is_empty() {
            continue;
        }
        let Some(network) = network(set, gateway, plan) else {
            continue;
        };
        let mut pool = Pool { set, network, gateway, now: snapshot.taken };
        for machine in machines.iter().filter(|machine| machine.set.id == set.id) {
            if let Some(address) = pool.for_machine(machine, &mut taken, plan) {
                found.of_machine.insert(machine.id.to_owned(), address);
            }
        }
        for index in 0..missing.get(&set.id).copied().unwrap_or(0) {
            match pool.next(None, &mut taken) {
                Some(address) => {
                    found.of_new.insert((set.id.clone(), index), address);
                }
                None => pool.exhausted(plan),
            }
        }
    }
    found
}

/// Reservations of ours whose machine is gone.
fn releases(site: &Site, snapshot: &Snapshot, gateway: &GatewayView, machines: &[Machine<'_>]) -> Vec<Action> {
    let mut actions = Vec::new();
    for record in &gateway.records {
        let Some(mark) = record.note.as_deref().and_then(|note| mark::Reservation::find(note, &site.name)) else {
            continue;
        };
        let known_cluster = site.clusters.iter().any(|cluster| cluster.name == mark.cluster);
        let lives = machines.iter().any(|machine| machine.id == mark.machine)
            || snapshot.omni.requests.contains_key(&mark.machine);
        let (Some(address), true) = (record.fixed_ip.filter(|_| record.use_fixed_ip), known_cluster && !lives) else {
            continue;
        };
        actions.push(Action {
            id: format!("reservation/{}", record.mac),
            reason: format!("we made it for {}, which is gone", mark.machine),
            effect: Effect::None,
            detail: Vec::new(),
            change: Change::ReleaseReservation {
                record: record.id.clone(),
                mac: record.mac.to_string(),
                address,
            },
        });
    }
    actions
}

/// Addresses nobody may get: pins, virtual addresses, and whatever is reserved, stale ones included.
fn taken(site: &Site, gateway: &GatewayView, releases: &[Action]) -> BTreeSet<Ipv4Addr> {
    let mut taken = BTreeSet::new();
    for cluster in &site.clusters {
        taken.extend(cluster.virtual_addresses.iter().copied());
        for set in &cluster.machine_sets {
            taken.extend(set.pins.values().copied());
        }
    }
    taken.extend(gateway.networks.iter().filter_map(|network| network.subnet.map(|subnet| subnet.addr())));
    taken.extend(gateway.records.iter().filter_map(|record| record.fixed_ip));
    for action in releases {
        if let Change::ReleaseReservation { address, .. } = &action.change {
            taken.remove(address);
        }
    }
    taken
}

fn network<'a>(set: &MachineSetIntent, gateway: &'a GatewayView, plan: &mut Plan) -> Option<&'a Network> {
    let name = set.network.as_deref()?;
    let mut block = |message: String, hint: String| {
        let error = Diagnostic::error(message).at(set.addresses_origin.clone()).hint(hint);
        plan.blockers.push(Finding::of(System::Unifi, error));
    };
    let Some(network) = gateway.networks.iter().find(|network| network.name == name) else {
        let names: Vec<&str> = gateway.networks.iter().map(|network| network.name.as_str()).collect();
        block(format!("the gateway has no network {name}"), format!("it has {}", names.join(", ")));
        return None;
    };
    if !network.dhcp.enabled || network.dhcp_elsewhere {
        block(
            format!("the gateway does not serve DHCP on {name}: reservations would have no effect"),
            "switch its DHCP server on, or leave `addresses` out".to_owned(),
        );
        return None;
    }
    let Some(subnet) = network.subnet else {
        block(format!("the network {name} has no IPv4 subnet"), "choose another network".to_owned());
        return None;
    };
    let outside: Vec<String> = set
        .addresses
        .iter()
        .chain(set.pins.values())
        .filter(|address| {
            !subnet.contains(*address) || **address == subnet.network() || **address == subnet.broadcast()
        })
        .map(ToString::to_string)
        .collect();
    if !outside.is_empty() {
        block(
            format!("{} {} not in {name} ({subnet})", outside.join(", "), if outside.len() == 1 { "is" } else { "are" }),
            "use addresses of that network".to_owned(),
        );
        return None;
    }
    Some(network)
}

struct Pool<'a> {
    set: &'a MachineSetIntent,
    network: &'a Network,
    gateway: &'a GatewayView,
    now: u64,
}

impl Pool<'_> {
    /// What a machine that exists needs: nothing where it has a reservation of any origin.
    fn for_machine(
        &mut self,
        machine: &Machine<'_>,
        taken: &mut BTreeSet<Ipv4Addr>,
        plan: &mut Plan,
    ) -> Option<SlotAddress> {
        let pin = machine.pin();
        if let Some(reserved) = machine.reserved() {
            self.note_reserved(machine, reserved, pin, plan);
            return None;
        }
        let address = match pin {
            Some(pin) => self.pinned(machine, pin, plan),
            None => self.next(machine.mac, taken),
        };
        if address.is_none() && pin.is_none() {
            self.exhausted(plan);
        }
        address
    }

    fn note_reserved(
        &self,
        machine: &Machine<'_>,
        reserved: Ipv4Addr,
        pin: Option<Ipv4Addr>,
        plan: &mut Plan,
    ) {
        let warning = match pin {
            Some(pin) if pin != reserved => {
                Some(format!("{} has {reserved} reserved, not its pin {pin}; it keeps the address while it lives", machine.id))
            }
            Some(_) => None,
            None if self.set.addresses.contains(&reserved) => None,
            None => Some(format!("{} has {reserved} reserved, which is not in the pool of {}; it keeps it while it lives", machine.id, self.set.name)),
        };
        if let Some(message) = warning {
            let warning = Diagnostic::warning(message).at(self.set.addresses_origin.clone());
            plan.warnings.push(Finding::of(System::Unifi, warning));
        }
    }

    fn pinned(&self, machine: &Machine<'_>, pin: Ipv4Addr, plan: &mut Plan) -> Option<SlotAddress> {
        let holder = self
            .gateway
            .records
            .iter()
            .find(|record| record.fixed_ip == Some(pin) && Some(record.mac) != machine.mac);
        if let Some(holder) = holder {
            let error = Diagnostic::error(format!("{pin} is pinned to {}, but the gateway has it reserved for {}", machine.id, holder.mac))
                .at(self.set.addresses_origin.clone())
                .hint("remove that reservation, or pin another address");
            plan.needs_person.push(Finding::of(System::Unifi, error));
            return None;
        }
        Some(self.slot(pin, "its pin"))
    }

    /// The next address: one nobody was seen with, else the one last seen there longest ago.
    fn next(&mut self, mac: Option<Mac>, taken: &mut BTreeSet<Ipv4Addr>) -> Option<SlotAddress> {
        let now_leased = mac.and_then(|mac| self.gateway.leases.iter().find(|lease| lease.mac == mac));
        if let Some(lease) = now_leased
            && self.set.addresses.contains(&lease.ip)
            && taken.insert(lease.ip)
        {
            return Some(self.slot(lease.ip, "the address it has"));
        }
        let free: Vec<Ipv4Addr> = self
            .set
            .addresses
            .iter()
            .copied()
            .filter(|address| !taken.contains(address) && !self.is_live(*address, mac))
            .collect();
        let unseen = free.iter().copied().find(|address| self.last_seen(*address).is_none());
        let (address, reason) = if let Some(address) = unseen {
            (address, "never seen in use")
        } else {
            let oldest = free.into_iter().min_by_key(|address| (self.last_seen(*address), *address))?;
            (oldest, "last in use longest ago")
        };
        taken.insert(address);
        Some(self.slot(address, reason))
    }

    fn slot(&self, address: Ipv4Addr, reason: &str) -> SlotAddress {
        SlotAddress {
            address,
            network_id: self.network.id.clone(),
            nic: self.set.nic.clone(),
            reason: reason.to_owned(),
        }
    }

    /// Whether another MAC holds a lease on it or is online with it.
    fn is_live(&self, address: Ipv4Addr, mac: Option<Mac>) -> bool {
        let leased = self.gateway.leases.iter().any(|lease| {
            lease.ip == address
                && Some(lease.mac) != mac
                && lease.expires.is_none_or(|expires| expires > self.now)
        });
        let online = self.gateway.active.iter().any(|client| client.ip == Some(address) && Some(client.mac) != mac);
        leased || online
    }

    /// When a client was last seen with it, as far as the gateway remembers.
    fn last_seen(&self, address: Ipv4Addr) -> Option<u64> {
        let records = self.gateway.records.iter().filter(|record| record.last_ip == Some(address));
        let past = self.gateway.past.iter().filter(|client| client.last_ip == Some(address));
        let leases = self.gateway.leases.iter().filter(|lease| lease.ip == address);
        records
            .map(|record| record.last_seen.unwrap_or(0))
            .chain(past.map(|client| client.last_seen.unwrap_or(0)))
            .chain(leases.map(|lease| lease.expires.unwrap_or(0)))
            .max()
    }

    fn exhausted(&self, plan: &mut Plan) {
        let next = self
            .gateway
            .leases
            .iter()
            .filter(|lease| self.set.addresses.contains(&lease.ip))
            .filter_map(|lease| Some((lease.expires?, lease)))
            .min_by_key(|(expires, lease)| (*expires, lease.ip));
        let until = next.map_or_else(String::new, |(expires, lease)| {
            format!("; the next lease to end is that of {} on {}, {}", lease.mac, lease.ip, moment(expires))
        });
        let error = Diagnostic::error(format!("every address of {} is leased, online or reserved{until}", self.set.name))
            .at(self.set.addresses_origin.clone())
            .hint("wait for a lease to end, or give the pool more addresses");
        let finding = Finding::of(System::Unifi, error);
        if !plan.needs_person.contains(&finding) {
            plan.needs_person.push(finding);
        }
    }
}

fn moment(seconds: u64) -> String {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map_or_else(|| "at an unknown time".to_owned(), |time| format!("at {time}"))
}
