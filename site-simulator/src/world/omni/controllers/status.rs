//! What controllers report about clusters, machine sets and providers.

use std::time::Duration;

use omni_client::Resource;
use serde_json::{Map, Value, json};

use super::{
    allocation, control_plane_running, find_machine, label, label_of, readiness, snapshot, wanted,
};
use crate::world::State;
use crate::world::machine::{Machine, Stage};
use crate::world::omni::kinds;
use crate::world::omni::store::Labels;

/// Omni calls a provider disconnected this long after its last sign of life.
const HEARTBEAT_LIMIT: Duration = Duration::from_secs(32);

pub(super) fn reconcile(state: &mut State, now: Duration) {
    readiness::remember_patches(state);
    for set in snapshot(state, kinds::MACHINE_SETS) {
        machine_set(state, now, &set);
    }
    for cluster in snapshot(state, kinds::CLUSTERS) {
        cluster_status(state, now, &cluster);
    }
    providers(state, now);
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

fn counts(state: &State, set: &Resource) -> Counts {
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
    counts.requested = if let Some((_, count)) = allocation(set) {
        count
    } else {
        let nodes = state.omni.store.all(kinds::MACHINE_SET_NODES);
        nodes
            .filter(|node| label_of(node, label::MACHINE_SET) == Some(id))
            .count()
    };
    counts
}

fn machine_set(state: &mut State, now: Duration, set: &Resource) {
    let id = &set.metadata.id;
    let counts = counts(state, set);
    let ready =
        wanted(set) && counts.healthy == counts.requested && counts.total == counts.requested;
    let phase = if !wanted(set) {
        4
    } else if counts.total < counts.requested {
        1
    } else if counts.total > counts.requested {
        2
    } else if ready {
        3
    } else {
        1
    };
    let mut spec = Map::new();
    spec.insert("phase".to_owned(), json!(phase));
    if ready {
        spec.insert("ready".to_owned(), json!(true));
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
    for set in &sets {
        let counts = counts(state, set);
        total.total += counts.total;
        total.healthy += counts.healthy;
        total.connected += counts.connected;
        total.requested += counts.requested;
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
    let complete =
        total.total == total.requested && total.healthy == total.requested && total.total > 0;
    let phase = if !wanted(cluster) {
        4
    } else if total.total > total.requested {
        2
    } else if complete {
        3
    } else {
        1
    };
    let ready = complete && api && planes_ready && wanted(cluster);
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
    spec.insert("phase".to_owned(), json!(phase));
    for key in ["talos_version", "kubernetes_version"] {
        if let Some(value) = cluster.spec.get(key) {
            spec.insert(key.to_owned(), value.clone());
        }
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
        cluster_facts(state, &stamp, id, api);
        kubernetes(state, &stamp, cluster, api);
    }
}

/// The small resources beside the status: identity, bootstrap, endpoints, load balancer.
fn cluster_facts(state: &mut State, stamp: &str, id: &str, api: bool) {
    if state.omni.store.find(kinds::CLUSTER_UUIDS, id).is_none() {
        use rand::RngExt as _;
        let uuid = uuid::Builder::from_random_bytes(state.rng.random())
            .into_uuid()
            .to_string();
        let labels = Labels::from([("omni.sidero.dev/cluster-uuid".to_owned(), uuid.clone())]);
        let spec = json!({"uuid": uuid});
        state.omni.store.put(
            stamp,
            "ClusterUUIDController",
            kinds::CLUSTER_UUIDS,
            id,
            labels,
            spec,
        );
    }
    let bootstrapped = api
        || state
            .omni
            .store
            .find(kinds::CLUSTER_BOOTSTRAP_STATUSES, id)
            .is_some_and(|status| status.spec.get("bootstrapped") == Some(&json!(true)));
    let spec = if bootstrapped {
        json!({"bootstrapped": true})
    } else {
        json!({})
    };
    let owner = "ClusterBootstrapStatusController";
    let kind = kinds::CLUSTER_BOOTSTRAP_STATUSES;
    state
        .omni
        .store
        .put(stamp, owner, kind, id, Labels::new(), spec);
    let addresses: Vec<Value> = super::control_plane_members(state, id)
        .filter_map(|member| state.omni.store.find(kinds::MACHINES, &member.metadata.id))
        .filter_map(|machine| machine.spec.get("management_address").cloned())
        .collect();
    let spec = if addresses.is_empty() {
        json!({})
    } else {
        json!({"management_addresses": addresses})
    };
    let owner = "ClusterEndpointController";
    state.omni.store.put(
        stamp,
        owner,
        kinds::CLUSTER_ENDPOINTS,
        id,
        Labels::new(),
        spec,
    );
    let spec = if api {
        json!({"healthy": true})
    } else {
        json!({})
    };
    let labels = Labels::from([(label::CLUSTER.to_owned(), id.to_owned())]);
    let kind = kinds::LOAD_BALANCER_STATUSES;
    state
        .omni
        .store
        .put(stamp, "LoadBalancerController", kind, id, labels, spec);
}

fn kubernetes(state: &mut State, stamp: &str, cluster: &Resource, api: bool) {
    if !api {
        return;
    }
    let id = &cluster.metadata.id;
    let version = cluster
        .spec
        .get("kubernetes_version")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let machines: Vec<(Machine, bool)> = super::members_of(state, id)
        .filter_map(|member| {
            let plane = label_of(member, label::CONTROL_PLANE).is_some();
            find_machine(state, &member.metadata.id).map(|(_, machine)| (machine.clone(), plane))
        })
        .filter(|(machine, _)| machine.stage == Stage::Running)
        .collect();
    let nodes: Vec<Value> = machines
        .iter()
        .map(|(machine, _)| {
            let mut node = json!({"nodename": machine.request, "kubelet_version": version});
            if readiness::node_ready(state, id, machine) {
                node["ready"] = json!(true);
            }
            node
        })
        .collect();
    let pods: Vec<Value> = machines
        .iter()
        .filter(|(_, plane)| *plane)
        .map(|(machine, _)| {
            let apps = [
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
            ];
            let pods: Vec<Value> = apps
                .iter()
                .map(|app| json!({"app": app, "version": version, "ready": true}))
                .collect();
            json!({"nodename": machine.request, "static_pods": pods})
        })
        .collect();
    let spec = json!({"nodes": nodes, "static_pods": pods});
    let owner = "KubernetesStatusController";
    state.omni.store.put(
        stamp,
        owner,
        kinds::KUBERNETES_STATUSES,
        id,
        Labels::new(),
        spec,
    );
}

/// `InfraProviderCombinedStatuses`: whether providers are alive.
fn providers(state: &mut State, now: Duration) {
    let stamp = state.stamp(now);
    for status in snapshot(state, kinds::INFRA_PROVIDER_STATUSES) {
        let id = &status.metadata.id;
        let beat = state
            .omni
            .store
            .find(kinds::INFRA_PROVIDER_HEALTH_STATUSES, id)
            .and_then(|health| {
                health
                    .spec
                    .get("last_heartbeat_timestamp")?
                    .as_str()?
                    .parse()
                    .ok()
            });
        let fresh = beat.is_some_and(|beat: jiff::Timestamp| {
            let wall = state.wall_zero + now;
            jiff::Timestamp::try_from(wall)
                .is_ok_and(|wall| wall.duration_since(beat).unsigned_abs() < HEARTBEAT_LIMIT)
        });
        let mut health = Map::new();
        if fresh {
            health.insert("connected".to_owned(), json!(true));
        }
        health.insert("initialized".to_owned(), json!(true));
        let mut spec = Map::new();
        for key in ["name", "description", "icon"] {
            if let Some(value) = status.spec.get(key) {
                spec.insert(key.to_owned(), value.clone());
            }
        }
        spec.insert("health".to_owned(), Value::Object(health));
        if let Some(version) = status.spec.get("version") {
            spec.insert("version".to_owned(), version.clone());
        }
        let kind = kinds::INFRA_PROVIDER_COMBINED_STATUSES;
        let owner = "InfraProviderStatusController";
        state
            .omni
            .store
            .put(&stamp, owner, kind, id, Labels::new(), Value::Object(spec));
    }
}
