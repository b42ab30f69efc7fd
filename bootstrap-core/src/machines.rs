//! One machine across the three systems. Identity is the machine request (the VM's name) and the
//! UUID (SMBIOS, Omni machine), never a VM id: those are reused.

use std::collections::{BTreeMap, BTreeSet};

use proxmox_client::VmConfig;
use unifi_client::{ClientRecord, Lease, Mac};

use crate::observe::{MachineState, Member, ProviderMachine, Request, Snapshot};
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
    /// Configuration read.
    pub config: &'a VmConfig,
    /// Power state.
    pub running: bool,
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
            if set.class.is_none() {
                ids.extend(listed_machines(snapshot, set));
            }
            found.extend(ids.into_iter().map(|id| machine(id, set, cluster, snapshot)));
        }
    }
    found
}

fn listed_machines<'a>(snapshot: &'a Snapshot, set: &MachineSetIntent) -> Vec<&'a str> {
    snapshot
        .omni
        .members
        .iter()
        .filter(|(_, member)| member.set == set.id)
        .map(|(uuid, _)| uuid.as_str())
        .collect()
}

fn machine<'a>(
    id: &'a str,
    set: &'a MachineSetIntent,
    cluster: &'a ClusterIntent,
    snapshot: &'a Snapshot,
) -> Machine<'a> {
    let omni = &snapshot.omni;
    let request = omni.requests.get(id);
    let provider = omni.provider_machines.get(id);
    let uuid = match request {
        Some(request) => request
            .uuid
            .as_deref()
            .or_else(|| provider.map(|machine| machine.uuid.as_str()).filter(|uuid| !uuid.is_empty())),
        None => Some(id),
    };
    let vm = request.and_then(|request| vm(request, provider?, uuid?, snapshot));
    let state = uuid.and_then(|uuid| omni.machines.get(uuid));
    let mac = vm
        .and_then(|vm| vm.config.mac(&set.nic)?.parse().ok())
        .or_else(|| state?.macs.first().copied());
    let gateway = snapshot.gateway.as_ref();
    Machine {
        id,
        set,
        cluster,
        request,
        uuid,
        provider,
        vm,
        state,
        member: uuid.and_then(|uuid| omni.members.get(uuid)),
        mac,
        record: mac.and_then(|mac| gateway?.records.iter().find(|record| record.mac == mac)),
        lease: mac.and_then(|mac| gateway?.leases.iter().find(|lease| lease.mac == mac)),
    }
}

fn vm<'a>(
    request: &Request,
    provider: &ProviderMachine,
    uuid: &str,
    snapshot: &'a Snapshot,
) -> Option<Vm<'a>> {
    let view = snapshot.hypervisors.get(&request.provider)?;
    let (node, config) = view.configs.get(&provider.vmid)?;
    is_same_machine(config, &request.id, uuid).then(|| Vm {
        vmid: provider.vmid,
        node,
        config,
        running: view.running.get(&provider.vmid).copied().unwrap_or(false),
    })
}

/// Whether a VM's configuration is that of a request: name and SMBIOS UUID must both agree.
pub fn is_same_machine(config: &VmConfig, request: &str, uuid: &str) -> bool {
    config.name() == Some(request)
        && config.uuid().is_some_and(|found| found.eq_ignore_ascii_case(uuid))
}

impl Machine<'_> {
    /// The address pinned to this machine by UUID or hardware address.
    pub fn pin(&self) -> Option<std::net::Ipv4Addr> {
        let by_uuid = self.uuid.map(|uuid| PinKey::Uuid(uuid.to_lowercase()));
        let by_mac = self.mac.map(PinKey::Mac);
        [by_uuid, by_mac].into_iter().flatten().find_map(|key| self.set.pins.get(&key).copied())
    }

    /// The address reserved for it, by anybody.
    pub fn reserved(&self) -> Option<std::net::Ipv4Addr> {
        self.record.filter(|record| record.use_fixed_ip)?.fixed_ip
    }

    /// Whether the provider has started its VM, as far as Omni and Proxmox say.
    pub fn started(&self) -> bool {
        self.provider.is_some_and(|provider| !provider.start_task.is_empty())
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
            let there = machines.iter().filter(|machine| machine.set.id == set.id).count();
            let there = u32::try_from(there).unwrap_or(u32::MAX);
            Some((set.id.clone(), size.saturating_sub(there)))
        })
        .collect()
}
