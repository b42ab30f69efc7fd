//! Addresses: who keeps which, and what a machine to come gets.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use unifi_client::{Mac, Network};

use super::{Action, Change, Effect, Finding, Plan, SlotAddress};
use crate::diagnostic::Diagnostic;
use crate::machines::{Machine, VmProblem, machines, missing};
use crate::mark;
use crate::observe::{GatewayView, Snapshot};
use crate::occupancy::{Holder, Lists, holder, last_seen};
use crate::ports::System;
use crate::site::{MachineSetIntent, Site, suggest};

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
    warn_about_doubles(&machines, plan);
    let released = releases(site, snapshot, gateway, &machines, plan);
    let mut pools = Pools::new(site, snapshot, gateway, &released);
    for set in site
        .clusters
        .iter()
        .flat_map(|cluster| &cluster.machine_sets)
    {
        if set.addresses.is_empty() {
            continue;
        }
        let Some(network) = network(set, gateway, plan) else {
            continue;
        };
        let pool = Pool { set, network };
        for machine in machines.iter().filter(|machine| machine.set.id == set.id) {
            if let Some(address) = pools.for_machine(&pool, machine, plan) {
                found.of_machine.insert(machine.id.to_owned(), address);
            }
        }
        let new = missing.get(&set.id).copied().unwrap_or(0);
        for index in 0..new {
            match pools.next(&pool, &Asks::default()) {
                Some(address) => {
                    found.of_new.insert((set.id.clone(), index), address);
                }
                None => pools.exhausted(&pool, plan),
            }
        }
        if new > 0 && pools.free(&pool).is_empty() {
            pool.warn(format!("no address of {} is left over", set.name), plan);
        }
    }
    found
}

/// Reservations of ours whose machine is gone, and the MACs they are for.
fn releases(
    site: &Site,
    snapshot: &Snapshot,
    gateway: &GatewayView,
    machines: &[Machine<'_>],
    plan: &mut Plan,
) -> BTreeSet<Mac> {
    let omni = &snapshot.omni;
    let mut released = BTreeSet::new();
    for record in &gateway.records {
        let Some(mark) = record
            .note
            .as_deref()
            .and_then(|note| mark::Reservation::find(note, &site.name))
        else {
            continue;
        };
        // A machine may live on in a set or a cluster that the files no longer have.
        let lives = machines.iter().any(|machine| machine.id == mark.machine)
            || omni.all_requests.contains(&mark.machine)
            || omni.machines.contains_key(&mark.machine)
            || omni
                .machines
                .values()
                .any(|machine| machine.request.as_ref() == Some(&mark.machine));
        let known_cluster = site
            .clusters
            .iter()
            .any(|cluster| cluster.name == mark.cluster);
        let (Some(address), true) = (
            record.fixed_ip.filter(|_| record.use_fixed_ip),
            known_cluster && !lives,
        ) else {
            continue;
        };
        released.insert(record.mac);
        plan.actions.push(Action {
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
    released
}

/// Two machines with one reserved address: the gateway has no lock, so two runs at once can do that.
fn warn_about_doubles(machines: &[Machine<'_>], plan: &mut Plan) {
    let mut holders: BTreeMap<Ipv4Addr, &str> = BTreeMap::new();
    for machine in machines {
        let Some(address) = machine.reserved() else {
            continue;
        };
        if let Some(first) = holders.insert(address, machine.id) {
            let error = Diagnostic::error(format!("{address} is reserved for {first} and for {}", machine.id))
                .hint("clear the reservation of the one that has another address now, then run this again");
            plan.left_to_person.push(Finding::of(System::Unifi, error));
        }
    }
}

fn network<'a>(
    set: &MachineSetIntent,
    gateway: &'a GatewayView,
    plan: &mut Plan,
) -> Option<&'a Network> {
    let name = set.network.as_deref()?;
    let mut block = |message: String, hint: String| {
        let error = Diagnostic::error(message)
            .at(set.addresses_origin.clone())
            .hint(hint);
        let finding = Finding::of(System::Unifi, error);
        // Sets of one cluster share its network; once is enough.
        if !plan
            .blockers
            .iter()
            .any(|told| told.diagnostic.message == finding.diagnostic.message)
        {
            plan.blockers.push(finding);
        }
    };
    let Some(network) = gateway.networks.iter().find(|network| network.name == name) else {
        let names: Vec<&str> = gateway
            .networks
            .iter()
            .map(|network| network.name.as_str())
            .collect();
        let hint = match suggest(name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it has {}", names.join(", ")),
        };
        block(format!("the gateway has no network {name}"), hint);
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
        block(
            format!("the network {name} has no IPv4 subnet"),
            "choose another network".to_owned(),
        );
        return None;
    };
    let outside: Vec<String> = set
        .addresses
        .iter()
        .chain(set.pins.values())
        .filter(|address| !network.is_assignable(**address))
        .map(ToString::to_string)
        .collect();
    if !outside.is_empty() {
        let verb = if outside.len() == 1 { "is" } else { "are" };
        block(
            format!(
                "{} {verb} no address that {name} ({subnet}) can give out",
                outside.join(", ")
            ),
            "use addresses of that network, not its gateway's".to_owned(),
        );
        return None;
    }
    Some(network)
}

/// A machine set's addresses and the network they are in.
struct Pool<'a> {
    set: &'a MachineSetIntent,
    network: &'a Network,
}

impl Pool<'_> {
    fn slot(&self, address: Ipv4Addr, reason: &str) -> SlotAddress {
        SlotAddress {
            address,
            network_id: self.network.id.clone(),
            nic: self.set.nic.clone(),
            reason: reason.to_owned(),
        }
    }

    fn warn(&self, message: String, plan: &mut Plan) {
        let warning = Diagnostic::warning(message).at(self.set.addresses_origin.clone()).hint(
            "a dead VM's lease lives on, so a machine that replaces it would have to wait: give the pool a spare",
        );
        plan.warnings.push(Finding::of(System::Unifi, warning));
    }

    fn person(&self, message: String, hint: &str, plan: &mut Plan) {
        let error = Diagnostic::error(message)
            .at(self.set.addresses_origin.clone())
            .hint(hint);
        let finding = Finding::of(System::Unifi, error);
        if !plan.needs_person.contains(&finding) {
            plan.needs_person.push(finding);
        }
    }
}

/// What is known of the machine that asks for an address.
#[derive(Default)]
struct Asks {
    mac: Option<Mac>,
    /// Addresses it has now, most certain first.
    has: Vec<Ipv4Addr>,
}

/// Everything that decides about addresses, across all sets.
struct Pools<'a> {
    gateway: &'a GatewayView,
    now: u64,
    /// Pins, virtual addresses, and what this plan has given out.
    blocked: BTreeSet<Ipv4Addr>,
    /// MACs whose reservations this plan clears.
    released: &'a BTreeSet<Mac>,
    seen: BTreeMap<Ipv4Addr, u64>,
}

