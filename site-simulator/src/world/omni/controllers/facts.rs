//! The small resources beside a cluster's status: identity, bootstrap, endpoints, load balancer, Kubernetes.

use omni_client::Resource;
use serde_json::{Value, json};

use super::{find_machine, label, label_of, readiness, upgrades};
use crate::world::State;
use crate::world::machine::{Machine, Stage};
use crate::world::omni::kinds;
use crate::world::omni::store::Labels;

/// All of them; `api`: whether the Kubernetes API answers.
pub(super) fn reconcile(state: &mut State, stamp: &str, cluster: &Resource, api: bool) {
    cluster_facts(state, stamp, &cluster.metadata.id, api);
    kubernetes(state, stamp, cluster, api);
}

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

/// `KubernetesStatuses`: nodes and control plane pods, once the API answers.
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
            let running = upgrades::version_of(state, &machine.uuid, upgrades::KUBELET, version);
            let mut node = json!({"nodename": machine.request, "kubelet_version": running});
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
            let pods: Vec<Value> = upgrades::PODS
                .iter()
                .map(|app| {
                    let running = upgrades::version_of(state, &machine.uuid, app, version);
                    json!({"app": app, "version": running, "ready": true})
                })
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
        Labels::from([(label::CLUSTER.to_owned(), id.clone())]),
        spec,
    );
}
