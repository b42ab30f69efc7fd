//! Reads beside those of VMs, and the HA manager's list.

use std::net::IpAddr;

use proxmox_client::{Client, Error, GuestInterface, HaState, Resource};
use serde_json::Value;

use crate::calls::{check_vms, one, rows, text};
use crate::recording::{Params, Recording};

pub(crate) async fn make(
    client: &Client,
    recording: &Recording,
    path: &[&str],
) -> Option<Result<(), Error>> {
    let query = &recording.query;
    let data = recording.data();
    let rows = rows(recording);
    Some(match path {
        ["cluster", "resources"] if query.is_empty() => client.resources().await.map(|found| {
            assert_eq!(found.len(), rows.len());
            for (found, row) in found.iter().zip(&rows) {
                match found {
                    Resource::Vm(vm) => assert_eq!(
                        (&row["vmid"], &row["type"]),
                        (&vm.vmid.into(), &"qemu".into())
                    ),
                    Resource::Node(node) => assert_eq!(
                        (&row["node"], &row["status"]),
                        (&node.name.as_str().into(), &node.status.as_str().into())
                    ),
                    Resource::Storage { id, node, .. } => assert_eq!(
                        (&row["id"], &row["node"]),
                        (&id.as_str().into(), &node.as_str().into())
                    ),
                    other => panic!("{other:?}"),
                }
            }
        }),
        ["cluster", "options"] => client.cluster_options().await.map(|options| {
            assert_eq!(options.mac_prefix.as_deref(), data["mac_prefix"].as_str());
            assert_eq!(Value::from(options.allowed_tags), data["allowed-tags"]);
            assert_eq!(options.description, None);
        }),
        ["cluster", "tasks"] => client.cluster_tasks().await.map(|tasks| {
            assert_eq!(tasks.len(), rows.len());
            assert!(tasks.iter().all(|task| !task.is_running()));
        }),
        ["nodes", node, "status"] => client.node_status(node).await.map(|status| {
            assert_eq!(status.pve_version, data["pveversion"]);
            assert_eq!(status.kernel, data["kversion"]);
            assert_eq!(Some(status.uptime), data["uptime"].as_u64());
            assert_eq!(status.cpus, data["cpuinfo"]["cpus"].as_u64());
            assert_eq!(status.memory_total, data["memory"]["total"].as_u64());
            assert_eq!(
                status.memory_available,
                data["memory"]["available"].as_u64()
            );
        }),
        ["nodes", node, "qemu"] if query.is_empty() => client.vms_on(node).await.map(|vms| {
            assert!(vms.iter().all(|vm| vm.node == *node));
            check_vms(&vms, recording);
        }),
        ["nodes", node, "network"] if one(query, "type") == Some("any_bridge") => client
            .bridges(node)
            .await
            .map(|bridges| assert_eq!(bridges.len(), rows.len())),
        ["nodes", node, "capabilities", "qemu", "machines"] => {
            client.machine_types(node).await.map(|machines| {
                assert_eq!(machines.len(), rows.len());
                for (machine, row) in machines.iter().zip(&rows) {
                    assert_eq!(
                        (&row["id"], &row["type"]),
                        (&machine.id.as_str().into(), &machine.kind.as_str().into())
                    );
                    assert_eq!(
                        machine.id,
                        format!("pc-{}-{}", machine.kind, machine.version)
                    );
                }
            })
        }
        ["nodes", node, "storage", storage, "content"] => client
            .volumes(node, storage, one(query, "content"))
            .await
            .map(|volumes| {
                assert_eq!(volumes.len(), rows.len());
                for (volume, row) in volumes.iter().zip(&rows) {
                    assert_eq!(
                        (volume.id.as_str(), volume.content.as_str()),
                        (text(&row["volid"]).as_str(), "iso")
                    );
                    assert_eq!(
                        (volume.size, volume.created),
                        (row["size"].as_u64(), row["ctime"].as_u64())
                    );
                    assert_eq!((volume.format.as_str(), volume.vmid), ("iso", None));
                }
            }),
        ["nodes", node, "hardware", "pci", device, "mdev"] => {
            client.mdev_types(node, device).await.map(|types| {
                assert_eq!(types.len(), rows.len());
                for (mdev, row) in types.iter().zip(&rows) {
                    assert_eq!(
                        (mdev.kind.as_str(), Some(mdev.available)),
                        (text(&row["type"]).as_str(), row["available"].as_u64())
                    );
                    assert_eq!(mdev.description.as_deref(), row["description"].as_str());
                }
            })
        }
        _ => return None,
    })
}

pub(crate) fn check_interfaces(interfaces: &[GuestInterface], data: &Value) {
    let rows = data["result"].as_array().unwrap();
    assert_eq!(interfaces.len(), rows.len());
    for (interface, row) in interfaces.iter().zip(rows) {
        assert_eq!(interface.name, row["name"]);
        assert_eq!(interface.mac.as_deref(), row["hardware-address"].as_str());
        let listed = row["ip-addresses"].as_array().cloned().unwrap_or_default();
        assert_eq!(interface.addresses.len(), listed.len());
        for (found, row) in interface.addresses.iter().zip(&listed) {
            let address: IpAddr = text(&row["ip-address"]).parse().unwrap();
            assert_eq!(
                (found.address, &Value::from(found.prefix)),
                (address, &row["prefix"])
            );
        }
    }
}

pub(crate) async fn high_availability(
    client: &Client,
    recording: &Recording,
    params: &Params,
    method: &str,
    rest: &[&str],
) -> Option<Result<(), Error>> {
    let rows = rows(recording);
    let vmid = |sid: &str| sid.strip_prefix("vm:")?.parse::<u32>().ok();
    let state = |word: &str| match word {
        "started" => HaState::Started,
        other => panic!("{other}"),
    };
    Some(match (method, rest) {
        ("GET", ["resources"]) => client.ha_resources().await.map(|found| {
            assert_eq!(found.len(), rows.len());
            for (found, row) in found.iter().zip(&rows) {
                assert_eq!(
                    (found.id.as_str(), found.state.as_str()),
                    (text(&row["sid"]).as_str(), "started")
                );
                assert_eq!(found.vmid(), vmid(&found.id));
                assert_eq!(found.digest.as_deref(), row["digest"].as_str());
            }
        }),
        ("GET", ["status", "current"]) => client.ha_status().await.map(|found| {
            assert_eq!(found.len(), rows.len());
            for (found, row) in found.iter().zip(&rows) {
                assert_eq!(
                    (found.id.as_str(), found.kind.as_str()),
                    (text(&row["id"]).as_str(), text(&row["type"]).as_str())
                );
                assert_eq!(found.quorate, row["quorate"] == 1);
                assert_eq!(found.status.as_deref(), row["status"].as_str());
            }
        }),
        ("POST", ["resources"]) => {
            let id = vmid(one(params, "sid")?)?;
            client.ha_add(id, one(params, "state").map(state)).await
        }
        ("DELETE", ["resources", sid]) => client.ha_remove(vmid(sid)?).await,
        _ => return None,
    })
}
