//! Machines that joined, and their way into a cluster.

use std::time::Duration;

use omni_client::Resource;
use serde_json::{Map, Value, json};

use super::machines::{machine_resources, management_address, set_labels_of};
use super::readiness::is_ready;
use super::{allocation, find_machine, label, label_of, set_labels, snapshot, wanted};
use crate::world::machine::{Key, Machine, Stage};
use crate::world::omni::kinds;
use crate::world::{State, machine as guest};

pub(super) fn reconcile(state: &mut State, now: Duration) {
    let joined: Vec<(Key, Machine)> = state
        .machines
        .iter()
        .filter(|(_, machine)| machine.joined && !machine.evicted)
        .map(|(key, machine)| (key.clone(), machine.clone()))
        .collect();
    for (key, machine) in &joined {
        machine_resources(state, now, key, machine);
    }
    for set in snapshot(state, kinds::MACHINE_SETS) {
        if wanted(&set) {
            nodes(state, now, &set, &joined);
        }
    }
    for node in snapshot(state, kinds::MACHINE_SET_NODES) {
        if wanted(&node) {
            cluster_machine(state, now, &node);
        }
    }
    for member in snapshot(state, kinds::CLUSTER_MACHINES) {
        cluster_machine_status(state, now, &member);
    }
}

/// `MachineSetNodes` of a class-based set: as many as wanted; surplus ones go, the oldest first.
fn nodes(state: &mut State, now: Duration, set: &Resource, joined: &[(Key, Machine)]) {
    let Some((_, count)) = allocation(set) else {
        return;
    };
    let id = &set.metadata.id;
    let stamp = state.stamp(now);
    let mut existing: Vec<_> = snapshot(state, kinds::MACHINE_SET_NODES)
        .into_iter()
        .filter(|node| label_of(node, label::MACHINE_SET) == Some(id))
        .collect();
    let mut running = existing.iter().filter(|node| wanted(node)).count();
    for (_, machine) in joined {
        let request = state
            .omni
            .store
            .find(kinds::MACHINE_REQUESTS, &machine.request);
        let ours =
            request.is_some_and(|r| wanted(r) && label_of(r, label::REQUEST_SET) == Some(id));
        if !ours || running >= count || existing.iter().any(|node| node.metadata.id == machine.uuid)
        {
            continue;
        }
        let mut labels = set_labels(set);
        labels.insert(label::MANAGED_NODE.to_owned(), String::new());
        let store = &mut state.omni.store;
        store.put(
            &stamp,
            "",
            kinds::MACHINE_SET_NODES,
            &machine.uuid,
            labels,
            json!({}),
        );
        store.hold(
            &stamp,
            kinds::MACHINE_SET_NODES,
            &machine.uuid,
            "MachineSetNodeController",
        );
        running += 1;
    }
    existing.retain(|node| wanted(node));
    existing.sort_by_key(|node| {
        let connected =
            find_machine(state, &node.metadata.id).is_some_and(|(_, machine)| machine.connected);
        (
            connected,
            node.metadata.created.clone(),
            node.metadata.id.clone(),
        )
    });
    for node in existing.iter().take(running.saturating_sub(count)) {
        let kind = kinds::MACHINE_SET_NODES;
        drop(
            state
                .omni
                .store
                .tear_down(&stamp, kind.name, kind.namespace, &node.metadata.id),
        );
    }
}

/// A node whose machine is there becomes a cluster machine and gets its configuration.
fn cluster_machine(state: &mut State, now: Duration, node: &Resource) {
    let id = &node.metadata.id;
    let Some((key, machine)) = find_machine(state, id) else {
        return;
    };
    if !machine.joined || machine.evicted {
        return;
    }
    let key = key.clone();
    let cluster = label_of(node, label::CLUSTER).unwrap_or_default();
    let Some(cluster) = state
        .omni
        .store
        .find(kinds::CLUSTERS, cluster)
        .filter(|c| wanted(c))
    else {
        return;
    };
    let version = cluster
        .spec
        .get("kubernetes_version")
        .cloned()
        .unwrap_or_default();
    let stamp = state.stamp(now);
    let owner = "MachineSetStatusController";
    let spec = json!({"kubernetes_version": version});
    let store = &mut state.omni.store;
    store.put(
        &stamp,
        owner,
        kinds::CLUSTER_MACHINES,
        id,
        set_labels_of(node),
        spec,
    );
    store.hold(
        &stamp,
        kinds::CLUSTER_MACHINES,
        id,
        "ClusterMachineStatusController",
    );
    guest::configure(state, now, &key);
}

