//! Machine set -> machine request set -> machine requests, and what the cluster is told about them.

use std::time::Duration;

use omni_client::Resource;
use rand::RngExt as _;
use serde_json::{Map, Value, json};

use super::{allocation, label, label_of, set_labels, snapshot, wanted};
use crate::world::State;
use crate::world::omni::kinds;
use crate::world::omni::store;

/// Letters and digits of the random end of a request id; no vowels, none that look alike.
const ID_CHARACTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

pub(super) fn reconcile(state: &mut State, now: Duration) {
    for set in snapshot(state, kinds::MACHINE_SETS) {
        if wanted(&set) {
            request_set(state, now, &set);
        }
    }
    for set in snapshot(state, kinds::MACHINE_REQUEST_SETS) {
        if wanted(&set) {
            requests(state, now, &set);
        }
    }
    for request in snapshot(state, kinds::MACHINE_REQUESTS) {
        cluster_view(state, now, &request);
    }
}

/// A set as large as the machine set wants it, and never smaller than what still exists.
fn request_set(state: &mut State, now: Duration, set: &Resource) {
    let Some((class, count)) = allocation(set) else {
        return;
    };
    let Some(class) = state.omni.store.find(kinds::MACHINE_CLASSES, class) else {
        return;
    };
    let Some(auto) = class
        .spec
        .get("auto_provision")
        .and_then(Value::as_object)
        .cloned()
    else {
        return;
    };
    let cluster = label_of(set, label::CLUSTER).unwrap_or_default();
    let Some(cluster) = state.omni.store.find(kinds::CLUSTERS, cluster) else {
        return;
    };
    let talos_version = cluster
        .spec
        .get("talos_version")
        .cloned()
        .unwrap_or_default();
    let id = &set.metadata.id;
    let existing = state
        .omni
        .store
        .all(kinds::MACHINE_SET_NODES)
        .filter(|n| label_of(n, label::MACHINE_SET) == Some(id));
    let total = count.max(existing.count());
    let mut spec = Map::new();
    let mut copy = |key: &str| {
        if let Some(value) = auto.get(key) {
            spec.insert(key.to_owned(), value.clone());
        }
    };
    copy("provider_id");
    copy("kernel_args");
    copy("meta_values");
    copy("provider_data");
    copy("grpc_tunnel");
    spec.insert("talos_version".to_owned(), talos_version);
    if total > 0 {
        spec.insert("machine_count".to_owned(), json!(total));
    }
    let stamp = state.stamp(now);
    let owner = "MachineProvisionController";
    let labels = store::Labels::new();
    state.omni.store.put(
        &stamp,
        owner,
        kinds::MACHINE_REQUEST_SETS,
        id,
        labels,
        Value::Object(spec),
    );
}

/// Makes missing requests; tears down surplus ones: unused first, then the oldest.
fn requests(state: &mut State, now: Duration, set: &Resource) {
    let id = &set.metadata.id;
    let count = set
        .spec
        .get("machine_count")
        .and_then(Value::as_u64)
        .unwrap_or(0);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let stamp = state.stamp(now);
    let existing: Vec<_> = snapshot(state, kinds::MACHINE_REQUESTS)
        .into_iter()
        .filter(|request| label_of(request, label::REQUEST_SET) == Some(id))
        .collect();
    for _ in existing.len()..count.min(existing.len() + 1000) {
        create_request(state, &stamp, set);
    }
    let mut running: Vec<_> = existing
        .into_iter()
        .filter(|request| wanted(request))
        .collect();
    if running.len() <= count {
        return;
    }
    running.sort_by_key(|request| {
        let in_use = in_use(state, &request.metadata.id);
        (
            in_use,
            request.metadata.created.clone(),
            request.metadata.id.clone(),
        )
    });
    let surplus = running.len() - count;
    for request in running.into_iter().take(surplus) {
        let kind = kinds::MACHINE_REQUESTS;
        drop(
            state
                .omni
                .store
                .tear_down(&stamp, kind.name, kind.namespace, &request.metadata.id),
        );
    }
}

