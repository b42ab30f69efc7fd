//! Everything that is not a guest or a task: nodes, hardware, mappings, permissions.

use proxmox_client::PciDevice;
use serde_json::{Map, Value, json};

use super::params::{Kind, Params};
use super::{Call, Reply, Site, lists, not_implemented};
use crate::blueprint::NodeBlueprint;
use crate::world::proxmox::{Caller, Cluster, Refusal, Row};

/// Paths whose privileges are listed when none is asked for.
const LISTED: &[&str] = &[
    "/",
    "/access",
    "/access/groups",
    "/nodes",
    "/pool",
    "/sdn",
    "/storage",
    "/vms",
];

pub(super) fn dispatch(site: &mut Site<'_>, call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let now = site.now;
    let refused = || Refusal::bare(595, "Connection refused");
    let cluster = site
        .state
        .proxmox
        .get_mut(call.provider)
        .ok_or_else(refused)?;
    let Call {
        method,
        path,
        caller,
        params,
        ..
    } = &*call;
    let (method, path) = (method.as_str(), path.as_slice());
    let uptime = now.as_secs();
    let data = match (method, path) {
        ("GET", ["nodes"]) => {
            params.verify(&[])?;
            node_rows(cluster, uptime)
        }
        ("GET", ["nodes", node, "status"]) => node_status(host(cluster, caller, node)?, uptime),
        ("GET", ["nodes", node, "storage"]) => storages(host(cluster, caller, node)?),
        ("GET", ["nodes", node, "network"]) => host(cluster, caller, node).map(|_| json!([]))?,
        ("GET", ["nodes", node, "hardware", "pci"]) => hardware(cluster, caller, params, node)?,
        ("GET", ["cluster", "resources"]) => {
            params.verify(&[("type", Kind::OneOf(&["vm", "storage", "node", "sdn"]))])?;
            resources(cluster, caller, params.get("type").as_deref(), now)
        }
        ("GET", ["cluster", "status"]) => cluster_status(cluster),
        ("GET", ["cluster", "nextid"]) => next_id(cluster, params)?,
        ("GET", ["cluster", "options"]) => options(cluster),
        (_, ["cluster", "ha", ..]) => return lists::high_availability(cluster, call),
        (_, ["cluster", "mapping", "pci", ..]) => return lists::mappings(cluster, call),
        ("GET", ["access", "permissions"]) => {
            params.verify(&[("path", Kind::Text), ("userid", Kind::Text)])?;
            permissions(caller, params.get("path").as_deref())
        }
        _ => return Err(not_implemented(call)),
    };
    Ok(Reply::Data(data))
}

pub(super) fn host<'a>(
    cluster: &'a Cluster,
    caller: &Caller,
    node: &str,
) -> Result<&'a NodeBlueprint, Refusal> {
    caller.require(&format!("/nodes/{node}"), &["Sys.Audit"])?;
    cluster.reach(node)
}

fn node_rows(cluster: &Cluster, uptime: u64) -> Value {
    let row = |node: &NodeBlueprint| {
        let mut row = node_row(node, uptime);
        row["status"] = json!(online(cluster, &node.name));
        row
    };
    cluster.hosts().iter().map(row).collect()
}

fn online(cluster: &Cluster, node: &str) -> &'static str {
    if cluster.is_reachable(node) {
        "online"
    } else {
        "offline"
    }
}

fn node_row(node: &NodeBlueprint, uptime: u64) -> Value {
    json!({
        "id": format!("node/{}", node.name),
        "node": node.name,
        "type": "node",
        "status": "online",
        "level": "",
        "ssl_fingerprint": fingerprint(&node.name),
        "maxmem": node.memory_mib * 1024 * 1024,
        "mem": 2_000_000_000_u64,
        "maxcpu": 2,
        "cpu": 0,
        "maxdisk": 270_553_174_016_u64,
        "disk": 28_053_135_360_u64,
        "uptime": uptime,
    })
}

/// Made up from the name: nothing here shows a certificate under it.
fn fingerprint(name: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, name.as_bytes());
    let pairs: Vec<String> = digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    pairs.join(":")
}