impl<'a> Pools<'a> {
    fn new(
        site: &Site,
        snapshot: &Snapshot,
        gateway: &'a GatewayView,
        released: &'a BTreeSet<Mac>,
    ) -> Self {
        let mut blocked = BTreeSet::new();
        for cluster in &site.clusters {
            blocked.extend(cluster.virtual_addresses.iter().copied());
            blocked.extend(
                cluster
                    .machine_sets
                    .iter()
                    .flat_map(|set| set.pins.values().copied()),
            );
        }
        blocked.extend(
            gateway
                .networks
                .iter()
                .filter_map(|network| network.subnet.map(|subnet| subnet.addr())),
        );
        let seen = last_seen(&gateway.records, &gateway.past, &gateway.leases);
        Self {
            gateway,
            now: snapshot.taken,
            blocked,
            released,
            seen,
        }
    }

    fn holder(&self, address: Ipv4Addr, mac: Option<Mac>) -> Option<Holder> {
        let lists = Lists {
            records: &self.gateway.records,
            leases: &self.gateway.leases,
            active: &self.gateway.active,
            now: self.now,
        };
        match holder(lists, address, mac) {
            // Cleared by this plan before anything is reserved; its lease, if any, still counts.
            Some(Holder::Reserved(held)) if self.released.contains(&held) => holder(
                Lists {
                    records: &[],
                    ..lists
                },
                address,
                mac,
            ),
            found => found,
        }
    }

    fn free(&self, pool: &Pool<'_>) -> Vec<Ipv4Addr> {
        self.free_for(pool, None)
    }

    fn free_for(&self, pool: &Pool<'_>, mac: Option<Mac>) -> Vec<Ipv4Addr> {
        let free = pool.set.addresses.iter().copied();
        free.filter(|address| {
            !self.blocked.contains(address) && self.holder(*address, mac).is_none()
        })
        .collect()
    }

