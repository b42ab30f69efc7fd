//! From a recorded request to the call of the client that makes it, and what its answer must decode to.

use std::time::Duration;

use api_transport::Clock as _;
use proxmox_client::{Client, ConfigChange, Error, MapEntry, PciMapping, TaskQuery, Upid};
use serde_json::Value;

use crate::recording::{Params, Recording};
use crate::{Setup, reads};

/// Stands in where a recorded write came without the digest that the client insists on.
pub(crate) const NO_DIGEST: &str = "0000000000000000000000000000000000000000";

/// Makes the call that was recorded and checks what came back. `None` when the client has no such call.
pub(crate) async fn make(setup: &Setup, recording: &Recording) -> Option<Result<(), Error>> {
    let client = &setup.client;
    let path: Vec<&str> = recording.path.iter().map(String::as_str).collect();
    let ["api2", "json", path @ ..] = path.as_slice() else {
        return None;
    };
    let params = &recording.meant()?;
    match (recording.method.as_str(), path) {
        ("POST", ["access", "ticket"]) => log_in(setup, recording, params).await,
        ("GET", ["nodes", node, "qemu", vmid, rest @ ..]) if params.is_empty() => {
            read_vm(client, recording, node, vmid.parse().ok()?, rest).await
        }
        (method, ["nodes", node, "qemu", vmid, "config"]) => {
            write_config(
                client,
                recording,
                params,
                method,
                (node, vmid.parse().ok()?),
            )
            .await
        }
        ("POST", ["nodes", node, "qemu", vmid, "status", action]) => {
            power(client, recording, node, vmid.parse().ok()?, action).await
        }
        ("POST", ["nodes", node, "qemu", vmid, "agent", "ping"]) => {
            Some(client.agent_ping(node, vmid.parse().ok()?).await)
        }
        (method, ["nodes", node, "tasks", rest @ ..]) => {
            tasks(client, recording, method, node, rest).await
        }
        (method, ["cluster", "mapping", "pci", rest @ ..])
            if recording.query_fits(&["check-node"]) =>
        {
            mappings(client, recording, method, rest).await
        }
        (method, ["cluster", "ha", rest @ ..]) => {
            reads::high_availability(client, recording, params, method, rest).await
        }
        ("GET", path) if params.is_empty() => match cluster(client, recording, path).await {
            Some(outcome) => Some(outcome),
            None => reads::make(client, recording, path).await,
        },
        _ => None,
    }
}

/// A first call logs in; one an hour later renews the ticket.
async fn log_in(
    setup: &Setup,
    recording: &Recording,
    params: &Params,
) -> Option<Result<(), Error>> {
    if !params.keys().eq(["password", "username"]) {
        return None;
    }
    let (user, password) = recording.login()?;
    let mut outcome = setup.client.version().await;
    if password.starts_with("PVE:") {
        setup.clock.sleep(Duration::from_mins(61)).await;
        outcome = setup.client.version().await;
    }
    assert_eq!(setup.client.identity(), user);
    Some(outcome.map(drop))
}

impl Recording {
    pub(crate) fn query_fits(&self, known: &[&str]) -> bool {
        self.query.keys().all(|key| known.contains(&key.as_str()))
    }
}

pub(crate) fn one<'a>(params: &'a Params, key: &str) -> Option<&'a str> {
    params
        .get(key)
        .and_then(|values| values.first())
        .map(String::as_str)
}

/// What a scalar of an answer reads as.
pub(crate) fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

pub(crate) fn rows(recording: &Recording) -> Vec<Value> {
    recording.data().as_array().cloned().unwrap_or_default()
}

