//! Every recorded exchange with a real Proxmox VE, sent to the simulated one in the order it was recorded.
#![allow(clippy::unwrap_used)] // helpers of tests stop like tests

// Counts are written past the test harness, which hides what passing tests print.
use std::io::Write as _;

mod lab;
mod replay;

use std::time::Duration;

use http::Method;
use lab::{Lab, Recorded, read};
use proxmox_client::{GuestAddress, GuestInterface};
use replay::{Rules, differences, recordings};
use serde_json::{Value, json};

/// How many exchanges are replayed. May only grow.
const AT_LEAST: usize = 314;

/// Exchanges that are not replayed, by number, each range with its reason.
const LEFT_OUT: &[(u32, u32, &str)] = &[
    (25, 25, "processor, kernel and load of the recorded host"),
    (51, 51, "contents of storages are not kept"),
    (60, 60, "types of mediated devices are not kept"),
    (63, 63, "a file was missing in the lab"),
    (90, 90, "QEMU's list of machine versions"),
    (200, 201, "a kernel module was missing in the lab"),
    (250, 251, "a program was missing in the lab"),
    (253, 254, "a program was missing in the lab"),
    (257, 257, "a second node that never reported"),
    (266, 266, "lists tasks of steps that are left out"),
    (268, 269, "lists tasks of steps that are left out"),
    (273, 273, "log of a task that failed in the lab only"),
    (
        285,
        285,
        "which keys a refused write of several leaves behind is random",
    ),
    (324, 325, "recorded without the credentials that were sent"),
    (338, 338, "users and tokens are not made over the API"),
];

const RULES: Rules = Rules {
    volatile: &[
        "pid",
        "pstart",
        "starttime",
        "endtime",
        "uptime",
        "cpu",
        "mem",
        "disk",
        "used",
        "avail",
        "total",
        "used_fraction",
        "ssl_fingerprint",
        "saved",
    ],
    optional: &[
        "subsystem_vendor_name",
        "subsystem_device_name",
        "statistics",
    ],
    more_keys: false,
    chosen: is_chosen,
};

/// UPIDs, digests, generated hardware addresses, tickets and what goes with them.
fn is_chosen(text: &str) -> bool {
    let hex = |text: &str| text.chars().all(|c| c.is_ascii_hexdigit());
    (text.starts_with("UPID:") && text.len() > 30)
        || text.starts_with("PVE:")
        || (text.len() == 52 && text.find(':') == Some(8) && hex(&text[..8]))
        || (text.len() == 40 && hex(text))
        || (text.len() == 36 && text.matches('-').count() == 4 && hex(&text.replace('-', "")))
}

