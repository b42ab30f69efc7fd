//! One machine across the three systems. Identity is the machine request (the VM's name) and the
//! UUID (SMBIOS, Omni machine), never a VM id: those are reused.

use std::collections::{BTreeMap, BTreeSet};

use omni_client::labels;
use proxmox_client::VmConfig;
use unifi_client::{ClientRecord, Lease, Mac};

use crate::mark;
use crate::observe::{GatewayView, MachineState, Member, ProviderMachine, Request, Snapshot};
use crate::site::{ClusterIntent, MachineSetIntent, PinKey, Site};

/// A machine of a machine set: what each system knows of it.
#[derive(Debug, Clone, Copy)]
pub struct Machine<'a> {
    /// Machine request id; for listed machines the UUID.
    pub id: &'a str,
    /// Machine set it is for.
    pub set: &'a MachineSetIntent,
    /// Cluster it is for.
    pub cluster: &'a ClusterIntent,
    /// Its request; absent for listed machines.
    pub request: Option<&'a Request>,
    /// UUID once chosen.
    pub uuid: Option<&'a str>,
    /// The provider's record.
    pub provider: Option<&'a ProviderMachine>,
    /// The VM, where name, UUID and the provider's record agree.
    pub vm: Option<Vm<'a>>,
    /// Why a VM that the provider names is not this machine's, or says nothing.
    pub vm_problem: Option<VmProblem>,
    /// Omni's view once joined.
    pub state: Option<&'a MachineState>,
    /// Omni's view once in a cluster.
    pub member: Option<&'a Member>,
    /// Hardware address of the NIC that counts.
    pub mac: Option<Mac>,
    /// The gateway's record of that address.
    pub record: Option<&'a ClientRecord>,
    /// Its live lease.
    pub lease: Option<&'a Lease>,
}

/// A VM that is certainly this machine's.
#[derive(Debug, Clone, Copy)]
pub struct Vm<'a> {
    /// VM id.
    pub vmid: u32,
    /// Node it is on now.
    pub node: &'a str,
    /// Configuration, pending changes shown as set.
    pub config: &'a VmConfig,
    /// What it has now: without pending changes where it runs.
    pub applied: &'a VmConfig,
    /// Power state.
    pub running: bool,
}

/// What stands between a machine and its VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VmProblem {
    /// Its configuration could not be read: the node is down.
    Unreadable,
    /// The VM id is another VM's by now.
    Another,
}

/// The provider that makes a machine set's machines: its class's, as written in the site's files or
/// already in Omni's request.
pub fn provider_of<'a>(site: &'a Site, set: &MachineSetIntent) -> Option<&'a str> {
    let (class, _) = set.class.as_ref()?;
    site.machine_classes.get(class)?.provider.as_deref()
}

/// All machines of the site's machine sets, by machine set in the site's order, then by id.
pub fn machines<'a>(site: &'a Site, snapshot: &'a Snapshot) -> Vec<Machine<'a>> {
    let mut found = Vec::new();
    for cluster in &site.clusters {
        for set in &cluster.machine_sets {
            let mut ids: BTreeSet<&str> = snapshot
                .omni
                .requests
                .values()
                .filter(|request| request.set == set.id && !request.tearing_down)
                .map(|request| request.id.as_str())
                .collect();
            ids.extend(machines_without_request(cluster, set, snapshot));
            found.extend(
                ids.into_iter()
                    .map(|id| machine(site, id, set, cluster, snapshot)),
            );
        }
    }
    found
}

/// Machines the template lists by UUID, and members that a class chose by their labels.
fn machines_without_request<'a>(
    cluster: &'a ClusterIntent,
    set: &'a MachineSetIntent,
    snapshot: &'a Snapshot,
) -> impl Iterator<Item = &'a str> {
    let omni = &snapshot.omni;
    let has_request = |uuid: &str| {
        // The label answers for nearly all; only what has not joined is looked for among the requests.
        let labelled = omni
            .machines
            .get(uuid)
            .is_some_and(|machine| machine.request.is_some());
        labelled
            || omni
                .requests
                .values()
                .any(|request| request.uuid.as_deref() == Some(uuid))
    };
    let members = omni
        .members
        .iter()
        .filter(move |(uuid, member)| member.set == set.id && !has_request(uuid))
        .map(|(uuid, _)| uuid.as_str());
    members.chain(listed(cluster, set))
}

/// The UUIDs the template lists for a machine set.
pub fn listed<'a>(
    cluster: &'a ClusterIntent,
    set: &'a MachineSetIntent,
) -> impl Iterator<Item = &'a str> {
    cluster
        .resources
        .iter()
        .filter(|resource| resource.metadata.kind.starts_with("MachineSetNodes."))
        .filter(|resource| resource.label(labels::MACHINE_SET) == Some(set.id.as_str()))
        .map(|resource| resource.metadata.id.as_str())
}

