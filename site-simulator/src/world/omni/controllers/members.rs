//! Machines that joined, and their way into a cluster.

use std::time::Duration;

use omni_client::Resource;
use serde_json::{Map, Value, json};

use super::{allocation, find_machine, label, label_of, set_labels, snapshot, wanted};
use crate::world::machine::{Key, Machine, Stage};
use crate::world::omni::kinds;
use crate::world::omni::store::Labels;
use crate::world::provider::ClassData;
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

/// `Links`, `Machines` and `MachineStatuses` of a machine.
fn machine_resources(state: &mut State, now: Duration, key: &Key, machine: &Machine) {
    let stamp = state.stamp(now);
    let id = &machine.uuid;
    let address = management_address(id);
    let origin = origin_labels(state, key, machine);
    let mut spec = json!({
        "node_subnet": format!("{address}/64"),
        "last_endpoint": machine.nics.first().and_then(|nic| nic.address).map(|ip| format!("{ip}:50180")),
        "connected": machine.connected,
    });
    drop_zeroes(&mut spec);
    let store = &mut state.omni.store;
    store.put(&stamp, "", kinds::LINKS, id, origin.clone(), spec);
    let mut labels = origin.clone();
    labels.insert(label::ADDRESS.to_owned(), address.clone());
    labels.insert(label::NO_MANUAL_ALLOCATION.to_owned(), String::new());
    let mut spec = json!({"management_address": address, "connected": machine.connected});
    drop_zeroes(&mut spec);
    store.put(&stamp, "MachineController", kinds::MACHINES, id, labels, spec);
    let (labels, spec) = machine_status(state, machine, origin);
    state.omni.store.put(&stamp, "MachineStatusController", kinds::MACHINE_STATUSES, id, labels, spec);
}

/// An address in SideroLink's range, made from the machine's id.
fn management_address(uuid: &str) -> String {
    let hex: String = uuid.chars().filter(char::is_ascii_hexdigit).collect();
    let group = |at: usize| hex.get(at..at + 4).unwrap_or("0").trim_start_matches('0').to_owned();
    let part = |at: usize| {
        let group = group(at);
        if group.is_empty() { "0".to_owned() } else { group }
    };
    format!("fdae:41e4:649b:9303:{}:{}:{}:{}", part(0), part(4), part(8), part(12))
}

fn origin_labels(state: &State, key: &Key, machine: &Machine) -> Labels {
    let set = state
        .omni
        .store
        .find(kinds::MACHINE_REQUESTS, &machine.request)
        .and_then(|request| label_of(request, label::REQUEST_SET))
        .unwrap_or_default();
    Labels::from([
        (label::PROVIDER.to_owned(), key.0.clone()),
        (label::REQUEST.to_owned(), machine.request.clone()),
        (label::REQUEST_SET.to_owned(), set.to_owned()),
    ])
}

fn machine_status(state: &State, machine: &Machine, origin: Labels) -> (Labels, Value) {
    let member = state.omni.store.find(kinds::CLUSTER_MACHINES, &machine.uuid);
    let cluster = member.and_then(|member| label_of(member, label::CLUSTER)).unwrap_or_default();
    let role = match member {
        None => 0,
        Some(member) if label_of(member, label::CONTROL_PLANE).is_some() => 1,
        Some(_) => 2,
    };
    let data = class_data(state, &machine.request);
    let version = state
        .omni
        .store
        .find(kinds::MACHINE_REQUESTS, &machine.request)
        .and_then(|request| request.spec.get("talos_version")?.as_str())
        .unwrap_or_default();
    let mut spec = json!({
        "talos_version": format!("v{version}"),
        "hardware": {
            "processors": [{"core_count": data.cores, "thread_count": data.cores, "description": "QEMU Virtual CPU"}],
            "memory_modules": [{"size_mb": data.memory_mib, "description": "QEMU"}],
            "arch": "amd64",
        },
        "network": network(state, machine),
        "management_address": management_address(&machine.uuid),
        "connected": machine.connected,
        "maintenance": !machine.installed,
        "cluster": cluster,
        "role": role,
        "platform_metadata": {"platform": "nocloud", "hostname": machine.request, "instance_id": machine.request},
        "initial_talos_version": format!("v{version}"),
        "power_state": if machine.on { 2 } else { 3 },
        "security_state": {},
        "talos_version_name": "Talos",
    });
    drop_zeroes(&mut spec);
    let mut labels = origin;
    let mut mark = |name: &str, value: String| drop(labels.insert(format!("omni.sidero.dev/{name}"), value));
    mark("arch", "amd64".to_owned());
    mark("cores", data.cores.to_string());
    mark("mem", format!("{}GiB", data.memory_mib / 1024));
    mark("platform", "nocloud".to_owned());
    mark("talos-version", format!("v{version}"));
    mark("no-manual-allocation", String::new());
    mark("reporting-events", String::new());
    mark(if machine.connected { "connected" } else { "disconnected" }, String::new());
    mark("ready-to-use", String::new());
    if machine.installed {
        mark("installed", String::new());
    }
    match member {
        None => mark("available", String::new()),
        Some(member) => labels.extend(set_labels_of(member)),
    }
    (labels, spec)
}

