//! `…/qemu`: lists, configurations, power.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use proxmox_client::{GuestAddress, GuestInterface, Pending};
use serde_json::{Map, Value, json};

use super::params::{Kind, Params};
use super::{Call, Reply, Site, not_implemented};
use crate::World;
use crate::in_memory::proxmox::write_config;
use crate::world::State;
use crate::world::proxmox::{Refusal, Vm, Write, is_number};

/// How long a shutdown waits when nobody says.
const SHUTDOWN_TIMEOUT: u64 = 60;

/// The node and VM of a configuration write, if the call is one.
pub(super) fn config_write(call: &Call<'_>) -> Result<Option<(String, u32)>, Refusal> {
    match (call.method.as_str(), call.path.as_slice()) {
        ("PUT" | "POST", ["nodes", node, "qemu", vmid, "config"]) => {
            Ok(Some(((*node).to_owned(), vmid_of(vmid)?)))
        }
        _ => Ok(None),
    }
}

/// Writes a configuration; a POST answers with the task it made.
pub(super) async fn write(
    world: &Arc<World>,
    call: &mut Call<'_>,
    node: &str,
    vmid: u32,
) -> Result<Reply, Refusal> {
    call.params
        .agree(&[("node", node), ("vmid", &vmid.to_string())])?;
    let write = change_of(&call.params)?;
    write_config(world, call.provider, &call.caller, node, vmid, &write).await?;
    if call.method == Method::PUT {
        return Ok(Reply::Data(Value::Null));
    }
    world.act(|state, now| {
        let cluster = state.proxmox.get_mut(call.provider);
        let upid =
            cluster.map(|cluster| cluster.config_task(now, &call.caller, node, vmid, &write));
        Ok(Reply::Data(json!(upid)))
    })
}

fn change_of(params: &Params) -> Result<Write, Refusal> {
    let mut write = Write::default();
    let words = |value: String| {
        value
            .split([',', ';', ' '])
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    for (key, value) in params.pairs() {
        match key {
            "delete" => write.delete = words(value),
            "revert" => write.revert = words(value),
            "digest" if value.len() > 40 => {
                return Err(Refusal::parameter(
                    "digest",
                    "value may only be 40 characters long",
                ));
            }
            "digest" => write.digest = Some(value),
            "skiplock" => write.skiplock = value == "1",
            "force" | "background_delay" => {}
            _ => write.set.push((key.to_owned(), value)),
        }
    }
    Ok(write)
}

fn vmid_of(text: &str) -> Result<u32, Refusal> {
    text.parse().map_err(|_| {
        Refusal::parameter(
            "vmid",
            format!("type check ('integer') failed - got '{text}'"),
        )
    })
}

pub(super) fn dispatch(site: &mut Site<'_>, call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let path: Vec<String> = call.path.iter().map(|part| (*part).to_owned()).collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["nodes", node, "qemu"] => list_or_create(site, call, node),
        ["nodes", node, "qemu", vmid, rest @ ..] => {
            let id = vmid_of(vmid)?;
            call.params.agree(&[("node", node), ("vmid", vmid)])?;
            match (call.method.as_str(), rest) {
                ("GET", rest) => read(site, call, (node, id), rest),
                ("POST", ["status", verb]) => power(site, call, (node, id), verb),
                ("POST", ["agent", "ping"]) => agent(site, call, (node, id), "ping"),
                ("DELETE", []) => {
                    let State { proxmox, .. } = &mut *site.state;
                    let cluster = proxmox
                        .get_mut(call.provider)
                        .ok_or_else(|| not_implemented(call))?;
                    let upid = cluster.destroy_for(site.now, &call.caller, node, id)?;
                    Ok(Reply::Data(json!(upid)))
                }
                _ => Err(not_implemented(call)),
            }
        }
        _ => Err(not_implemented(call)),
    }
}

