//! Upgrades: Talos machine by machine, Kubernetes component by component; control planes first, one at a time, and
//! only while the cluster is ready.

use std::collections::BTreeMap;
use std::time::Duration;

use omni_client::Resource;
use serde_json::{Map, Value, json};

use super::{find_machine, label, label_of, members_of, snapshot, wanted};
use crate::world::machine::{self, Key, Stage};
use crate::world::omni::kinds::{self, KindRef};
use crate::world::omni::store::Labels;
use crate::world::{Due, State, draws};

/// On every node.
pub(super) const KUBELET: &str = "kubelet";
/// On control planes.
pub(super) const PODS: [&str; 3] = [
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
];

/// Numbers of an upgrade's phase.
const UPGRADING: u8 = 1;
const DONE: u8 = 2;

/// Machine UUID and component.
type Component = (String, &'static str);

/// Versions of Kubernetes components that run, by machine UUID.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    running: BTreeMap<String, BTreeMap<&'static str, String>>,
    under_way: BTreeMap<String, (Component, String)>,
}

impl Versions {
    /// A machine is gone.
    pub(super) fn forget(&mut self, uuid: &str) {
        self.running.remove(uuid);
    }
}

/// A machine that is installed.
struct Member {
    key: Key,
    uuid: String,
    request: String,
    is_current: bool,
    running: bool,
    plane: bool,
    locked: bool,
}

pub(super) fn reconcile(state: &mut State, now: Duration) {
    for cluster in snapshot(state, kinds::CLUSTERS) {
        if wanted(&cluster) && !is_settled(state, &cluster) {
            let members = members(state, &cluster);
            let talos = talos(state, now, &cluster, &members);
            kubernetes(state, now, &cluster, &members, talos);
        }
    }
}

/// Whether both statuses say that the versions wanted run everywhere, and so it is. Mostly so, and looked at often.
fn is_settled(state: &State, cluster: &Resource) -> bool {
    let id = &cluster.metadata.id;
    let talos = text(cluster, "talos_version");
    let kubernetes = text(cluster, "kubernetes_version");
    let runs = |machine: &machine::Machine| {
        let components = state.omni.kubernetes.running.get(&machine.uuid);
        machine.talos == talos
            && components.is_some_and(|all| all.values().all(|version| version == kubernetes))
    };
    is_done(state, kinds::TALOS_UPGRADE_STATUSES, id, talos)
        && is_done(state, kinds::KUBERNETES_UPGRADE_STATUSES, id, kubernetes)
        && members_of(state, id)
            .filter_map(|member| find_machine(state, &member.metadata.id))
            .all(|(_, machine)| !machine.installed || runs(machine))
}

fn is_done(state: &State, kind: KindRef, cluster: &str, version: &str) -> bool {
    let status = state.omni.store.find(kind, cluster);
    status.is_some_and(|status| {
        status.spec.get("phase") == Some(&json!(DONE))
            && text(status, "last_upgrade_version") == version
    })
}

/// The Talos version that the cluster of a machine wants.
pub(crate) fn wanted_talos(state: &State, key: &Key) -> String {
    let version = || {
        let machine = state.machines.get(key)?;
        let member = state
            .omni
            .store
            .find(kinds::CLUSTER_MACHINES, &machine.uuid)?;
        let cluster = label_of(member, label::CLUSTER)?;
        Some(
            text(
                state.omni.store.find(kinds::CLUSTERS, cluster)?,
                "talos_version",
            )
            .to_owned(),
        )
    };
    version().unwrap_or_default()
}

/// Whether machines of a set wait for another Talos version.
pub(super) fn is_upgrading(state: &State, set: &Resource) -> bool {
    let cluster = label_of(set, label::CLUSTER).unwrap_or_default();
    let Some(wanted) = state.omni.store.find(kinds::CLUSTERS, cluster) else {
        return false;
    };
    let version = text(wanted, "talos_version");
    !is_done(state, kinds::TALOS_UPGRADE_STATUSES, cluster, version)
        && members_of(state, cluster)
            .filter(|member| label_of(member, label::MACHINE_SET) == Some(&set.metadata.id))
            .filter_map(|member| find_machine(state, &member.metadata.id))
            .any(|(_, machine)| machine.installed && machine.talos != version)
}

