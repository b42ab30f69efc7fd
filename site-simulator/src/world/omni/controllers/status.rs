//! What controllers report about clusters and machine sets.

use std::time::Duration;

use omni_client::Resource;
use serde_json::{Map, Value, json};

use super::{
    allocation, control_plane_running, facts, find_machine, label, label_of, readiness, snapshot,
    upgrades, wanted,
};
use crate::world::State;
use crate::world::omni::kinds;
use crate::world::omni::store::Labels;

pub(super) fn reconcile(state: &mut State, now: Duration) {
    readiness::remember_patches(state);
    for set in snapshot(state, kinds::MACHINE_SETS) {
        machine_set(state, now, &set);
    }
    for cluster in snapshot(state, kinds::CLUSTERS) {
        cluster_status(state, now, &cluster);
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    total: usize,
    healthy: usize,
    connected: usize,
    requested: usize,
}

impl Counts {
    fn json(self) -> Value {
        let mut machines = Map::new();
        for (key, count) in [
            ("total", self.total),
            ("healthy", self.healthy),
            ("connected", self.connected),
            ("requested", self.requested),
        ] {
            if count > 0 {
                machines.insert(key.to_owned(), json!(count));
            }
        }
        Value::Object(machines)
    }
}

/// Numbers of a machine set's phase.
const SCALING_UP: u8 = 1;
const SCALING_DOWN: u8 = 2;
const RUNNING: u8 = 3;
const DESTROYING: u8 = 4;
const FAILED: u8 = 5;
const UPGRADING: u8 = 7;

/// A machine set's counts and phase, as its members have them.
struct SetState {
    counts: Counts,
    phase: u8,
    ready: bool,
}

fn set_state(state: &State, set: &Resource) -> SetState {
    let id = &set.metadata.id;
    let mut counts = Counts::default();
    for status in state.omni.store.all(kinds::CLUSTER_MACHINE_STATUSES) {
        if label_of(status, label::MACHINE_SET) != Some(id) {
            continue;
        }
        counts.total += 1;
        counts.connected += usize::from(label_of(status, label::CONNECTED).is_some());
        counts.healthy += usize::from(status.spec.get("ready") == Some(&json!(true)));
    }
    let nodes = state.omni.store.all(kinds::MACHINE_SET_NODES);
    let nodes = nodes
        .filter(|node| wanted(node) && label_of(node, label::MACHINE_SET) == Some(id))
        .count();
    let class = allocation(set);
    counts.requested = class.map_or(nodes, |(_, count)| count);
    let empty_plane = label_of(set, label::CONTROL_PLANE).is_some() && counts.requested == 0;
    let phase = if !wanted(set) {
        DESTROYING
    } else if nodes < counts.requested {
        SCALING_UP
    } else if nodes > counts.requested {
        SCALING_DOWN
    } else if empty_plane && nodes == 0 {
        FAILED
    } else if counts.total < nodes {
        SCALING_UP
    } else if counts.total > nodes {
        SCALING_DOWN
    } else if upgrades::is_upgrading(state, set) {
        UPGRADING
    } else {
        RUNNING
    };
    SetState {
        counts,
        phase,
        ready: phase == RUNNING && counts.healthy == counts.requested,
    }
}

fn machine_set(state: &mut State, now: Duration, set: &Resource) {
    let id = &set.metadata.id;
    let SetState {
        counts,
        phase,
        ready,
    } = set_state(state, set);
    let mut spec = Map::new();
    spec.insert("phase".to_owned(), json!(phase));
    if ready {
        spec.insert("ready".to_owned(), json!(true));
    }
    if phase == FAILED {
        let error = "control plane machine set must have at least one node";
        spec.insert("error".to_owned(), json!(error));
    }
    spec.insert("machines".to_owned(), counts.json());
    if let Some(allocation) = set.spec.get("machine_allocation") {
        spec.insert("machine_allocation".to_owned(), allocation.clone());
    }
    let stamp = state.stamp(now);
    let labels = set.metadata.labels.clone();
    let owner = "MachineSetStatusController";
    state.omni.store.put(
        &stamp,
        owner,
        kinds::MACHINE_SET_STATUSES,
        id,
        labels,
        Value::Object(spec),
    );
    if label_of(set, label::CONTROL_PLANE).is_some() && wanted(set) {
        control_plane(state, &stamp, set);
    }
}

/// Etcd is condition type 1, the connection type 2; status 1 is ready, 2 is not.
fn control_plane(state: &mut State, stamp: &str, set: &Resource) {
    let cluster = label_of(set, label::CLUSTER).unwrap_or_default().to_owned();
    let any = super::control_plane_members(state, &cluster)
        .next()
        .is_some();
    if !any {
        return;
    }
    let etcd = control_plane_running(state, &cluster);
    let connected = super::control_plane_members(state, &cluster)
        .all(|m| find_machine(state, &m.metadata.id).is_some_and(|(_, machine)| machine.connected));
    let condition = |kind: u8, good: bool, reason: &str| {
        if good {
            json!({"type": kind, "status": 1})
        } else {
            json!({"type": kind, "reason": reason, "status": 2, "severity": 3})
        }
    };
    let spec = json!({"conditions": [
        condition(2, connected, "Some machines are not connected"),
        condition(1, etcd, "Etcd is not running"),
    ]});
    let labels = Labels::from([(label::CLUSTER.to_owned(), cluster)]);
    let owner = "ControlPlaneStatusController";
    let id = &set.metadata.id;
    state.omni.store.put(
        stamp,
        owner,
        kinds::CONTROL_PLANE_STATUSES,
        id,
        labels,
        spec,
    );
}

fn cluster_status(state: &mut State, now: Duration, cluster: &Resource) {
    let id = &cluster.metadata.id;
    let sets: Vec<_> = snapshot(state, kinds::MACHINE_SETS)
        .into_iter()
        .filter(|set| label_of(set, label::CLUSTER) == Some(id))
        .collect();
    let mut total = Counts::default();
    let (mut phases, mut all_ready) = (Vec::new(), true);
    for set in &sets {
        let of_set = set_state(state, set);
        total.total += of_set.counts.total;
        total.healthy += of_set.counts.healthy;
        total.connected += of_set.counts.connected;
        total.requested += of_set.counts.requested;
        phases.push(of_set.phase);
        all_ready &= of_set.ready;
    }
    let api = control_plane_running(state, id);
    let planes_ready = sets
        .iter()
        .filter(|set| label_of(set, label::CONTROL_PLANE).is_some())
        .all(|set| {
            let status = state
                .omni
                .store
                .find(kinds::MACHINE_SET_STATUSES, &set.metadata.id);
            status.is_some_and(|status| status.spec.get("ready") == Some(&json!(true)))
        });
    let connected_planes = super::control_plane_members(state, id)
        .any(|m| find_machine(state, &m.metadata.id).is_some_and(|(_, machine)| machine.connected));
    let phase = cluster_phase(wanted(cluster), &phases);
    let ready = phase == RUNNING && all_ready && api && planes_ready;
    let mut spec = Map::new();
    let mut flag = |key: &str, on: bool| {
        if on {
            spec.insert(key.to_owned(), json!(true));
        }
    };
    flag("available", api);
    flag("ready", ready);
    flag("kubernetesAPIReady", api);
    flag("controlplaneReady", api && planes_ready);
    flag("has_connected_control_planes", connected_planes);
    spec.insert("machines".to_owned(), total.json());
    if phase > 0 {
        spec.insert("phase".to_owned(), json!(phase));
    }
    for key in ["talos_version", "kubernetes_version"] {
        if let Some(value) = cluster.spec.get(key) {
            spec.insert(key.to_owned(), value.clone());
        }
    }
    let before = state.omni.store.find(kinds::CLUSTER_STATUSES, id);
    let initial = before
        .and_then(|status| status.spec.get("initial_talos_version"))
        .or_else(|| cluster.spec.get("talos_version"));
    if let Some(version) = initial {
        spec.insert("initial_talos_version".to_owned(), version.clone());
    }
    let stamp = state.stamp(now);
    let labels = cluster.metadata.labels.clone();
    let owner = "ClusterStatusController";
    state.omni.store.put(
        &stamp,
        owner,
        kinds::CLUSTER_STATUSES,
        id,
        labels,
        Value::Object(spec),
    );
    if wanted(cluster) {
        facts::reconcile(state, &stamp, cluster, api);
    }
}

/// What the phases of its machine sets make a cluster's; 0 where none says anything.
fn cluster_phase(wanted: bool, sets: &[u8]) -> u8 {
    let any = |phases: &[u8]| sets.iter().any(|phase| phases.contains(phase));
    if !wanted || (!sets.is_empty() && sets.iter().all(|phase| *phase == DESTROYING)) {
        DESTROYING
    } else if any(&[SCALING_UP]) {
        SCALING_UP
    } else if any(&[SCALING_DOWN, DESTROYING]) {
        SCALING_DOWN
    } else if any(&[RUNNING, UPGRADING]) {
        RUNNING
    } else {
        0
    }
}