fn set_labels_of(member: &Resource) -> Labels {
    let keys = [label::CLUSTER, label::MACHINE_SET, label::CONTROL_PLANE, label::WORKER];
    keys.iter()
        .filter_map(|key| member.metadata.labels.get(*key).map(|value| ((*key).to_owned(), value.clone())))
        .collect()
}

fn network(state: &State, machine: &Machine) -> Value {
    let mut addresses = Vec::new();
    let mut gateways = Vec::new();
    for address in machine.nics.iter().filter_map(|nic| nic.address) {
        let network = state.blueprint.networks.iter().find(|network| network.subnet.contains(&address));
        let prefix = network.map_or(24, |network| network.subnet.prefix_len());
        addresses.push(format!("{address}/{prefix}"));
        gateways.extend(network.map(|network| network.subnet.addr().to_string()));
    }
    let links: Vec<Value> = machine
        .nics
        .iter()
        .enumerate()
        .map(|(index, nic)| {
            json!({
                "linux_name": format!("eth{index}"),
                "hardware_address": nic.mac.to_string(),
                "speed_mbps": 10_000,
                "link_up": machine.on,
                "description": "Virtio network device",
            })
        })
        .collect();
    json!({
        "hostname": machine.request,
        "addresses": addresses,
        "default_gateways": gateways,
        "network_links": links,
    })
}

fn class_data(state: &State, request: &str) -> ClassData {
    let request = state.omni.store.find(kinds::MACHINE_REQUESTS, request);
    let text = request.and_then(|request| request.spec.get("provider_data")?.as_str()).unwrap_or_default();
    ClassData::parse(text)
}

/// `MachineSetNodes` of a class-based set: as many as wanted; surplus ones go, the oldest first.
fn nodes(state: &mut State, now: Duration, set: &Resource, joined: &[(Key, Machine)]) {
    let Some((_, count)) = allocation(set) else { return };
    let id = &set.metadata.id;
    let stamp = state.stamp(now);
    let mut existing: Vec<_> = snapshot(state, kinds::MACHINE_SET_NODES)
        .into_iter()
        .filter(|node| label_of(node, label::MACHINE_SET) == Some(id))
        .collect();
    let mut running = existing.iter().filter(|node| wanted(node)).count();
    for (_, machine) in joined {
        let request = state.omni.store.find(kinds::MACHINE_REQUESTS, &machine.request);
        let ours = request.is_some_and(|r| wanted(r) && label_of(r, label::REQUEST_SET) == Some(id));
        if !ours || running >= count || existing.iter().any(|node| node.metadata.id == machine.uuid) {
            continue;
        }
        let mut labels = set_labels(set);
        labels.insert(label::MANAGED_NODE.to_owned(), String::new());
        let store = &mut state.omni.store;
        store.put(&stamp, "", kinds::MACHINE_SET_NODES, &machine.uuid, labels, json!({}));
        store.hold(&stamp, kinds::MACHINE_SET_NODES, &machine.uuid, "MachineSetNodeController");
        running += 1;
    }
    existing.retain(|node| wanted(node));
    existing.sort_by_key(|node| {
        let connected = find_machine(state, &node.metadata.id).is_some_and(|(_, machine)| machine.connected);
        (connected, node.metadata.created.clone(), node.metadata.id.clone())
    });
    for node in existing.iter().take(running.saturating_sub(count)) {
        let kind = kinds::MACHINE_SET_NODES;
        drop(state.omni.store.tear_down(&stamp, kind.name, kind.namespace, &node.metadata.id));
    }
}

/// A node whose machine is there becomes a cluster machine and gets its configuration.
fn cluster_machine(state: &mut State, now: Duration, node: &Resource) {
    let id = &node.metadata.id;
    let Some((key, machine)) = find_machine(state, id) else { return };
    if !machine.joined || machine.evicted {
        return;
    }
    let key = key.clone();
    let cluster = label_of(node, label::CLUSTER).unwrap_or_default();
    let Some(cluster) = state.omni.store.find(kinds::CLUSTERS, cluster).filter(|c| wanted(c)) else { return };
    let version = cluster.spec.get("kubernetes_version").cloned().unwrap_or_default();
    let stamp = state.stamp(now);
    let owner = "MachineSetStatusController";
    let spec = json!({"kubernetes_version": version});
    let store = &mut state.omni.store;
    store.put(&stamp, owner, kinds::CLUSTER_MACHINES, id, set_labels_of(node), spec);
    store.hold(&stamp, kinds::CLUSTER_MACHINES, id, "ClusterMachineStatusController");
    guest::configure(state, now, &key);
}