fn machine<'a>(
    site: &Site,
    id: &'a str,
    set: &'a MachineSetIntent,
    cluster: &'a ClusterIntent,
    snapshot: &'a Snapshot,
) -> Machine<'a> {
    let omni = &snapshot.omni;
    let request = omni.requests.get(id);
    let provider = omni.provider_machines.get(id);
    let uuid = match request {
        Some(request) => request.uuid.as_deref().or_else(|| {
            provider
                .map(|machine| machine.uuid.as_str())
                .filter(|uuid| !uuid.is_empty())
        }),
        None => Some(id),
    };
    let found = request.and_then(|request| vm(request, provider?, uuid?, snapshot));
    let vm = found.and_then(Result::ok);
    let state = uuid.and_then(|uuid| omni.machines.get(uuid));
    let gateway = snapshot.gateway.as_ref();
    let mac = vm
        .and_then(|vm| vm.config.mac(&set.nic)?.parse().ok())
        .or_else(|| reported_mac(set, state?))
        .or_else(|| marked_mac(site, gateway?, id));
    Machine {
        id,
        set,
        cluster,
        request,
        uuid,
        provider,
        vm,
        vm_problem: found.and_then(Result::err),
        state,
        member: uuid.and_then(|uuid| omni.members.get(uuid)),
        mac,
        record: mac.and_then(|mac| gateway?.records.iter().find(|record| record.mac == mac)),
        lease: mac.and_then(|mac| gateway?.leases.iter().find(|lease| lease.mac == mac)),
    }
}

/// The MAC a machine itself reports. Links do not say which NIC of the VM they are, so only the first
/// NIC, or the only link, is taken for the one that counts.
fn reported_mac(set: &MachineSetIntent, state: &MachineState) -> Option<Mac> {
    match state.macs.as_slice() {
        [only] => Some(*only),
        [first, ..] if set.nic == "net0" => Some(*first),
        _ => None,
    }
}

/// The MAC of a reservation we made for it earlier.
fn marked_mac(site: &Site, gateway: &GatewayView, id: &str) -> Option<Mac> {
    gateway.records.iter().find_map(|record| {
        let mark = mark::Reservation::find(record.note.as_deref()?, &site.name)?;
        (mark.machine == id).then_some(record.mac)
    })
}

fn vm<'a>(
    request: &Request,
    provider: &ProviderMachine,
    uuid: &str,
    snapshot: &'a Snapshot,
) -> Option<Result<Vm<'a>, VmProblem>> {
    let view = snapshot.hypervisors.get(&request.provider)?;
    if view.unreadable.contains_key(&provider.vmid) {
        return Some(Err(VmProblem::Unreadable));
    }
    let (node, config) = view.configs.get(&provider.vmid)?;
    if is_same_machine(config, &request.id, uuid) {
        let applied = view.applied.get(&provider.vmid);
        let running = applied.is_some();
        let applied = applied.unwrap_or(config);
        return Some(Ok(Vm {
            vmid: provider.vmid,
            node,
            config,
            applied,
            running,
        }));
    }
    // While it is being created a VM has no name yet.
    (config.lock().is_none() && config.name().is_some()).then_some(Err(VmProblem::Another))
}

/// Whether a VM's configuration is that of a request: name and SMBIOS UUID must both agree.
pub fn is_same_machine(config: &VmConfig, request: &str, uuid: &str) -> bool {
    config.name() == Some(request)
        && config
            .uuid()
            .is_some_and(|found| found.eq_ignore_ascii_case(uuid))
}

impl Machine<'_> {
    /// The address pinned to this machine by UUID or hardware address.
    pub fn pin(&self) -> Option<std::net::Ipv4Addr> {
        let by_uuid = self.uuid.map(|uuid| PinKey::Uuid(uuid.to_lowercase()));
        let by_mac = self.mac.map(PinKey::Mac);
        [by_uuid, by_mac]
            .into_iter()
            .flatten()
            .find_map(|key| self.set.pins.get(&key).copied())
    }

    /// The address reserved for it, by anybody.
    pub fn reserved(&self) -> Option<std::net::Ipv4Addr> {
        self.record.filter(|record| record.use_fixed_ip)?.fixed_ip
    }

    /// Whether the provider has started its VM, as far as Omni and Proxmox say.
    pub fn started(&self) -> bool {
        self.provider
            .is_some_and(|provider| !provider.start_task.is_empty())
            || self.vm.is_some_and(|vm| vm.running)
            || self.state.is_some()
    }
}

/// How many machines each machine set still has to get, by machine set id.
pub fn missing(site: &Site, snapshot: &Snapshot) -> BTreeMap<String, u32> {
    let machines = machines(site, snapshot);
    site.clusters
        .iter()
        .flat_map(|cluster| &cluster.machine_sets)
        .filter_map(|set| {
            let (_, size) = set.class.as_ref()?;
            let there = machines
                .iter()
                .filter(|machine| machine.set.id == set.id)
                .count();
            let there = u32::try_from(there).unwrap_or(u32::MAX);
            Some((set.id.clone(), size.saturating_sub(there)))
        })
        .collect()
}
