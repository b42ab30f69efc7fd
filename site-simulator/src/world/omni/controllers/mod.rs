//! Omni's controllers: each looks at the store and moves it one step towards what is wanted.
//!
//! They are woken a little after every change and go on until a round changes nothing.

use std::time::Duration;

use omni_client::Resource;

use super::kinds::{self, label};
use super::store::{self, label as label_of, tearing_down};
use crate::world::{State, machine, provider};

mod facts;
mod finalizers;
mod machines;
mod members;
mod providers;
mod readiness;
mod requests;
mod status;
mod teardown;
pub(crate) mod upgrades;

/// One round. Another one follows when it changed anything.
pub fn reconcile(state: &mut State, now: Duration) {
    let before = state.omni.store.changes();
    finalizers::reconcile(state, now);
    teardown::reconcile(state, now);
    requests::reconcile(state, now);
    members::reconcile(state, now);
    status::reconcile(state, now);
    upgrades::reconcile(state, now);
    providers::reconcile(state, now);
    let providers: Vec<String> = state.providers.keys().cloned().collect();
    for id in providers {
        provider::notice_requests(state, now, &id);
    }
    if state.omni.store.changes() != before {
        state.wake_controllers(now);
    }
}

/// Whether an installed machine has what it needs to run: the first control plane machine of a cluster needs
/// nothing, all others need a control plane that runs.
pub fn may_run(state: &State, key: &machine::Key) -> bool {
    let Some(machine) = state.machines.get(key) else {
        return false;
    };
    let Some(member) = state
        .omni
        .store
        .find(kinds::CLUSTER_MACHINES, &machine.uuid)
    else {
        return false;
    };
    let Some(cluster) = label_of(member, label::CLUSTER) else {
        return false;
    };
    if control_plane_running(state, cluster) {
        return true;
    }
    let first = control_plane_members(state, cluster)
        .filter_map(|member| find_machine(state, &member.metadata.id))
        .filter(|(_, machine)| machine.installed && machine.connected)
        .map(|(key, _)| key)
        .min();
    first == Some(key)
}

/// Whether any control plane machine of a cluster runs: then etcd and the Kubernetes API answer.
fn control_plane_running(state: &State, cluster: &str) -> bool {
    control_plane_members(state, cluster)
        .filter_map(|member| find_machine(state, &member.metadata.id))
        .any(|(_, machine)| machine.stage == machine::Stage::Running && machine.connected)
}

fn control_plane_members<'a>(
    state: &'a State,
    cluster: &'a str,
) -> impl Iterator<Item = &'a Resource> {
    members_of(state, cluster).filter(|member| label_of(member, label::CONTROL_PLANE).is_some())
}

fn members_of<'a>(state: &'a State, cluster: &'a str) -> impl Iterator<Item = &'a Resource> {
    let all = state.omni.store.all(kinds::CLUSTER_MACHINES);
    all.filter(move |member| label_of(member, label::CLUSTER) == Some(cluster))
        .map(|member| &**member)
}

fn find_machine<'a>(
    state: &'a State,
    uuid: &str,
) -> Option<(&'a machine::Key, &'a machine::Machine)> {
    state
        .machines
        .iter()
        .find(|(_, machine)| machine.uuid == uuid)
}

/// Snapshots of all resources of a kind, so that the store can be written meanwhile.
fn snapshot(state: &State, kind: kinds::KindRef) -> Vec<std::sync::Arc<Resource>> {
    state.omni.store.all(kind).cloned().collect()
}

/// The role label of a machine set and everything in it.
fn role(resource: &Resource) -> &'static str {
    if label_of(resource, label::CONTROL_PLANE).is_some() {
        label::CONTROL_PLANE
    } else {
        label::WORKER
    }
}

/// Labels of what belongs to a machine set.
fn set_labels(set: &Resource) -> store::Labels {
    let cluster = label_of(set, label::CLUSTER).unwrap_or_default().to_owned();
    store::Labels::from([
        (label::CLUSTER.to_owned(), cluster),
        (label::MACHINE_SET.to_owned(), set.metadata.id.clone()),
        (role(set).to_owned(), String::new()),
    ])
}

/// Class and size of a class-based machine set.
fn allocation(set: &Resource) -> Option<(&str, usize)> {
    let allocation = set
        .spec
        .get("machine_allocation")
        .or_else(|| set.spec.get("machine_class"))?;
    let name = allocation.get("name")?.as_str()?;
    let count = allocation
        .get("machine_count")
        .and_then(serde_json::Value::as_u64)
        .unwrap_or(0);
    Some((name, usize::try_from(count).unwrap_or(usize::MAX)))
}

/// Whether a resource is wanted.
fn wanted(resource: &Resource) -> bool {
    !tearing_down(resource)
}
