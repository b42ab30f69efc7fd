//! What is torn down goes step by step: workers before control planes, the cluster last.

use std::time::Duration;

use omni_client::Resource;
use serde_json::json;

use super::{label, label_of, members, snapshot, wanted};
use crate::world::State;
use crate::world::omni::access;
use crate::world::omni::kinds::{self, KindRef};
use crate::world::omni::store::Labels;

pub(super) fn reconcile(state: &mut State, now: Duration) {
    for cluster in snapshot(state, kinds::CLUSTERS) {
        if !wanted(&cluster) {
            leave_cluster(state, now, &cluster);
        }
    }
    for set in snapshot(state, kinds::MACHINE_SETS) {
        if !wanted(&set) {
            leave_machine_set(state, now, &set);
        }
    }
    for set in snapshot(state, kinds::MACHINE_REQUEST_SETS) {
        let orphan = !set.metadata.owner.is_empty()
            && state
                .omni
                .store
                .find(kinds::MACHINE_SETS, &set.metadata.id)
                .is_none();
        if !wanted(&set) || orphan {
            leave_request_set(state, now, &set);
        }
    }
    for request in snapshot(state, kinds::MACHINE_REQUESTS) {
        if !wanted(&request) {
            leave_request(state, now, &request);
        }
    }
    for node in snapshot(state, kinds::MACHINE_SET_NODES) {
        if !wanted(&node) {
            members::evict(state, now, &node.metadata.id);
        }
    }
    for (kind, namespace) in access::user_managed() {
        sweep(state, kind, namespace);
    }
}

/// Torn down user resources go as soon as nothing holds them.
fn sweep(state: &mut State, kind: &str, namespace: &str) {
    if kind == kinds::MACHINE_REQUESTS.name {
        return;
    }
    let gone: Vec<String> = state
        .omni
        .store
        .list(namespace, kind)
        .filter(|resource| !wanted(resource) && resource.metadata.finalizers.is_empty())
        .map(|resource| resource.metadata.id.clone())
        .collect();
    for id in gone {
        drop(state.omni.store.destroy(kind, namespace, &id));
    }
}

fn tear_down(state: &mut State, stamp: &str, kind: KindRef, id: &str) {
    drop(
        state
            .omni
            .store
            .tear_down(stamp, kind.name, kind.namespace, id),
    );
}

fn of_cluster(state: &State, kind: KindRef, cluster: &str) -> Vec<std::sync::Arc<Resource>> {
    let mut all = snapshot(state, kind);
    all.retain(|resource| label_of(resource, label::CLUSTER) == Some(cluster));
    all
}

fn leave_cluster(state: &mut State, now: Duration, cluster: &Resource) {
    let id = &cluster.metadata.id;
    let stamp = state.stamp(now);
    for kind in [kinds::CONFIG_PATCHES, kinds::EXTENSIONS_CONFIGURATIONS] {
        for resource in of_cluster(state, kind, id) {
            state
                .omni
                .store
                .drop_owned(&stamp, kind, &resource.metadata.id);
        }
    }
    let (planes, workers): (Vec<_>, Vec<_>) = of_cluster(state, kinds::MACHINE_SETS, id)
        .into_iter()
        .partition(|set| label_of(set, label::CONTROL_PLANE).is_some());
    let going = if workers.is_empty() {
        &planes
    } else {
        &workers
    };
    for set in going {
        tear_down(state, &stamp, kinds::MACHINE_SETS, &set.metadata.id);
    }
    if going.is_empty() {
        for kind in [
            kinds::CLUSTER_STATUSES,
            kinds::KUBERNETES_STATUSES,
            kinds::KUBERNETES_UPGRADE_STATUSES,
            kinds::TALOS_UPGRADE_STATUSES,
            kinds::CLUSTER_BOOTSTRAP_STATUSES,
            kinds::CLUSTER_UUIDS,
            kinds::CLUSTER_ENDPOINTS,
            kinds::LOAD_BALANCER_STATUSES,
            kinds::CLUSTER_DESTROY_STATUSES,
        ] {
            state.omni.store.drop_owned(&stamp, kind, id);
        }
        state.omni.cni_installed.remove(id);
        state.omni.store.drop_owned(&stamp, kinds::CLUSTERS, id);
        return;
    }
    let phase = format!(
        "Destroying: {} machine sets, waiting for their machines",
        planes.len() + workers.len()
    );
    let kind = kinds::CLUSTER_DESTROY_STATUSES;
    let spec = json!({"phase": phase});
    state.omni.store.put(
        &stamp,
        "ClusterDestroyStatusController",
        kind,
        id,
        Labels::new(),
        spec,
    );
    let status = kinds::KUBERNETES_STATUSES;
    state.omni.store.release(
        &stamp,
        kinds::CLUSTERS,
        id,
        "KubernetesUpgradeStatusController",
    );
    if workers.is_empty() {
        state.omni.store.drop_owned(&stamp, status, id);
    }
}