#[allow(clippy::too_many_lines)] // a table
/// What was done to the lab between two recorded exchanges.
async fn before(lab: &mut Lab, record: &Recorded) {
    let config = |vmid: u32| format!("/nodes/pve1/qemu/{vmid}/config");
    match record.number {
        1 => {
            let vm = json!({
                "vmid": 100, "name": "talos-gpu-workers-7x2kq", "smbios1": "uuid=0b7a3c1e-5d0f-4c67-9a1e-2f6f1f0d9a01",
                "cdrom": "local:iso/7f1c0a52d2b0.iso", "cpu": "x86-64-v2-AES", "cores": 2, "sockets": 1, "memory": 2048,
                "scsi0": "local:1", "scsihw": "virtio-scsi-single", "onboot": 1, "agent": "enabled=true",
                "net0": "virtio,bridge=vmbr0,firewall=1", "tags": "machine-request.talos-gpu-workers", "machine": "q35",
            });
            lab.root(Method::POST, "/nodes/pve1/qemu", &vm.to_string())
                .await;
            lab.root(Method::PUT, &config(100), "description=x").await;
        }
        202 => lab.power(102, "stop", "root@pam!lab").await,
        208 => drop(
            lab.root(Method::PUT, &config(105), "hostpci0=mapping%3Dnosuch")
                .await,
        ),
        211 => {
            let entry = "id=elsewhere&map=node%3Dpve2%2Cpath%3D0000%3A01%3A00.0%2Cid%3D10de%3A2331";
            lab.root(Method::POST, "/cluster/mapping/pci", entry).await;
            lab.root(Method::PUT, &config(105), "hostpci0=mapping%3Delsewhere")
                .await;
        }
        214 => drop(
            lab.root(Method::PUT, &config(105), "hostpci0=mapping%3Dstale")
                .await,
        ),
        217 => {
            let entry = "id=nic&map=node%3Dpve1%2Cpath%3D0000%3A65%3A00.0%2Cid%3D15b3%3A101b%2Csubsystem-id%3D15b3%3A0006%2Ciommugroup%3D17";
            lab.root(Method::POST, "/cluster/mapping/pci", entry).await;
            lab.root(Method::PUT, &config(105), "hostpci0=mapping%3Dnic")
                .await;
            lab.world
                .act(|state, _| state.faults.vfio_bind_fails = true);
        }
        220 => lab
            .world
            .act(|state, _| state.faults.vfio_bind_fails = false),
        230 => lab.power(102, "start", "toolkit@pve!boot").await,
        232 => {
            lab.power(102, "stop", "toolkit@pve!boot").await;
            // Until the next broadcast.
            lab.clock.by(Duration::from_secs(10));
            lab.cluster(|cluster, _| cluster.lock_by_hand(101, Some("backup")));
        }
        260 => lab.cluster(|cluster, _| {
            cluster.set_unreachable("pve2", Some((595, "Network is unreachable")));
        }),
        261 => lab.cluster(|cluster, _| {
            cluster.set_unreachable("pve2", Some((595, "Connection refused")));
        }),
        262 => lab.cluster(|cluster, _| {
            let text = "error:0A000086:SSL routines::certificate verify failed";
            cluster.set_unreachable("pve2", Some((596, text)));
        }),
        265 => lab.cluster(|cluster, _| cluster.set_unreachable("pve2", None)),
        244 => lab.cluster(|cluster, _| cluster.lock_by_hand(101, None)),
        274 => {
            lab.power(101, "start", "root@pam!lab").await;
            let answer = lab
                .call(
                    Method::POST,
                    "/nodes/pve1/qemu/101/status/shutdown",
                    "timeout=60",
                    "toolkit@pve!boot",
                )
                .await;
            lab.meets(record, &answer);
        }
        284 => drop(lab.root(Method::PUT, &config(105), "delete=hostpci0").await),
        286 => drop(
            lab.root(
                Method::PUT,
                &config(105),
                "revert=hostpci0,hostpci1,hostpci2,hostpci3",
            )
            .await,
        ),
        304 => lab.cluster(|cluster, _| {
            cluster.set_by_hand(
                105,
                "smbios1",
                "base64=1,serial=YWJj,uuid=0B7A3C1E-5D0F-4C67-9A1E-2F6F1F0D9A05",
            );
        }),
        309 => {
            lab.root(
                Method::PUT,
                &config(104),
                "bios=ovmf&hostpci0=mapping%3Dl40s%2Cpcie%3D1&delete=agent",
            )
            .await;
        }
        314 => lab.cluster(|cluster, _| {
            let interface = |name: &str, mac: &str, addresses: &[(&str, u8)]| GuestInterface {
                name: name.to_owned(),
                mac: Some(mac.to_owned()),
                addresses: addresses
                    .iter()
                    .map(|(address, prefix)| GuestAddress {
                        address: address.parse().unwrap(),
                        prefix: *prefix,
                    })
                    .collect(),
            };
            let loopback = [("127.0.0.1", 8), ("::1", 128)];
            let nic = [("192.0.2.77", 24), ("fe80::be24:11ff:fe00:1", 64)];
            let interfaces = vec![
                interface("lo", "00:00:00:00:00:00", &loopback),
                interface("eth0", "bc:24:11:f4:34:e6", &nic),
                interface("bond0", "2e:7c:0d:11:22:33", &[]),
            ];
            cluster.agent_by_hand(101, interfaces);
        }),
        330 => lab.log_in_as(record, "root@pam", "labpass-root").await,
        331 => lab.cluster(|cluster, _| cluster.set_by_hand(105, "hostpci5", "0000:66:00.0")),
        334 => {
            let changes = "machine=q35&smbios1=uuid%3D0b7a3c1e-5d0f-4c67-9a1e-2f6f1f0d9a05&delete=net1,description,hostpci0";
            lab.root(Method::PUT, &config(105), changes).await;
            lab.cluster(|cluster, _| cluster.set_by_hand(105, "hostpci5", ""));
        }
        340 => {
            let upid =
                lab.cluster(|cluster, now| cluster.stop_vm(now, 105, Duration::from_millis(300)));
            lab.settle();
            lab.meets(record, &json!({ "data": upid.unwrap() }));
        }
        _ => {}
    }
}