async fn cluster(
    client: &Client,
    recording: &Recording,
    path: &[&str],
) -> Option<Result<(), Error>> {
    let query = &recording.query;
    Some(match path {
        ["version"] => client.version().await.map(|version| {
            assert_eq!(version.version, recording.data()["version"]);
            assert!(version.at_least(9, 2) && version.at_least(8, 4) && !version.at_least(9, 3));
        }),
        ["nodes"] => client.nodes().await.map(|nodes| {
            assert_eq!(nodes.len(), rows(recording).len());
            assert_eq!(
                (nodes[0].name.as_str(), nodes[0].status.as_str()),
                ("pve1", "online")
            );
        }),
        ["cluster", "status"] => client.cluster_status().await.map(|status| {
            assert!(status.quorate && status.name.is_none());
            assert!(status.nodes[0].online && status.nodes[0].local);
        }),
        ["cluster", "resources"] if one(query, "type") == Some("vm") => {
            client.vms().await.map(|vms| check_vms(&vms, recording))
        }
        ["access", "permissions"] => {
            let granted = match one(query, "path") {
                Some(path) => client.permissions(path).await,
                None => client.all_permissions().await,
            };
            granted.map(|granted| {
                let data = recording.data();
                assert_eq!(granted.len(), data.as_object().unwrap().len());
                for (path, privileges) in granted {
                    assert_eq!(
                        privileges.len(),
                        data[&path].as_object().unwrap().len(),
                        "{path}"
                    );
                    assert!(privileges.iter().all(|name| !data[&path][name].is_null()));
                }
            })
        }
        ["nodes", node, "storage"] => client.storages(node).await.map(|storages| {
            let local = &storages[0];
            assert!(local.active && local.enabled && !local.shared && local.kind == "dir");
            assert!(local.content.iter().any(|kind| kind == "iso"));
            assert_eq!(local.total, recording.data()[0]["total"].as_u64());
        }),
        ["nodes", node, "hardware", "pci"] if recording.query_fits(&["pci-class-blacklist"]) => {
            let devices = if query.is_empty() {
                client.pci_devices(node).await
            } else {
                client.pci_devices_of_all_classes(node).await
            };
            devices.map(|devices| check_devices(&devices, recording))
        }
        _ => return None,
    })
}

pub(crate) fn check_vms(vms: &[proxmox_client::VmRow], recording: &Recording) {
    let rows = rows(recording);
    assert_eq!(vms.len(), rows.len());
    for (vm, row) in vms.iter().zip(&rows) {
        assert_eq!(Some(u64::from(vm.vmid)), row["vmid"].as_u64());
        assert_eq!(vm.name.as_deref(), row["name"].as_str());
        assert_eq!(vm.status, row["status"]);
        assert_eq!(vm.lock.as_deref(), row["lock"].as_str());
        assert_eq!(vm.tags.join(";"), row["tags"].as_str().unwrap_or_default());
        assert_eq!(vm.ha_state.as_deref(), row["hastate"].as_str());
        assert!(!vm.template && (row["node"].is_null() || vm.node == row["node"]));
    }
}

fn check_devices(devices: &[proxmox_client::PciDevice], recording: &Recording) {
    let rows = rows(recording);
    assert_eq!(devices.len(), rows.len());
    for (device, row) in devices.iter().zip(&rows) {
        let id = format!("{}:{}", text(&row["vendor"]), text(&row["device"])).replace("0x", "");
        assert_eq!((&device.id, &device.address), (&id, &text(&row["id"])));
        assert_eq!(format!("0x{}", device.class), row["class"]);
        assert_eq!(
            device.iommu_group.map_or(-1, i64::from),
            row["iommugroup"].as_i64().unwrap()
        );
        assert_eq!(device.mdev, row["mdev"] == 1);
        assert_eq!(device.device_name.as_deref(), row["device_name"].as_str());
        assert_eq!(
            device.subsystem_id.is_some(),
            row["subsystem_device"].is_string()
        );
    }
}

async fn read_vm(
    client: &Client,
    recording: &Recording,
    node: &str,
    vmid: u32,
    rest: &[&str],
) -> Option<Result<(), Error>> {
    let data = recording.data();
    Some(match rest {
        ["config"] if recording.query_fits(&["current"]) => {
            let config = if recording.query.is_empty() {
                client.vm_config(node, vmid).await
            } else {
                client.vm_config_current(node, vmid).await
            };
            config.map(|config| check_config(&config, &data))
        }
        ["pending"] => client.pending(node, vmid).await.map(|pending| {
            let rows = rows(recording);
            assert_eq!(pending.len() + 1, rows.len(), "all but the digest");
            for row in &pending {
                let want = rows.iter().find(|want| want["key"] == row.key).unwrap();
                assert_eq!(row.value, want.get("value").map(text));
                assert_eq!(row.pending, want.get("pending").map(text));
                assert_eq!(row.delete, want.get("delete").is_some());
                assert_eq!(row.is_waiting(), row.delete || row.pending.is_some());
            }
        }),
        ["agent", "network-get-interfaces"] => client
            .agent_interfaces(node, vmid)
            .await
            .map(|interfaces| reads::check_interfaces(&interfaces, &data)),
        ["status", "current"] => client.vm_status(node, vmid).await.map(|status| {
            assert_eq!(status.status, data["status"]);
            assert_eq!(status.lock.as_deref(), data["lock"].as_str());
            assert_eq!(status.ha_managed, data["ha"]["managed"] == 1);
            assert_eq!(Some(status.uptime), data["uptime"].as_u64());
        }),
        _ => return None,
    })
}