/// The version of a component on a machine; `wanted` where it has never run another.
pub(super) fn version_of(
    state: &State,
    uuid: &str,
    component: &'static str,
    wanted: &str,
) -> String {
    let running = &state.omni.kubernetes.running;
    let found = running.get(uuid).and_then(|all| all.get(component));
    found.map_or(wanted, String::as_str).to_owned()
}

fn text<'r>(resource: &'r Resource, key: &str) -> &'r str {
    resource
        .spec
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Installed machines in the order they are upgraded.
fn members(state: &State, cluster: &Resource) -> Vec<Member> {
    let version = text(cluster, "talos_version");
    let mut members: Vec<Member> = members_of(state, &cluster.metadata.id)
        .filter_map(|member| {
            let uuid = &member.metadata.id;
            let (key, machine) = find_machine(state, uuid)?;
            let node = state.omni.store.find(kinds::MACHINE_SET_NODES, uuid);
            let is_locked = |node: &Resource| node.metadata.annotations.contains_key(label::LOCKED);
            machine.installed.then(|| Member {
                key: key.clone(),
                uuid: uuid.clone(),
                request: machine.request.clone(),
                is_current: machine.talos == version,
                running: machine.stage == Stage::Running,
                plane: label_of(member, label::CONTROL_PLANE).is_some(),
                locked: node.is_some_and(|node| is_locked(node)),
            })
        })
        .collect();
    members.sort_by(|left, right| (!left.plane, &left.uuid).cmp(&(!right.plane, &right.uuid)));
    members
}

/// Whether Omni calls every member ready.
fn all_ready(state: &State, cluster: &str) -> bool {
    let statuses = state.omni.store.all(kinds::CLUSTER_MACHINE_STATUSES);
    statuses
        .filter(|status| label_of(status, label::CLUSTER) == Some(cluster))
        .all(|status| status.spec.get("ready") == Some(&json!(true)))
}

/// `TalosUpgradeStatuses`, and the next machine. Returns whether all run the version that is wanted.
fn talos(state: &mut State, now: Duration, cluster: &Resource, members: &[Member]) -> bool {
    let version = text(cluster, "talos_version");
    let outdated: Vec<&Member> = members.iter().filter(|member| !member.is_current).collect();
    let mut spec = Map::new();
    let kind = kinds::TALOS_UPGRADE_STATUSES;
    if outdated.is_empty() {
        if is_done(state, kind, &cluster.metadata.id, version) {
            return true;
        }
        done(state, &mut spec, version, kinds::TALOS_VERSIONS);
        put(state, now, kind, cluster, Labels::new(), spec);
        return true;
    }
    let mut current = outdated.iter().find(|member| !member.running).copied();
    let next = outdated.iter().find(|member| !member.locked).copied();
    if current.is_none()
        && all_ready(state, &cluster.metadata.id)
        && let Some(next) = next
    {
        machine::upgrade(state, now, &next.key, version);
        current = Some(next);
    }
    let step = match (current, next) {
        (Some(member), _) => format!("current machine: {}", member.uuid),
        (None, None) => "all machines are locked".to_owned(),
        (None, Some(_)) => "waiting for the cluster to be ready".to_owned(),
    };
    let at = members.len() - outdated.len() + 1;
    let status = format!("updating machines {at}/{}", members.len());
    under_way(state, &mut spec, kind, cluster, (&step, &status), version);
    put(state, now, kind, cluster, Labels::new(), spec);
    false
}

/// `KubernetesUpgradeStatuses` once the API has answered, and the next component.
fn kubernetes(
    state: &mut State,
    now: Duration,
    cluster: &Resource,
    members: &[Member],
    talos_done: bool,
) {
    let id = &cluster.metadata.id;
    if state
        .omni
        .store
        .find(kinds::KUBERNETES_STATUSES, id)
        .is_none()
    {
        return;
    }
    let version = text(cluster, "kubernetes_version").to_owned();
    let ready = state
        .omni
        .store
        .find(kinds::CLUSTER_STATUSES, id)
        .is_some_and(|status| status.spec.get("ready") == Some(&json!(true)));
    let kind = kinds::KUBERNETES_UPGRADE_STATUSES;
    let known = state
        .omni
        .store
        .find(kind, id)
        .is_some_and(|status| status.spec.get("last_upgrade_version").is_some());
    let mut spec = Map::new();
    if !known && !ready {
        // Nothing was compared yet.
        put(state, now, kind, cluster, Labels::new(), spec);
        return;
    }
    let labels = Labels::from([(label::CLUSTER.to_owned(), id.clone())]);
    let next = next_component(state, members, &version);
    match next {
        None => done(state, &mut spec, &version, kinds::KUBERNETES_VERSIONS),
        Some((component, name)) => {
            if ready && talos_done && !state.omni.kubernetes.under_way.contains_key(id) {
                let step = (component.clone(), version.clone());
                state.omni.kubernetes.under_way.insert(id.clone(), step);
                let takes = draws::kubernetes_step(&mut state.rng);
                let cluster = id.clone();
                state.queue.push(now + takes, Due::Kubernetes { cluster });
            }
            let step = format!("{name}: updating {} to {version}", component.1);
            let status = if ready && talos_done {
                "waiting for a restart"
            } else {
                "waiting for the cluster to be ready"
            };
            under_way(state, &mut spec, kind, cluster, (&step, status), &version);
        }
    }
    put(state, now, kind, cluster, labels, spec);
}