/// Replays one exchange; the differences found.
async fn replay_one(lab: &mut Lab, record: &Recorded) -> Vec<String> {
    before(lab, record).await;
    let waits = record
        .answer
        .as_ref()
        .is_some_and(|answer| answer["data"]["status"] != "running");
    if record.target.contains("/tasks/UPID") && waits {
        lab.settle();
    }
    let headers: Vec<(String, String)> = record
        .headers
        .iter()
        .map(|(key, value)| (key.clone(), lab.pairs.translate(value)))
        .collect();
    let target = lab.pairs.translate(&record.target);
    let body = lab.pairs.translate(&record.body);
    let response = lab
        .send(record.method.clone(), &target, &headers, &body)
        .await;
    if record.method == Method::POST && record.target.ends_with("/qemu") {
        lab.settle();
    }
    let mut found = Vec::new();
    let reason = response.reason.clone().unwrap_or_else(|| {
        let known = http::StatusCode::from_u16(response.status).ok();
        known
            .and_then(|status| status.canonical_reason())
            .unwrap_or_default()
            .to_owned()
    });
    if (response.status, reason.as_str()) != (record.status, record.reason.as_str()) {
        found.push(format!(
            "{} {reason}, recorded {} {}",
            response.status, record.status, record.reason
        ));
    }
    let text = String::from_utf8_lossy(&response.body);
    match (&record.answer, serde_json::from_str::<Value>(&text)) {
        (Some(theirs), Ok(ours)) => {
            found.extend(differences(theirs, &ours, &RULES, &mut lab.pairs));
        }
        (None, _) if text.trim() == record.text.trim() => {}
        _ => found.push(format!("body {text:?}, recorded {:?}", record.text)),
    }
    found
}

#[tokio::test]
async fn recorded_exchanges_are_answered_as_recorded() {
    for (place, files) in recordings("proxmox") {
        let mut records: Vec<Recorded> = files.iter().map(|path| read(path)).collect();
        records.sort_by_key(|record| record.number);
        let mut lab = Lab::new(&records);
        let (mut replayed, mut wrong) = (0, Vec::new());
        for record in &records {
            let number = record.number;
            if LEFT_OUT
                .iter()
                .any(|(first, last, _)| (*first..=*last).contains(&number))
            {
                continue;
            }
            let found = replay_one(&mut lab, record).await;
            if found.is_empty() {
                replayed += 1;
            } else {
                wrong.push(format!("{}\n    {}", record.name, found.join("\n    ")));
            }
        }
        let _ = writeln!(
            std::io::stderr(),
            "proxmox ({place}): replayed {replayed} of {}",
            records.len()
        );
        assert!(
            wrong.is_empty(),
            "{} differ:\n{}",
            wrong.len(),
            wrong.join("\n")
        );
        assert!(replayed >= AT_LEAST, "{replayed} of at least {AT_LEAST}");
    }
    for (first, last, reason) in LEFT_OUT {
        println!("proxmox: not replayed {first}-{last}: {reason}");
    }
}