    /// What a machine that exists needs: nothing where it has a reservation of any origin.
    fn for_machine(
        &mut self,
        pool: &Pool<'_>,
        machine: &Machine<'_>,
        plan: &mut Plan,
    ) -> Option<SlotAddress> {
        let pin = machine.pin();
        if let Some(reserved) = machine.reserved() {
            note_reserved(pool, machine, reserved, pin, plan);
            return None;
        }
        if machine.mac.is_none() && machine.vm_problem == Some(VmProblem::Unreadable) {
            pool.warn(
                format!(
                    "the VM of {} cannot be read now, so its address is not looked at",
                    machine.id
                ),
                plan,
            );
            return None;
        }
        if let Some(pin) = pin {
            return self.pinned(pool, machine, pin, plan);
        }
        let address = self.next(pool, &self.asks(machine));
        if address.is_none() {
            self.exhausted(pool, plan);
        }
        address
    }

    fn asks(&self, machine: &Machine<'_>) -> Asks {
        let online = |mac: Mac| {
            self.gateway
                .active
                .iter()
                .find(|client| client.mac == mac)
                .and_then(|client| client.ip)
        };
        let leased = machine.lease.map(|lease| lease.ip);
        let reported = machine
            .state
            .map(|state| state.addresses.as_slice())
            .unwrap_or_default();
        let has = leased
            .into_iter()
            .chain(machine.mac.and_then(online))
            .chain(reported.iter().copied());
        Asks {
            mac: machine.mac,
            has: has.collect(),
        }
    }

    fn pinned(
        &self,
        pool: &Pool<'_>,
        machine: &Machine<'_>,
        pin: Ipv4Addr,
        plan: &mut Plan,
    ) -> Option<SlotAddress> {
        if machine.cluster.virtual_addresses.contains(&pin) {
            pool.person(
                format!(
                    "{pin} is pinned to {}, but it is a virtual address of the cluster",
                    machine.id
                ),
                "pin another address",
                plan,
            );
            return None;
        }
        if let Some(holder) = self.holder(pin, machine.mac) {
            pool.person(
                format!(
                    "{pin} is pinned to {}, but the gateway has it {holder}",
                    machine.id
                ),
                "free it there, or pin another address",
                plan,
            );
            return None;
        }
        Some(pool.slot(pin, "its pin"))
    }

    /// The next address: the one it has, one nobody was seen with, else the one last in use longest ago.
    fn next(&mut self, pool: &Pool<'_>, asks: &Asks) -> Option<SlotAddress> {
        let free = self.free_for(pool, asks.mac);
        let current = asks
            .has
            .iter()
            .copied()
            .find(|address| free.contains(address));
        let unseen = || {
            free.iter()
                .copied()
                .find(|address| !self.seen.contains_key(address))
        };
        let oldest = || {
            free.iter()
                .copied()
                .min_by_key(|address| (self.seen.get(address).copied(), *address))
        };
        let (address, reason) = current
            .map(|address| (address, "the address it has"))
            .or_else(|| Some((unseen()?, "never seen in use")))
            .or_else(|| Some((oldest()?, "last in use longest ago")))?;
        self.blocked.insert(address);
        Some(pool.slot(address, reason))
    }

    fn exhausted(&self, pool: &Pool<'_>, plan: &mut Plan) {
        let set = pool.set;
        let next = set
            .addresses
            .iter()
            .filter(|address| !self.blocked.contains(address))
            .filter_map(|address| match self.holder(*address, None) {
                Some(Holder::Leased(mac, Some(expires))) => Some((expires, *address, mac)),
                _ => None,
            })
            .min();
        match next {
            Some((expires, address, mac)) => pool.person(
                format!(
                    "no address of {} is free; the next lease to end is that of {mac} on {address}, {}",
                    set.name,
                    moment(expires)
                ),
                "wait until then, or give the pool more addresses",
                plan,
            ),
            None => pool.person(
                format!("no address of {} is free, and none will be", set.name),
                "give the pool more addresses",
                plan,
            ),
        }
    }
}

fn note_reserved(
    pool: &Pool<'_>,
    machine: &Machine<'_>,
    reserved: Ipv4Addr,
    pin: Option<Ipv4Addr>,
    plan: &mut Plan,
) {
    let message = match pin {
        Some(pin) if pin != reserved => format!(
            "{} has {reserved} reserved, not its pin {pin}; it keeps the address while it lives",
            machine.id
        ),
        Some(_) => return,
        None if pool.set.addresses.contains(&reserved) => return,
        None => format!(
            "{} has {reserved} reserved, which is not in the pool of {}; it keeps the address while it lives",
            machine.id, pool.set.name
        ),
    };
    let warning = Diagnostic::warning(message).at(pool.set.addresses_origin.clone());
    plan.warnings.push(Finding::of(System::Unifi, warning));
}

fn moment(seconds: u64) -> String {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map_or_else(
            || "at an unknown time".to_owned(),
            |time| format!("at {time}"),
        )
}