/// `ClusterMachineStatuses` and, once the installed system is up, `ClusterMachineIdentities`.
fn cluster_machine_status(state: &mut State, now: Duration, member: &Resource) {
    let id = &member.metadata.id;
    let Some((key, machine)) = find_machine(state, id) else {
        return;
    };
    let (key, machine) = (key.clone(), machine.clone());
    let ready = is_ready(state, member, &machine);
    let up_to_date = machine.installed;
    let mut spec = Map::new();
    if ready {
        spec.insert("ready".to_owned(), json!(true));
    }
    if machine.stage.number() != 0 {
        spec.insert("stage".to_owned(), json!(machine.stage.number()));
    }
    if up_to_date {
        spec.insert("config_up_to_date".to_owned(), json!(true));
    }
    spec.insert(
        "management_address".to_owned(),
        json!(management_address(id)),
    );
    spec.insert(
        "config_apply_status".to_owned(),
        json!(if up_to_date { 2 } else { 1 }),
    );
    spec.insert(
        "provision_status".to_owned(),
        json!({"provider_id": key.0, "request_id": machine.request}),
    );
    let mut labels = set_labels_of(member);
    if machine.connected {
        labels.insert(label::CONNECTED.to_owned(), String::new());
    }
    labels.insert(label::HOSTNAME.to_owned(), machine.request.clone());
    if machine.installed {
        labels.insert(label::NODE_NAME.to_owned(), machine.request.clone());
    }
    let stamp = state.stamp(now);
    let owner = "ClusterMachineStatusController";
    let kind = kinds::CLUSTER_MACHINE_STATUSES;
    state
        .omni
        .store
        .put(&stamp, owner, kind, id, labels, Value::Object(spec));
    if matches!(machine.stage, Stage::Configuring | Stage::Running) {
        identity(state, &stamp, member, &machine);
    }
}

fn identity(state: &mut State, stamp: &str, member: &Resource, machine: &Machine) {
    let ips: Vec<String> = machine
        .nics
        .iter()
        .filter_map(|nic| nic.address)
        .map(|ip| ip.to_string())
        .collect();
    let spec = json!({"node_identity": machine.uuid, "nodename": machine.request, "node_ips": ips});
    let owner = "ClusterMachineIdentityController";
    let mut labels = set_labels_of(member);
    labels.remove(label::MACHINE_SET);
    state.omni.store.put(
        stamp,
        owner,
        kinds::CLUSTER_MACHINE_IDENTITIES,
        &machine.uuid,
        labels,
        spec,
    );
}

/// Forgets a machine for good: it left its cluster because its request or set is going.
pub(super) fn evict(state: &mut State, now: Duration, uuid: &str) {
    let stamp = state.stamp(now);
    for kind in [
        kinds::MACHINE_SET_NODES,
        kinds::CLUSTER_MACHINE_IDENTITIES,
        kinds::CLUSTER_MACHINE_STATUSES,
        kinds::CLUSTER_MACHINES,
        kinds::MACHINE_STATUSES,
        kinds::MACHINES,
        kinds::LINKS,
    ] {
        state.omni.store.drop_owned(&stamp, kind, uuid);
    }
    state.omni.kubernetes.forget(uuid);
    if let Some(machine) = state
        .machines
        .values_mut()
        .find(|machine| machine.uuid == uuid)
    {
        machine.evicted = true;
    }
}