fn list_or_create(site: &mut Site<'_>, call: &mut Call<'_>, node: &str) -> Result<Reply, Refusal> {
    let State { proxmox, rng, .. } = &mut *site.state;
    let cluster = proxmox
        .get_mut(call.provider)
        .ok_or_else(|| not_implemented(call))?;
    match call.method.as_str() {
        "GET" => {
            call.params.verify(&[("full", Kind::Flag)])?;
            let full = call.params.is_on("full");
            let rows = cluster
                .rows(site.now, &call.caller)
                .into_iter()
                .filter(|row| row.vm.node == node);
            let rows = rows.map(|row| {
                let mut fields = usage(row.vm, row.vm.uptime(site.now));
                if full {
                    fields.insert("qmpstatus".to_owned(), json!(word(row.vm)));
                }
                Value::Object(fields)
            });
            Ok(Reply::Data(rows.collect()))
        }
        "POST" => {
            let vmid = vmid_of(&call.params.required("vmid")?)?;
            call.params
                .agree(&[("node", node), ("vmid", &vmid.to_string())])?;
            let options = call
                .params
                .pairs()
                .map(|(key, value)| (key.to_owned(), value))
                .collect();
            let upid = cluster.create_for(site.now, rng, &call.caller, node, vmid, options)?;
            Ok(Reply::Data(json!(upid)))
        }
        _ => Err(not_implemented(call)),
    }
}

fn read(
    site: &Site<'_>,
    call: &Call<'_>,
    (node, vmid): (&str, u32),
    rest: &[&str],
) -> Result<Reply, Refusal> {
    let cluster = site
        .state
        .proxmox
        .get(call.provider)
        .ok_or_else(|| not_implemented(call))?;
    let caller = &call.caller;
    match rest {
        ["config"] => {
            call.params
                .verify(&[("current", Kind::Flag), ("snapshot", Kind::Text)])?;
            let current = call.params.is_on("current");
            let (options, digest) = cluster.config(caller, node, vmid, current)?;
            let mut fields: Map<String, Value> = options
                .into_iter()
                .map(|(key, value)| {
                    let shown = option(&key, &value);
                    (key, shown)
                })
                .collect();
            fields.insert("digest".to_owned(), json!(digest));
            Ok(Reply::Data(Value::Object(fields)))
        }
        ["pending"] => {
            call.params.verify(&[])?;
            let rows: Vec<Value> = cluster
                .pending(caller, node, vmid)?
                .iter()
                .map(pending_row)
                .collect();
            Ok(Reply::Data(json!(rows)))
        }
        ["status", "current"] => {
            call.params.verify(&[])?;
            let vm = cluster.look(caller, node, vmid)?;
            Ok(Reply::Data(Value::Object(current(vm, vm.uptime(site.now)))))
        }
        ["agent", command] => agent(site, call, (node, vmid), command),
        _ => Err(not_implemented(call)),
    }
}

/// What the guest agent of a VM answers, where one was set up by hand.
fn agent(
    site: &Site<'_>,
    call: &Call<'_>,
    (node, vmid): (&str, u32),
    command: &str,
) -> Result<Reply, Refusal> {
    let cluster = site
        .state
        .proxmox
        .get(call.provider)
        .ok_or_else(|| not_implemented(call))?;
    let interfaces = cluster.agent(&call.caller, node, vmid)?;
    let result = match command {
        "ping" => json!({}),
        "network-get-interfaces" => interfaces.iter().map(interface).collect(),
        _ => return Err(not_implemented(call)),
    };
    Ok(Reply::Data(json!({ "result": result })))
}

fn interface(interface: &GuestInterface) -> Value {
    let mut fields = json!({ "name": interface.name });
    if let Some(mac) = &interface.mac {
        fields["hardware-address"] = json!(mac);
    }
    let address = |address: &GuestAddress| {
        let kind = if address.address.is_ipv4() {
            "ipv4"
        } else {
            "ipv6"
        };
        json!({
            "ip-address": address.address.to_string(),
            "ip-address-type": kind,
            "prefix": address.prefix,
        })
    };
    if !interface.addresses.is_empty() {
        fields["ip-addresses"] = interface.addresses.iter().map(address).collect();
    }
    fields
}

