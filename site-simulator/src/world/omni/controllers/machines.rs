//! `Links`, `Machines` and `MachineStatuses`: what Omni knows of a machine by itself.

use std::time::Duration;

use omni_client::Resource;
use serde_json::{Value, json};

use super::{label, label_of};
use crate::world::State;
use crate::world::machine::{Key, Machine};
use crate::world::omni::kinds;
use crate::world::omni::store::Labels;
use crate::world::provider::ClassData;

/// `Links`, `Machines` and `MachineStatuses` of a machine.
pub(super) fn machine_resources(state: &mut State, now: Duration, key: &Key, machine: &Machine) {
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
    store.put(
        &stamp,
        "MachineController",
        kinds::MACHINES,
        id,
        labels,
        spec,
    );
    let (labels, spec) = machine_status(state, machine, origin);
    state.omni.store.put(
        &stamp,
        "MachineStatusController",
        kinds::MACHINE_STATUSES,
        id,
        labels,
        spec,
    );
}

/// An address in SideroLink's range, made from the machine's id.
pub(super) fn management_address(uuid: &str) -> String {
    let hex: String = uuid.chars().filter(char::is_ascii_hexdigit).collect();
    let group = |at: usize| {
        hex.get(at..at + 4)
            .unwrap_or("0")
            .trim_start_matches('0')
            .to_owned()
    };
    let part = |at: usize| {
        let group = group(at);
        if group.is_empty() {
            "0".to_owned()
        } else {
            group
        }
    };
    format!(
        "fdae:41e4:649b:9303:{}:{}:{}:{}",
        part(0),
        part(4),
        part(8),
        part(12)
    )
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
    let member = state
        .omni
        .store
        .find(kinds::CLUSTER_MACHINES, &machine.uuid);
    let cluster = member
        .and_then(|member| label_of(member, label::CLUSTER))
        .unwrap_or_default();
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
    let booted = version;
    let version = if machine.talos.is_empty() {
        booted
    } else {
        machine.talos.as_str()
    };
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
        "initial_talos_version": format!("v{booted}"),
        "power_state": if machine.on { 2 } else { 3 },
        "security_state": {},
        "talos_version_name": "Talos",
    });
    drop_zeroes(&mut spec);
    let mut labels = origin;
    let mut mark =
        |name: &str, value: String| drop(labels.insert(format!("omni.sidero.dev/{name}"), value));
    mark("arch", "amd64".to_owned());
    mark("cores", data.cores.to_string());
    mark("mem", format!("{}GiB", data.memory_mib / 1024));
    mark("platform", "nocloud".to_owned());
    mark("talos-version", format!("v{version}"));
    mark("no-manual-allocation", String::new());
    mark("reporting-events", String::new());
    mark(
        if machine.connected {
            "connected"
        } else {
            "disconnected"
        },
        String::new(),
    );
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

pub(super) fn set_labels_of(member: &Resource) -> Labels {
    let keys = [
        label::CLUSTER,
        label::MACHINE_SET,
        label::CONTROL_PLANE,
        label::WORKER,
    ];
    keys.iter()
        .filter_map(|key| {
            member
                .metadata
                .labels
                .get(*key)
                .map(|value| ((*key).to_owned(), value.clone()))
        })
        .collect()
}

fn network(state: &State, machine: &Machine) -> Value {
    let mut addresses = Vec::new();
    let mut gateways = Vec::new();
    for address in machine.nics.iter().filter_map(|nic| nic.address) {
        let network = state
            .blueprint
            .networks
            .iter()
            .find(|network| network.subnet.contains(&address));
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

pub(super) fn class_data(state: &State, request: &str) -> ClassData {
    let request = state.omni.store.find(kinds::MACHINE_REQUESTS, request);
    let text = request
        .and_then(|request| request.spec.get("provider_data")?.as_str())
        .unwrap_or_default();
    ClassData::parse(text)
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