/// The first component with another version, and its node. What was never seen runs what is wanted.
fn next_component(
    state: &mut State,
    members: &[Member],
    version: &str,
) -> Option<(Component, String)> {
    let pods = PODS.iter().flat_map(|pod| {
        let planes = members.iter().filter(|member| member.plane);
        planes.map(move |member| (member, *pod))
    });
    let kubelets = members.iter().map(|member| (member, KUBELET));
    let mut next = None;
    for (member, component) in pods.chain(kubelets) {
        if !member.running {
            continue;
        }
        let machine = state.omni.kubernetes.running.entry(member.uuid.clone());
        let running = machine.or_default().entry(component);
        if *running.or_insert_with(|| version.to_owned()) != version && next.is_none() {
            next = Some(((member.uuid.clone(), component), member.request.clone()));
        }
    }
    next
}

/// A component runs its new version.
pub(crate) fn step_done(state: &mut State, now: Duration, cluster: &str) {
    if let Some(((uuid, component), version)) = state.omni.kubernetes.under_way.remove(cluster) {
        let running = state.omni.kubernetes.running.entry(uuid).or_default();
        running.insert(component, version);
        state.wake_controllers(now);
    }
}

fn done(state: &State, spec: &mut Map<String, Value>, version: &str, known: KindRef) {
    spec.insert("phase".to_owned(), json!(DONE));
    spec.insert("last_upgrade_version".to_owned(), json!(version));
    let versions: Vec<&str> = state
        .omni
        .store
        .all(known)
        .map(|resource| resource.metadata.id.as_str())
        .filter(|other| is_next(version, other))
        .collect();
    if !versions.is_empty() {
        spec.insert("upgrade_versions".to_owned(), json!(versions));
    }
}

/// Other patch releases of the same minor, and the next minor.
fn is_next(version: &str, other: &str) -> bool {
    let minor = |text: &str| -> Option<(u32, u32)> {
        let mut parts = text.split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    match (minor(version), minor(other)) {
        (Some((major, own)), Some((other_major, next))) => {
            version != other && major == other_major && (next == own || next == own + 1)
        }
        _ => false,
    }
}

fn under_way(
    state: &State,
    spec: &mut Map<String, Value>,
    kind: KindRef,
    cluster: &Resource,
    (step, status): (&str, &str),
    version: &str,
) {
    spec.insert("phase".to_owned(), json!(UPGRADING));
    spec.insert("step".to_owned(), json!(step));
    spec.insert("status".to_owned(), json!(status));
    let before = state.omni.store.find(kind, &cluster.metadata.id);
    if let Some(last) = before.and_then(|status| status.spec.get("last_upgrade_version")) {
        spec.insert("last_upgrade_version".to_owned(), last.clone());
    }
    spec.insert("current_upgrade_version".to_owned(), json!(version));
}

fn put(
    state: &mut State,
    now: Duration,
    kind: KindRef,
    cluster: &Resource,
    labels: Labels,
    spec: Map<String, Value>,
) {
    let owner = if kind == kinds::TALOS_UPGRADE_STATUSES {
        "TalosUpgradeStatusController"
    } else {
        "KubernetesUpgradeStatusController"
    };
    let stamp = state.stamp(now);
    let id = &cluster.metadata.id;
    state
        .omni
        .store
        .put(&stamp, owner, kind, id, labels, Value::Object(spec));
}