fn power(
    site: &mut Site<'_>,
    call: &Call<'_>,
    at: (&str, u32),
    verb: &str,
) -> Result<Reply, Refusal> {
    call.params.verify(&[
        ("timeout", Kind::Int),
        ("forceStop", Kind::Flag),
        ("keepActive", Kind::Flag),
        ("skiplock", Kind::Flag),
        ("overrule-shutdown", Kind::Flag),
    ])?;
    let State { proxmox, rng, .. } = &mut *site.state;
    let cluster = proxmox
        .get_mut(call.provider)
        .ok_or_else(|| not_implemented(call))?;
    let timeout = Duration::from_secs(call.params.number("timeout").unwrap_or(SHUTDOWN_TIMEOUT));
    let (node, vmid) = at;
    let (now, caller) = (site.now, &call.caller);
    let upid = match verb {
        "start" => cluster.start_for(now, rng, caller, node, vmid)?,
        "stop" => cluster.stop_for(now, caller, node, vmid)?,
        "shutdown" => {
            cluster.shutdown_for(now, caller, at, timeout, call.params.is_on("forceStop"))?
        }
        "reboot" => cluster.reboot_for(now, rng, caller, at, timeout)?,
        "reset" => cluster.reset_for(now, caller, node, vmid)?,
        _ => return Err(not_implemented(call)),
    };
    Ok(Reply::Data(json!(upid)))
}

/// Numbers and flags as numbers, all else as text.
fn option(key: &str, value: &str) -> Value {
    match value.parse::<i64>() {
        Ok(number) if is_number(key) => json!(number),
        _ => json!(value),
    }
}

fn pending_row(row: &Pending) -> Value {
    let mut fields = Map::new();
    fields.insert("key".to_owned(), json!(row.key));
    for (name, value) in [("value", &row.value), ("pending", &row.pending)] {
        if let Some(value) = value {
            fields.insert(name.to_owned(), option(&row.key, value));
        }
    }
    if row.delete {
        fields.insert("delete".to_owned(), json!(1));
    }
    Value::Object(fields)
}

fn word(vm: &Vm) -> &'static str {
    if vm.running { "running" } else { "stopped" }
}

fn usage(vm: &Vm, uptime: u64) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
    put("vmid", json!(vm.vmid));
    put("status", json!(word(vm)));
    put(
        "name",
        json!(
            vm.config
                .get("name")
                .cloned()
                .unwrap_or_else(|| format!("VM {}", vm.vmid))
        ),
    );
    put("cpus", json!(vm.cpus()));
    put("maxmem", json!(vm.memory()));
    put("maxdisk", json!(vm.disk()));
    put("uptime", json!(uptime));
    for key in ["cpu", "mem", "memhost", "disk", "netin", "netout"] {
        put(key, json!(0));
    }
    if vm.config.contains_key("tags") {
        put("tags", json!(vm.tags().join(";")));
    }
    if let Some(lock) = &vm.lock {
        put("lock", json!(lock));
    }
    fields
}

fn current(vm: &Vm, uptime: u64) -> Map<String, Value> {
    let mut fields = usage(vm, uptime);
    fields.insert("qmpstatus".to_owned(), json!(word(vm)));
    if vm.config.contains_key("agent") {
        fields.insert("agent".to_owned(), json!(1));
    }
    let ha = match &vm.ha_state {
        // The manager has not reported a state of its own.
        Some(_) => json!({ "managed": 1, "state": null }),
        None => json!({ "managed": 0 }),
    };
    fields.insert("ha".to_owned(), ha);
    if vm.running {
        fields.insert("pid".to_owned(), json!(1000 + vm.vmid));
        for kind in ["cpu", "io", "memory"] {
            for share in ["some", "full"] {
                fields.insert(format!("pressure{kind}{share}"), json!(0));
            }
        }
    }
    fields
}