fn check_config(config: &proxmox_client::VmConfig, data: &Value) {
    let options = data.as_object().unwrap();
    assert_eq!(config.digest, data["digest"]);
    assert_eq!(config.values.len() + 1, options.len());
    for (key, value) in &config.values {
        assert_eq!(value, &text(&options[key]), "{key}");
    }
    let uuid = config.uuid().unwrap();
    assert!(text(&data["smbios1"]).to_lowercase().contains(&uuid) && uuid.len() == 36);
    let mac = config.mac("net0").unwrap();
    assert!(text(&data["net0"]).to_lowercase().contains(&mac) && mac.len() == 17);
    assert_eq!(config.is_q35(), text(&data["machine"]).contains("q35"));
    assert_eq!(config.lock(), data["lock"].as_str());
    assert_eq!(config.name(), data["name"].as_str());
    let devices = options
        .keys()
        .filter(|key| key.starts_with("hostpci"))
        .count();
    assert_eq!(config.hostpci().len(), devices);
    for (slot, device) in config.hostpci() {
        let written = text(&data[format!("hostpci{slot}")]);
        assert_eq!(
            device.pcie,
            written.contains("pcie=1") || written.contains("pcie=true")
        );
        assert!(
            device.mapping.is_some() != device.host.is_some(),
            "{written}"
        );
    }
}

async fn write_config(
    client: &Client,
    recording: &Recording,
    params: &Params,
    method: &str,
    (node, vmid): (&str, u32),
) -> Option<Result<(), Error>> {
    let digest = one(params, "digest").unwrap_or(NO_DIGEST);
    let mut change = ConfigChange::new();
    let options: Vec<(&str, &str)> = params
        .keys()
        .filter(|key| *key != "digest")
        .map(|key| (key.as_str(), one(params, key).unwrap_or_default()))
        .collect();
    match (method, options.as_slice()) {
        ("PUT", [("delete", key)]) => {
            return Some(client.delete_config(node, vmid, key, digest).await);
        }
        ("PUT", [("revert", key)]) if !key.contains(',') => {
            return Some(client.revert_config(node, vmid, key).await);
        }
        ("PUT", [(key, value)]) if *key != "revert" => {
            return Some(client.set_config(node, vmid, key, value, digest).await);
        }
        _ => {}
    }
    for (key, value) in options {
        change = match key {
            "delete" => value.split(',').fold(change, ConfigChange::delete),
            "revert" => value.split(',').fold(change, ConfigChange::revert),
            key => change.set(key, value),
        };
    }
    Some(match method {
        "PUT" => client.update_config(node, vmid, &change, digest).await,
        "POST" => {
            let task = client.update_config_task(node, vmid, &change, digest).await;
            task.map(|upid| {
                assert_eq!(
                    (upid.as_str(), upid.kind()),
                    (text(&recording.data()).as_str(), "qmconfig")
                );
            })
        }
        _ => return None,
    })
}

async fn power(
    client: &Client,
    recording: &Recording,
    node: &str,
    vmid: u32,
    action: &str,
) -> Option<Result<(), Error>> {
    let params = recording.params.as_ref()?;
    let timeout = one(params, "timeout").map(|text| Duration::from_secs(text.parse().unwrap()));
    let forced = one(params, "forceStop").is_some();
    let upid = match (action, timeout) {
        ("start", None) => client.start(node, vmid).await,
        ("shutdown", Some(timeout)) if forced => client.shutdown_or_stop(node, vmid, timeout).await,
        ("shutdown", Some(timeout)) => client.shutdown(node, vmid, timeout).await,
        ("stop", timeout) => client.stop(node, vmid, timeout).await,
        ("reboot", timeout) => client.reboot(node, vmid, timeout).await,
        ("reset", None) => client.reset(node, vmid).await,
        _ => return None,
    };
    Some(upid.map(|upid| {
        assert_eq!(upid.as_str(), recording.data());
        assert_eq!((upid.node(), upid.vmid()), (node, Some(vmid)));
        assert_eq!(upid.is_ha_request(), recording.name.starts_with("ha"));
    }))
}

