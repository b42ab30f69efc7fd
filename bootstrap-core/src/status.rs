//! One row a machine, across the three systems.

use std::net::Ipv4Addr;

use serde::Serialize;

use crate::apply::step;
use crate::machines::{Machine, machines};
use crate::observe::Snapshot;
use crate::plan::plan;
use crate::site::Site;

/// A machine as the three systems show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Cluster.
    pub cluster: String,
    /// Machine set id.
    pub machine_set: String,
    /// Machine request id; the UUID for listed machines.
    pub machine: String,
    /// Omni machine id.
    pub uuid: Option<String>,
    /// VM id.
    pub vmid: Option<u32>,
    /// Proxmox node.
    pub node: Option<String>,
    /// Hardware address.
    pub mac: Option<String>,
    /// Reserved address.
    pub reserved: Option<Ipv4Addr>,
    /// Leased or reported address.
    pub address: Option<Ipv4Addr>,
    /// GPUs its VM has, by mapping or raw address.
    pub gpus: Vec<String>,
    /// What it does now.
    pub stage: String,
    /// Whether its Kubernetes node is Ready, where that is known.
    pub ready: Option<bool>,
}

/// A cluster in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClusterRow {
    /// Name.
    pub cluster: String,
    /// Machines that exist.
    pub machines: usize,
    /// Machines wanted by its class-based sets.
    pub wanted: u32,
    /// Etcd is healthy.
    pub etcd: bool,
    /// The Kubernetes API answers.
    pub kubernetes_api: bool,
    /// Omni says it is ready.
    pub ready: bool,
    /// Its nodes wait for a CNI that the template does not ship.
    pub waits_for_cni: bool,
}

/// The site at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Site name.
    pub site: String,
    /// Clusters.
    pub clusters: Vec<ClusterRow>,
    /// Machines.
    pub machines: Vec<Row>,
    /// Actions and slots a plan would have now.
    pub pending_changes: usize,
}

/// Makes the report from a snapshot.
pub fn status(site: &Site, snapshot: &Snapshot) -> Status {
    let all = machines(site, snapshot);
    let pending = plan(site, snapshot);
    Status {
        site: site.name.clone(),
        clusters: site
            .clusters
            .iter()
            .map(|cluster| {
                let state = snapshot
                    .omni
                    .clusters
                    .get(&cluster.name)
                    .cloned()
                    .unwrap_or_default();
                ClusterRow {
                    cluster: cluster.name.clone(),
                    machines: all
                        .iter()
                        .filter(|machine| machine.cluster.name == cluster.name)
                        .count(),
                    wanted: cluster
                        .machine_sets
                        .iter()
                        .filter_map(|set| Some(set.class.as_ref()?.1))
                        .sum(),
                    etcd: state.etcd,
                    kubernetes_api: state.kubernetes_api,
                    ready: state.ready && state.running,
                    waits_for_cni: cluster.cni_none && !state.ready,
                }
            })
            .collect(),
        machines: all.iter().map(|machine| row(machine, snapshot)).collect(),
        pending_changes: pending.actions.len() + pending.slots.len(),
    }
}

fn row(machine: &Machine<'_>, snapshot: &Snapshot) -> Row {
    let reported = machine.state.and_then(|state| {
        // A control plane member may carry the virtual address as well.
        let own = |address: &&Ipv4Addr| !machine.cluster.virtual_addresses.contains(address);
        state.addresses.iter().find(own).copied()
    });
    let node_name = machine.member.and_then(|member| member.node_name.as_ref());
    let cluster = snapshot.omni.clusters.get(&machine.cluster.name);
    Row {
        cluster: machine.cluster.name.clone(),
        machine_set: machine.set.id.clone(),
        machine: machine.id.to_owned(),
        uuid: machine.uuid.map(str::to_owned),
        vmid: machine.vm.map(|vm| vm.vmid),
        node: machine.vm.map(|vm| vm.node.to_owned()),
        mac: machine.mac.map(|mac| mac.to_string()),
        reserved: machine.reserved(),
        address: reported.or_else(|| machine.lease.map(|lease| lease.ip)),
        gpus: gpus(machine),
        stage: step(machine),
        ready: node_name.and_then(|name| Some(cluster?.ready_nodes.contains(name))),
    }
}

fn gpus(machine: &Machine<'_>) -> Vec<String> {
    let Some(vm) = machine.vm else {
        return Vec::new();
    };
    vm.config
        .hostpci()
        .into_values()
        .filter_map(|device| device.mapping.or(device.host))
        .collect()
}