/// Whether the machine of a request is a cluster member.
fn in_use(state: &State, request: &str) -> bool {
    let machine = state
        .machines
        .values()
        .find(|machine| machine.request == request);
    machine.is_some_and(|machine| {
        state
            .omni
            .store
            .find(kinds::CLUSTER_MACHINES, &machine.uuid)
            .is_some()
    })
}

fn create_request(state: &mut State, stamp: &str, set: &Resource) {
    let mut suffix = String::new();
    for _ in 0..6 {
        let index = state.rng.random_range(0..ID_CHARACTERS.len());
        suffix.push(char::from(ID_CHARACTERS[index]));
    }
    let id = format!("{}-{suffix}", set.metadata.id);
    let mut spec = set.spec.as_object().cloned().unwrap_or_default();
    let provider = spec
        .remove("provider_id")
        .and_then(|v| v.as_str().map(str::to_owned))
        .unwrap_or_default();
    spec.remove("machine_count");
    let labels = store::Labels::from([
        (label::PROVIDER.to_owned(), provider),
        (label::REQUEST_SET.to_owned(), set.metadata.id.clone()),
    ]);
    let kind = kinds::MACHINE_REQUESTS;
    let request = store::owned(
        stamp,
        "",
        kind.namespace,
        kind.name,
        &id,
        labels,
        Value::Object(spec),
    );
    if state.omni.store.create(request).is_ok() {
        state
            .omni
            .store
            .hold(stamp, kind, &id, "ClusterMachineRequestStatusController");
    }
}

/// `ClusterMachineRequestStatuses`: what the cluster sees of a request.
fn cluster_view(state: &mut State, now: Duration, request: &Resource) {
    let id = &request.metadata.id;
    let Some(set) = label_of(request, label::REQUEST_SET) else {
        return;
    };
    let Some(set) = state.omni.store.find(kinds::MACHINE_SETS, set).cloned() else {
        return;
    };
    let provider = label_of(request, label::PROVIDER)
        .unwrap_or_default()
        .to_owned();
    let status = state
        .omni
        .store
        .find(kinds::MACHINE_REQUEST_STATUSES, id)
        .cloned();
    let uuid = status
        .as_ref()
        .and_then(|status| status.spec.get("id").cloned())
        .or_else(|| known_uuid(state, id))
        .unwrap_or(Value::Null);
    let (number, text) = if wanted(request) {
        match &status {
            None => (
                1,
                "Waiting for the infra provider to start provision".to_owned(),
            ),
            Some(status) if status.spec.get("stage") == Some(&json!(2)) => {
                (3, "Waiting for the machine to join Omni".to_owned())
            }
            Some(status) => {
                let text = status
                    .spec
                    .get("status")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                (2, text.to_owned())
            }
        }
    } else {
        (
            4,
            "Waiting for the infra provider to finish teardown".to_owned(),
        )
    };
    let mut spec = Map::new();
    if !text.is_empty() {
        spec.insert("status".to_owned(), json!(text));
    }
    if !uuid.is_null() {
        spec.insert("machine_uuid".to_owned(), uuid);
    }
    spec.insert("provider_id".to_owned(), json!(provider));
    spec.insert("stage".to_owned(), json!(number));
    let mut labels = set_labels(&set);
    if in_use(state, id) {
        labels.insert(label::IN_USE.to_owned(), String::new());
    }
    let stamp = state.stamp(now);
    let owner = "ClusterMachineRequestStatusController";
    let kind = kinds::CLUSTER_MACHINE_REQUEST_STATUSES;
    state
        .omni
        .store
        .put(&stamp, owner, kind, id, labels, Value::Object(spec));
}

fn known_uuid(state: &State, request: &str) -> Option<Value> {
    let old = state
        .omni
        .store
        .find(kinds::CLUSTER_MACHINE_REQUEST_STATUSES, request)?;
    old.spec.get("machine_uuid").cloned()
}