async fn tasks(
    client: &Client,
    recording: &Recording,
    method: &str,
    node: &str,
    rest: &[&str],
) -> Option<Result<(), Error>> {
    let query = &recording.query;
    let data = recording.data();
    if let ("GET", []) = (method, rest) {
        let query = TaskQuery {
            vmid: one(query, "vmid").map(|text| text.parse().unwrap()),
            limit: one(query, "limit").map(|text| text.parse().unwrap()),
            running_too: one(query, "source") == Some("all"),
            only_failed: one(query, "errors") == Some("1"),
            status: one(query, "statusfilter").map(str::to_owned),
        };
        return Some(client.tasks(node, &query).await.map(|tasks| {
            assert_eq!(tasks.len(), rows(recording).len());
            for task in &tasks {
                let row = rows(recording)
                    .into_iter()
                    .find(|row| row["upid"] == task.upid.as_str())
                    .unwrap();
                assert_eq!(task.exit_status.as_deref(), row["status"].as_str());
            }
            assert!(tasks.is_sorted_by_key(|task| std::cmp::Reverse(task.start_time)));
        }));
    }
    let upid = Upid::parse(rest.first()?).ok()?;
    assert_eq!(upid.node(), node);
    Some(match (method, &rest[1..]) {
        ("GET", ["status"]) => client.task(&upid).await.map(|task| {
            assert_eq!((&task.upid, task.kind.as_str()), (&upid, upid.kind()));
            assert_eq!(task.is_running(), data["status"] == "running");
            assert_eq!(
                task.exit_status.as_deref(),
                data["exitstatus"].as_str().map(str::trim)
            );
            let exit = data["exitstatus"].as_str().unwrap_or_default();
            assert_eq!(task.is_success(), exit == "OK" || exit == "WARNINGS: 1");
        }),
        ("GET", ["log"]) => {
            let number = |key: &str| one(query, key).unwrap().parse::<u32>().unwrap();
            client
                .task_log(&upid, number("start"), number("limit"))
                .await
                .map(|log| {
                    let lines: Vec<String> = rows(recording)
                        .iter()
                        .map(|line| text(&line["t"]))
                        .collect();
                    assert_eq!(log.lines, lines);
                    assert_eq!(log.total, u64::from(number("start")) + lines.len() as u64);
                    assert!(log.lines.last().unwrap().starts_with("TASK "));
                })
        }
        ("DELETE", []) => client.stop_task(&upid).await,
        _ => return None,
    })
}

async fn mappings(
    client: &Client,
    recording: &Recording,
    method: &str,
    rest: &[&str],
) -> Option<Result<(), Error>> {
    let params = recording.params.as_ref()?;
    let sent = |id: &str| PciMapping {
        id: id.to_owned(),
        map: params
            .get("map")
            .into_iter()
            .flatten()
            .map(|entry| MapEntry::parse(entry))
            .collect(),
        description: one(params, "description").map(str::to_owned),
        digest: Some(one(params, "digest").unwrap_or(NO_DIGEST).to_owned()),
        ..PciMapping::default()
    };
    let written = |mapping: &PciMapping, row: &Value| {
        let entries: Vec<String> = mapping.map.iter().map(ToString::to_string).collect();
        assert_eq!(Value::from(entries), row["map"]);
        assert_eq!(mapping.description.as_deref(), row["description"].as_str());
        assert_eq!(mapping.digest.as_deref(), row["digest"].as_str());
        let checks = row["checks"].as_array().map_or(0, Vec::len);
        assert_eq!(mapping.checks.len(), checks);
    };
    Some(match (method, rest) {
        ("GET", []) => client
            .pci_mappings(one(&recording.query, "check-node"))
            .await
            .map(|mappings| {
                let rows = rows(recording);
                assert_eq!(mappings.len(), rows.len());
                for (mapping, row) in mappings.iter().zip(&rows) {
                    assert_eq!(mapping.id, row["id"]);
                    written(mapping, row);
                    let bad = row["checks"].to_string().contains("\"error\"");
                    assert_eq!(mapping.errors().next().is_some(), bad);
                }
            }),
        ("GET", [id]) => client.pci_mapping(id).await.map(|mapping| match mapping {
            Some(mapping) => {
                assert_eq!(mapping.id, *id);
                assert!(mapping.covers_node("pve1") && !mapping.covers_node("pve9"));
                written(&mapping, &recording.data());
            }
            None => assert_eq!(recording.status, 500),
        }),
        ("POST", []) => client.create_pci_mapping(&sent(one(params, "id")?)).await,
        ("PUT", [id]) => client.update_pci_mapping(&sent(id)).await,
        ("DELETE", [id]) if params.is_empty() => client.delete_pci_mapping(id).await,
        _ => return None,
    })
}