fn node_status(node: &NodeBlueprint, uptime: u64) -> Value {
    let total = node.memory_mib * 1024 * 1024;
    json!({
        "uptime": uptime,
        "pveversion": "pve-manager/9.2.11/14a22df3",
        "memory": { "total": total, "used": total / 8, "free": total - total / 8, "available": total - total / 8 },
        "cpu": 0,
        "wait": 0,
        "loadavg": ["0.10", "0.10", "0.10"],
    })
}

fn storages(node: &NodeBlueprint) -> Value {
    let row = |name: &String| {
        json!({
            "storage": name,
            "type": "dir",
            "content": "vztmpl,images,rootdir,iso,import,snippets",
            "active": 1,
            "enabled": 1,
            "shared": 0,
            "total": 270_553_174_016_u64,
            "used": 28_115_574_784_u64,
            "avail": 69_677_719_552_u64,
            "used_fraction": 0.104,
        })
    };
    node.storages.iter().map(row).collect()
}

fn hardware(
    cluster: &Cluster,
    caller: &Caller,
    params: &Params,
    node: &str,
) -> Result<Value, Refusal> {
    params.verify(&[("verbose", Kind::Flag), ("pci-class-blacklist", Kind::Text)])?;
    let hidden = params
        .get("pci-class-blacklist")
        .unwrap_or_else(|| "05;06;0b".to_owned());
    let hidden: Vec<&str> = hidden
        .split([',', ';', ' '])
        .filter(|class| !class.is_empty())
        .collect();
    let verbose = params.get("verbose").is_none_or(|value| value == "1");
    let devices = cluster.pci_devices(caller, node)?.iter();
    let shown =
        devices.filter(|device| !hidden.iter().any(|class| device.class.starts_with(class)));
    Ok(shown.map(|device| device_row(device, verbose)).collect())
}

fn device_row(device: &PciDevice, verbose: bool) -> Value {
    let (vendor, id) = device.id.split_once(':').unwrap_or((&device.id, ""));
    let mut fields = json!({
        "id": device.address,
        "class": format!("0x{}", device.class),
        "vendor": format!("0x{vendor}"),
        "device": format!("0x{id}"),
        "iommugroup": device.iommu_group.map_or(-1, i64::from),
    });
    if device.mdev {
        fields["mdev"] = json!(1);
    }
    if verbose {
        if let Some((vendor, id)) = device
            .subsystem_id
            .as_deref()
            .and_then(|id| id.split_once(':'))
        {
            fields["subsystem_vendor"] = json!(format!("0x{vendor}"));
            fields["subsystem_device"] = json!(format!("0x{id}"));
        }
        for (key, name) in [
            ("vendor_name", &device.vendor_name),
            ("device_name", &device.device_name),
        ] {
            if let Some(name) = name {
                fields[key] = json!(name);
            }
        }
    }
    fields
}

fn resources(
    cluster: &mut Cluster,
    caller: &Caller,
    kind: Option<&str>,
    now: std::time::Duration,
) -> Value {
    let mut rows = Vec::new();
    if kind.is_none_or(|kind| kind == "vm") {
        let guests = cluster.rows(now, caller);
        rows.extend(guests.iter().map(|row| guest_row(row, row.vm.uptime(now))));
    }
    if kind.is_none_or(|kind| kind == "node") {
        for node in cluster.hosts() {
            let mut row = node_row(node, now.as_secs());
            row["status"] = json!(online(cluster, &node.name));
            if let Value::Object(fields) = &mut row {
                fields.remove("ssl_fingerprint");
                fields.insert("cgroup-mode".to_owned(), json!(2));
            }
            rows.push(row);
        }
    }
    if kind.is_none_or(|kind| kind == "storage") {
        for (node, storage) in cluster
            .hosts()
            .iter()
            .flat_map(|node| node.storages.iter().map(move |s| (node, s)))
        {
            rows.push(json!({
                "id": format!("storage/{}/{storage}", node.name),
                "type": "storage",
                "status": "available",
                "plugintype": "dir",
                "storage": storage,
                "node": node.name,
                "shared": 0,
                "content": "images,import,rootdir,iso,snippets,vztmpl",
                "disk": 28_055_945_216_u64,
                "maxdisk": 270_553_174_016_u64,
            }));
        }
    }
    json!(rows)
}