fn leave_machine_set(state: &mut State, now: Duration, set: &Resource) {
    let id = &set.metadata.id;
    let stamp = state.stamp(now);
    for kind in [kinds::CONFIG_PATCHES, kinds::EXTENSIONS_CONFIGURATIONS] {
        let mut ours = snapshot(state, kind);
        ours.retain(|resource| label_of(resource, label::MACHINE_SET) == Some(id));
        for resource in ours {
            state
                .omni
                .store
                .drop_owned(&stamp, kind, &resource.metadata.id);
        }
    }
    if state
        .omni
        .store
        .find(kinds::MACHINE_REQUEST_SETS, id)
        .is_some()
    {
        tear_down(state, &stamp, kinds::MACHINE_REQUEST_SETS, id);
        return;
    }
    let mut nodes = snapshot(state, kinds::MACHINE_SET_NODES);
    nodes.retain(|node| label_of(node, label::MACHINE_SET) == Some(id));
    for node in nodes {
        members::evict(state, now, &node.metadata.id);
    }
    state
        .omni
        .store
        .drop_owned(&stamp, kinds::MACHINE_SET_STATUSES, id);
    state
        .omni
        .store
        .drop_owned(&stamp, kinds::CONTROL_PLANE_STATUSES, id);
    state.omni.store.drop_owned(&stamp, kinds::MACHINE_SETS, id);
}

fn leave_request_set(state: &mut State, now: Duration, set: &Resource) {
    let id = &set.metadata.id;
    let stamp = state.stamp(now);
    tear_down(state, &stamp, kinds::MACHINE_REQUEST_SETS, id);
    let mut requests = snapshot(state, kinds::MACHINE_REQUESTS);
    requests.retain(|request| label_of(request, label::REQUEST_SET) == Some(id));
    if requests.is_empty() {
        state
            .omni
            .store
            .drop_owned(&stamp, kinds::MACHINE_REQUEST_SETS, id);
        return;
    }
    for request in requests {
        tear_down(state, &stamp, kinds::MACHINE_REQUESTS, &request.metadata.id);
    }
}

/// First its machine leaves Omni, then the provider removes the VM, then the request goes.
fn leave_request(state: &mut State, now: Duration, request: &Resource) {
    let id = &request.metadata.id;
    let machine = state
        .machines
        .values()
        .find(|machine| machine.request == *id && machine.joined);
    if let Some(uuid) = machine
        .filter(|machine| !machine.evicted)
        .map(|machine| machine.uuid.clone())
    {
        members::evict(state, now, &uuid);
    }
    let held_by_provider = request
        .metadata
        .finalizers
        .iter()
        .any(|finalizer| finalizer.ends_with(".ProvisionController"));
    if held_by_provider {
        return;
    }
    let stamp = state.stamp(now);
    state
        .omni
        .store
        .drop_owned(&stamp, kinds::CLUSTER_MACHINE_REQUEST_STATUSES, id);
    state.omni.store.release(
        &stamp,
        kinds::MACHINE_REQUESTS,
        id,
        "ClusterMachineRequestStatusController",
    );
    drop(state.omni.store.destroy(
        kinds::MACHINE_REQUESTS.name,
        kinds::MACHINE_REQUESTS.namespace,
        id,
    ));
}