/// `ClusterMachineStatuses` and, once the installed system is up, `ClusterMachineIdentities`.
fn cluster_machine_status(state: &mut State, now: Duration, member: &Resource) {
    let id = &member.metadata.id;
    let Some((key, machine)) = find_machine(state, id) else { return };
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
    spec.insert("management_address".to_owned(), json!(management_address(id)));
    spec.insert("config_apply_status".to_owned(), json!(if up_to_date { 2 } else { 1 }));
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
    state.omni.store.put(&stamp, owner, kind, id, labels, Value::Object(spec));
    if matches!(machine.stage, Stage::Configuring | Stage::Running) {
        identity(state, &stamp, member, &machine);
    }
}

fn identity(state: &mut State, stamp: &str, member: &Resource, machine: &Machine) {
    let ips: Vec<String> =
        machine.nics.iter().filter_map(|nic| nic.address).map(|ip| ip.to_string()).collect();
    let spec = json!({"node_identity": machine.uuid, "nodename": machine.request, "node_ips": ips});
    let owner = "ClusterMachineIdentityController";
    let mut labels = set_labels_of(member);
    labels.remove(label::MACHINE_SET);
    state.omni.store.put(stamp, owner, kinds::CLUSTER_MACHINE_IDENTITIES, &machine.uuid, labels, spec);
}

/// Running, a node that is Ready, and the GPU it was promised.
fn is_ready(state: &State, member: &Resource, machine: &Machine) -> bool {
    let cluster = label_of(member, label::CLUSTER).unwrap_or_default();
    machine.stage == Stage::Running
        && machine.connected
        && node_ready(state, cluster, machine)
        && (!machine.devices.is_empty() || !needs_gpu(state, member, machine))
}

/// Whether the Kubernetes node of a machine is Ready: it runs and has a CNI.
pub(super) fn node_ready(state: &State, cluster: &str, machine: &Machine) -> bool {
    let installed = state.omni.cni_installed.contains(cluster);
    machine.stage == Stage::Running
        && machine.connected
        && (installed || !(state.faults.no_cni || without_cni(state, cluster)))
}

/// Whether a patch of the cluster sets CNI `none`.
fn without_cni(state: &State, cluster: &str) -> bool {
    state
        .omni
        .store
        .all(kinds::CONFIG_PATCHES)
        .filter(|patch| label_of(patch, label::CLUSTER) == Some(cluster))
        .any(|patch| {
            let key = (patch.metadata.id.clone(), patch.metadata.version);
            state.omni.patches_without_cni.get(&key).copied().unwrap_or_else(|| sets_cni_none(patch))
        })
}

/// Remembers which patches set CNI `none`, so that they are parsed once.
pub(super) fn remember_patches(state: &mut State) {
    let fresh: Vec<_> = state
        .omni
        .store
        .all(kinds::CONFIG_PATCHES)
        .filter(|patch| {
            let key = (patch.metadata.id.clone(), patch.metadata.version);
            !state.omni.patches_without_cni.contains_key(&key)
        })
        .map(|patch| ((patch.metadata.id.clone(), patch.metadata.version), sets_cni_none(patch)))
        .collect();
    state.omni.patches_without_cni.extend(fresh);
}

fn sets_cni_none(patch: &Resource) -> bool {
    let text = patch.spec.get("data").and_then(Value::as_str).unwrap_or_default();
    if !text.contains("cni") {
        return false;
    }
    text.split("\n---").any(|document| {
        let document: Value = serde_yaml::from_str(document).unwrap_or(Value::Null);
        document.pointer("/cluster/network/cni/name").and_then(Value::as_str) == Some("none")
    })
}

/// Whether the request was promised a device, or the set's own extensions hold a GPU driver.
fn needs_gpu(state: &State, member: &Resource, machine: &Machine) -> bool {
    if !class_data(state, &machine.request).hostpci.is_empty() {
        return true;
    }
    let set = label_of(member, label::MACHINE_SET);
    state.omni.store.all(kinds::EXTENSIONS_CONFIGURATIONS).any(|config| {
        let of_set = set.is_some() && label_of(config, label::MACHINE_SET) == set;
        let list = config.spec.get("extensions").and_then(Value::as_array);
        of_set && list.into_iter().flatten().filter_map(Value::as_str).any(is_gpu_driver)
    })
}

fn is_gpu_driver(extension: &str) -> bool {
    let name = extension.rsplit('/').next().unwrap_or(extension);
    matches!(name, "i915" | "i915-ucode" | "xe" | "amdgpu" | "amdgpu-firmware")
        || name.starts_with("nvidia-")
        || name.starts_with("nonfree-kmod-nvidia")
}

/// Takes zero values out of an object, as protojson does.
fn drop_zeroes(spec: &mut Value) {
    let Value::Object(fields) = spec else { return };
    fields.retain(|_, value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::Array(items) => !items.is_empty(),
        Value::Bool(true) | Value::Object(_) => true,
    });
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
    if let Some(machine) = state.machines.values_mut().find(|machine| machine.uuid == uuid) {
        machine.evicted = true;
    }
}