fn guest_row(row: &Row<'_>, uptime: u64) -> Value {
    let vm = row.vm;
    let mut fields = Map::new();
    let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
    put("id", json!(format!("qemu/{}", vm.vmid)));
    put("type", json!("qemu"));
    put("vmid", json!(vm.vmid));
    put("node", json!(vm.node));
    put(
        "status",
        json!(row.running.map_or("unknown", |running| if running {
            "running"
        } else {
            "stopped"
        })),
    );
    put("template", json!(0));
    for (key, value) in [
        ("name", row.name),
        ("lock", vm.lock.as_deref()),
        ("hastate", vm.ha_state.as_deref()),
    ] {
        if let Some(value) = value {
            put(key, json!(value));
        }
    }
    if vm.config.contains_key("tags") {
        put("tags", json!(vm.tags().join(";")));
    }
    // Numbers come with the broadcast, too.
    if row.running.is_some() {
        put("maxcpu", json!(vm.cpus()));
        put("maxmem", json!(vm.memory()));
        put("maxdisk", json!(vm.disk()));
        put("uptime", json!(uptime));
        for key in [
            "cpu",
            "mem",
            "memhost",
            "disk",
            "netin",
            "netout",
            "diskread",
            "diskwrite",
        ] {
            put(key, json!(0));
        }
    }
    Value::Object(fields)
}

fn cluster_status(cluster: &Cluster) -> Value {
    let nodes = cluster.nodes();
    // A node on its own is no cluster and has the id 0.
    let alone = nodes.len() == 1;
    let mut rows: Vec<Value> = Vec::new();
    if !alone {
        rows.push(json!({
            "type": "cluster", "id": "cluster", "name": "site", "nodes": nodes.len(), "quorate": 1, "version": 1,
        }));
    }
    for (index, name) in nodes.iter().enumerate() {
        rows.push(json!({
            "type": "node",
            "id": format!("node/{name}"),
            "name": name,
            "nodeid": if alone { 0 } else { index + 1 },
            "ip": format!("192.0.2.{}", index + 1),
            "online": u8::from(cluster.is_reachable(name)),
            "local": u8::from(index == 0),
            "level": "",
        }));
    }
    json!(rows)
}

fn next_id(cluster: &Cluster, params: &Params) -> Result<Value, Refusal> {
    params.verify(&[("vmid", Kind::Int)])?;
    match params.number("vmid").and_then(|id| u32::try_from(id).ok()) {
        Some(id) if cluster.vm(id).is_some() => Err(Refusal::parameter(
            "vmid",
            format!("VM {id} already exists"),
        )),
        Some(id) => Ok(json!(id.to_string())),
        None => Ok(json!(cluster.next_id().to_string())),
    }
}

fn options(cluster: &Cluster) -> Value {
    let mut tags: Vec<&str> = cluster
        .vms()
        .values()
        .flat_map(crate::world::proxmox::Vm::tags)
        .collect();
    tags.sort_unstable();
    tags.dedup();
    json!({ "allowed-tags": tags, "mac_prefix": "BC:24:11", "description": "" })
}

/// Privileges by path; the number says that they hold below it, too.
fn permissions(caller: &Caller, path: Option<&str>) -> Value {
    let mut fields = Map::new();
    let paths: Vec<&str> = match path {
        Some(path) => vec![path],
        None => LISTED
            .iter()
            .copied()
            .chain(caller.granted_paths())
            .collect(),
    };
    for path in paths {
        let held: Map<String, Value> = caller
            .privileges(path)
            .into_iter()
            .map(|name| (name, json!(1)))
            .collect();
        if !held.is_empty() {
            fields.insert(path.to_owned(), Value::Object(held));
        }
    }
    Value::Object(fields)
}
