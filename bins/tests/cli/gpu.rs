//! `proxmox-gpu` against a simulated cluster of two nodes with devices, mappings and VMs of all kinds.

use std::time::Duration;

use proxmox_client::{HostPci, PciDevice};
use serde_json::Value;
use site_simulator::Faults;
use site_simulator::world::proxmox::{Caller, Cluster, CreateVm, Mapping, everywhere};
use tokio::process::Command;

use crate::harness::{Finished, Loopback, run};

const PROVIDER: &str = "proxmox";

fn device(address: &str, class: &str, id: &str, group: Option<u32>, name: &str) -> PciDevice {
    PciDevice {
        address: address.to_owned(),
        class: class.to_owned(),
        id: id.to_owned(),
        subsystem_id: Some("10de:1626".to_owned()),
        iommu_group: group,
        vendor_name: Some("NVIDIA Corporation".to_owned()),
        device_name: Some(name.to_owned()),
        mdev: false,
    }
}

fn entry(node: &str, device: &PciDevice) -> String {
    proxmox_client::MapEntry::for_device(node, device.address.clone(), device).to_string()
}

/// A site with devices, mappings and VMs in its Proxmox cluster.
pub(crate) struct Lab(pub(crate) Loopback);

impl Lab {
    pub(crate) async fn open() -> Self {
        let hardware = [
            device("0000:00:1c.0", "060400", "8086:a340", Some(13), "Bridge"),
            device(
                "0000:01:00.0",
                "030200",
                "10de:2331",
                Some(13),
                "GH100 [H100 PCIe]",
            ),
            device(
                "0000:02:00.0",
                "030200",
                "10de:26b9",
                Some(14),
                "AD102GL [L40S]",
            ),
            device(
                "0000:03:00.0",
                "030200",
                "10de:26b9",
                Some(15),
                "AD102GL [L40S]",
            ),
            device(
                "0000:41:00.0",
                "030000",
                "10de:2204",
                Some(16),
                "GA102 [GeForce RTX 3090]",
            ),
            device(
                "0000:41:00.1",
                "040300",
                "10de:1aef",
                Some(16),
                "GA102 Audio",
            ),
            device("0000:66:00.0", "120000", "1000:0097", None, "Accelerator"),
        ];
        let nodes = hardware.clone();
        let loopback = Loopback::open(3, 20.0, Faults::default(), move |_, blueprint| {
            for node in &mut blueprint.providers[0].nodes {
                node.pci = if node.name == "pve-1" {
                    nodes.to_vec()
                } else {
                    Vec::new()
                };
            }
        })
        .await;
        let lab = Self(loopback);
        let mapping = |devices: &[&PciDevice]| Mapping {
            map: devices
                .iter()
                .map(|device| entry("pve-1", device))
                .collect(),
            description: None,
            mdev: false,
        };
        let mut stale = mapping(&[&hardware[4]]);
        stale.map[0] = stale.map[0].replace("iommugroup=16", "iommugroup=99");
        lab.cluster(|cluster| {
            let root = Caller::root();
            for (id, mapping) in [
                ("h100", mapping(&[&hardware[1]])),
                ("l40s", mapping(&[&hardware[2], &hardware[3]])),
                ("stale", stale),
                ("card", mapping(&[&hardware[6]])),
            ] {
                cluster
                    .create_mapping(&root, id, mapping)
                    .expect("the lab is set up");
            }
        });
        for (vmid, name, node, machine) in [
            (101, "worker-1", "pve-1", Some("q35")),
            (102, "worker-2", "pve-1", Some("q35")),
            (103, "twin", "pve-1", None),
            (104, "twin", "pve-2", None),
            (105, "101", "pve-1", None),
        ] {
            lab.vm(vmid, name, node, machine);
        }
        lab.settle().await;
        lab
    }

    fn cluster<T>(&self, f: impl FnOnce(&mut Cluster) -> T) -> T {
        self.0
            .world
            .act(|state, _| f(state.proxmox.get_mut(PROVIDER).expect("the lab is set up")))
    }

    fn vm(&self, vmid: u32, name: &str, node: &str, machine: Option<&str>) {
        let vm = CreateVm {
            node: node.to_owned(),
            vmid,
            name: name.to_owned(),
            uuid: format!("0b7a3c1e-5d0f-4c67-9a1e-2f6f1f0d9{vmid}"),
            machine: machine.map(str::to_owned),
            bridges: vec![("vmbr0".to_owned(), None)],
            cores: 2,
            sockets: 1,
            memory_mib: 2048,
            disk_gb: 10,
            storage: "local-lvm".to_owned(),
            iso: "local:iso/x.iso".to_owned(),
            ..CreateVm::default()
        };
        self.0.world.act(|state, now| {
            let cluster = state.proxmox.get_mut(PROVIDER).expect("the lab is set up");
            cluster
                .create_vm(now, &mut state.rng, vm, Duration::from_millis(10))
                .expect("the lab is set up");
        });
    }

    fn start(&self, vmid: u32) {
        self.0.world.act(|state, now| {
            let cluster = state.proxmox.get_mut(PROVIDER).expect("the lab is set up");
            cluster
                .start_vm(now, vmid, Duration::from_millis(10), false)
                .expect("the lab is set up");
        });
    }

    /// The second worker runs with one of two alike.
    pub(crate) async fn with_a_running_vm(&self) {
        self.cluster(|cluster| cluster.set_by_hand(102, "hostpci0", "mapping=l40s,pcie=1"));
        self.start(102);
        self.settle().await;
    }

    /// Past the next broadcast of the nodes.
    async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(900)).await;
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_proxmox-gpu"));
        command
            .env_clear()
            .kill_on_drop(true)
            .current_dir(self.0.directory.path())
            .args(arguments)
            .env("PROXMOX_VE_ENDPOINT", &self.0.doors.proxmox[PROVIDER])
            .env(
                "PROXMOX_VE_TLS_SHA256",
                self.0.doors.fingerprints["proxmox:proxmox"].to_string(),
            )
            .env(
                "PROXMOX_VE_API_TOKEN",
                &self.0.world.credentials().proxmox_token,
            );
        command
    }

    async fn run(&self, arguments: &[&str]) -> Finished {
        run(self.command(arguments)).await
    }

    /// Runs and gives everything printed, with the code in front.
    async fn shown(&self, arguments: &[&str]) -> String {
        let finished = self.run(arguments).await;
        format!(
            "exit {}\n{}{}",
            finished.code.unwrap_or(-1),
            finished.stdout,
            finished.stderr
        )
    }

    fn hostpci(&self, vmid: u32) -> Vec<HostPci> {
        self.cluster(|cluster| {
            let config = &cluster.vm(vmid).expect("the lab is set up").config;
            let devices = config.iter().filter(|(key, _)| key.starts_with("hostpci"));
            devices.map(|(_, text)| HostPci::parse(text)).collect()
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_and_mappings_are_listed() {
    let lab = Lab::open().await;
    lab.cluster(|cluster| {
        cluster.set_by_hand(101, "hostpci0", "mapping=l40s,pcie=1");
        cluster.set_by_hand(103, "hostpci0", "0000:41:00");
    });
    insta::assert_snapshot!(lab.shown(&["list"]).await, @r#"
    exit 0
    NODE   ADDRESS       KIND         ID         NAME                                         GROUP  SHARED WITH   MAPPING  USED BY
    pve-1  0000:01:00.0  3d           10de:2331  NVIDIA Corporation GH100 [H100 PCIe]         13     -             h100     -
    pve-1  0000:02:00.0  3d           10de:26b9  NVIDIA Corporation AD102GL [L40S]            14     -             l40s     worker-1 101 (stopped, 1 of 2)
    pve-1  0000:03:00.0  3d           10de:26b9  NVIDIA Corporation AD102GL [L40S]            15     -             l40s     worker-1 101 (stopped, 1 of 2)
    pve-1  0000:41:00.0  vga          10de:2204  NVIDIA Corporation GA102 [GeForce RTX 3090]  16     0000:41:00.1  stale    twin 103 (stopped, by address)
    pve-1  0000:66:00.0  accelerator  1000:0097  NVIDIA Corporation Accelerator               -      -             card     -
    "#);
    insta::assert_snapshot!(lab.shown(&["mappings"]).await, @r#"
    exit 3
    MAPPING  NODE   ADDRESS       ID         GROUP  CHECK                                                                      DESCRIPTION
    card     pve-1  0000:66:00.0  1000:0097  -      fits                                                                       -
    h100     pve-1  0000:01:00.0  10de:2331  13     fits                                                                       -
    l40s     pve-1  0000:02:00.0  10de:26b9  14     fits                                                                       -
    l40s     pve-1  0000:03:00.0  10de:26b9  15     fits                                                                       -
    stale    pve-1  0000:41:00.0  10de:2204  99     Invalid configuration: 'iommugroup' does not match for 'stale' (16 != 99)  -
    "#);
    let all = lab.run(&["ls", "--all", "-o", "json"]).await;
    let rows: Value = serde_json::from_str(&all.stdout).expect("one document");
    assert_eq!(rows.as_array().expect("the lab is set up").len(), 7);
    insta::assert_snapshot!(serde_json::to_string_pretty(&rows[5]).expect("the lab is set up"), @r#"
    {
      "node": "pve-1",
      "address": "0000:41:00.1",
      "kind": "040300",
      "id": "10de:1aef",
      "vendor": "NVIDIA Corporation",
      "name": "GA102 Audio",
      "iommu_group": 16,
      "shares_group_with": [
        "0000:41:00.0"
      ],
      "mappings": [],
      "users": [
        {
          "vmid": 103,
          "name": "twin",
          "option": "hostpci0",
          "by": {
            "address": "0000:41:00"
          },
          "running": false,
          "state": "applied",
          "one_of": 1
        }
      ]
    }
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_attached_once_and_taken_away_once() {
    let lab = Lab::open().await;
    let attach = ["attach", "worker-1", "--mapping", "h100"];
    insta::assert_snapshot!(lab.shown(&[&attach[..], &["--dry-run"]].concat()).await, @r#"
    exit 0
    + hostpci0 (mapping=h100,pcie=1) would be attached to worker-1 (101)
    "#);
    assert!(lab.hostpci(101).is_empty());
    insta::assert_snapshot!(lab.shown(&attach).await, @r#"
    exit 0
    + hostpci0 (mapping=h100,pcie=1) attached to worker-1 (101)
    "#);
    assert_eq!(lab.hostpci(101).len(), 1);
    let written = lab.0.written();
    insta::assert_snapshot!(lab.shown(&attach).await, @r#"
    exit 0
      hostpci0 (mapping=h100,pcie=1) is already attached to worker-1 (101)
    "#);
    let by_device = [
        "attach",
        "0b7a3c1e-5d0f-4c67-9a1e-2f6f1f0d9101",
        "--device",
        "pve-1:01:00.0",
    ];
    insta::assert_snapshot!(lab.shown(&[&by_device[..], &["-o", "json"]].concat()).await, @r#"
    exit 0
    {
      "vm": {
        "vmid": 101,
        "name": "worker-1",
        "uuid": "0b7a3c1e-5d0f-4c67-9a1e-2f6f1f0d9101",
        "node": "pve-1"
      },
      "option": "hostpci0",
      "value": "mapping=h100,pcie=1",
      "change": "none",
      "restart_needed": false
    }
    "#);
    assert_eq!(lab.0.written(), written, "twice changes nothing");

    let detach = ["detach", "worker-1", "--mapping", "h100"];
    insta::assert_snapshot!(lab.shown(&[&detach[..], &["--dry-run"]].concat()).await, @r#"
    exit 0
    - hostpci0 (mapping=h100,pcie=1) would be detached from worker-1 (101)
    "#);
    insta::assert_snapshot!(lab.shown(&detach).await, @r#"
    exit 0
    - hostpci0 (mapping=h100,pcie=1) detached from worker-1 (101)
    "#);
    assert!(lab.hostpci(101).is_empty());
    let written = lab.0.written();
    insta::assert_snapshot!(lab.shown(&detach).await, @r#"
    exit 0
      the device is not attached to worker-1 (101)
    "#);
    assert_eq!(lab.0.written(), written, "twice changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vm_that_runs_waits_for_a_restart() {
    let lab = Lab::open().await;
    lab.start(102);
    lab.settle().await;
    let attach = ["attach", "102", "--mapping", "l40s"];
    insta::assert_snapshot!(lab.shown(&attach).await, @r#"
    exit 5
    error: worker-2 (102) runs
     |
     = hint: shut it down first, or give --pending: then it counts after the next stop and start
    "#);
    let attach = [&attach[..], &["--pending"]].concat();
    insta::assert_snapshot!(lab.shown(&attach).await, @r#"
    exit 0
    + hostpci0 (mapping=l40s,pcie=1) attached to worker-2 (102); it counts after the VM is stopped and started
    "#);
    insta::assert_snapshot!(lab.shown(&attach).await, @r#"
    exit 0
      hostpci0 (mapping=l40s,pcie=1) is already attached to worker-2 (102); it counts after the VM is stopped and started
    "#);
    let list = lab.run(&["list"]).await;
    assert!(
        list.stdout
            .contains("worker-2 102 (running, pending, 1 of 2)"),
        "{}",
        list.stdout
    );
    // It is taken back before it ever counted.
    let detach = ["detach", "102", "--slot", "0", "--pending"];
    insta::assert_snapshot!(lab.shown(&detach).await, @r#"
    exit 0
    - hostpci0 (mapping=l40s,pcie=1) detached from worker-2 (102)
    "#);
    insta::assert_snapshot!(lab.shown(&detach).await, @r#"
    exit 0
      the device is not attached to worker-2 (102)
    "#);

    // One that counts goes with the next stop.
    lab.cluster(|cluster| cluster.set_by_hand(101, "hostpci2", "mapping=h100,pcie=1"));
    lab.start(101);
    lab.settle().await;
    let detach = ["detach", "worker-1", "--mapping", "h100", "--pending"];
    insta::assert_snapshot!(lab.shown(&detach[..4]).await, @r#"
    exit 5
    error: worker-1 (101) runs
     |
     = hint: shut it down first, or give --pending: then it counts after the next stop and start
    "#);
    insta::assert_snapshot!(lab.shown(&detach).await, @r#"
    exit 0
    - hostpci2 (mapping=h100,pcie=1) detached from worker-1 (101); it counts after the VM is stopped and started
    "#);
    insta::assert_snapshot!(lab.shown(&detach).await, @r#"
    exit 0
      hostpci2 (mapping=h100,pcie=1) is already being detached from worker-1 (101); it counts after the VM is stopped and started
    "#);
    let list = lab.run(&["list"]).await;
    assert!(
        list.stdout.contains("worker-1 101 (running, leaving)"),
        "{}",
        list.stdout
    );
    let busy = lab.run(&["attach", "103", "--mapping", "h100"]).await;
    assert_eq!(busy.code, Some(5), "{}", busy.printed());
    let says = "in use by worker-1 (101)";
    assert!(busy.stderr.contains(says), "{}", busy.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_not_start_is_refused() {
    let lab = Lab::open().await;
    lab.cluster(|cluster| {
        cluster.set_by_hand(102, "hostpci0", "mapping=h100,pcie=1");
        cluster.set_by_hand(103, "hostpci1", "0000:41:00");
    });
    let written = lab.0.written();
    for (arguments, code, says) in [
        (
            &["attach", "worker-1", "--mapping", "h100"][..],
            5,
            "in use by worker-2 (102)",
        ),
        (
            &["attach", "worker-1", "--mapping", "stale"],
            5,
            "'iommugroup' does not match",
        ),
        (
            &["attach", "worker-1", "--mapping", "nosuch"],
            5,
            "there is no mapping `nosuch`",
        ),
        (
            &["attach", "worker-1", "--mapping", "card"],
            5,
            "0000:66:00.0 of pve-1 is in no IOMMU group",
        ),
        (
            &["attach", "103", "--mapping", "l40s", "--pcie", "always"],
            5,
            "not of machine type q35",
        ),
        (
            &["attach", "104", "--mapping", "h100"],
            5,
            "the mapping has no entry for it",
        ),
        (
            &["attach", "104", "--device", "pve-1:01:00.0"],
            5,
            "the device is on pve-1, the VM on pve-2",
        ),
        (
            &["attach", "worker-1", "--device", "pve-1:02:00.0"],
            5,
            "the mapping l40s alone",
        ),
        (
            &["attach", "worker-1", "--device", "pve-1:07:00.0"],
            5,
            "no mapping has an entry",
        ),
        (
            &["attach", "twin", "--mapping", "l40s"],
            5,
            "twin (103) on pve-1, 0b7a3c1e-5d0f-4c67-9a1e-2f6f1f0d9103; twin (104) on pve-2",
        ),
        (
            &["attach", "101", "--mapping", "l40s"],
            5,
            "`101` means several VMs",
        ),
        (
            &["attach", "nobody", "--mapping", "l40s"],
            5,
            "there is no VM `nobody`",
        ),
        (
            &["detach", "103", "--slot", "1"],
            5,
            "by its address 0000:41:00",
        ),
        (&["attach", "worker-1"], 64, "--mapping <NAME>"),
        (
            &[
                "attach",
                "worker-1",
                "--mapping",
                "a",
                "--device",
                "b:01:00",
            ],
            64,
            "cannot be used with",
        ),
        (
            &["attach", "worker-1", "--device", "pve-1"],
            64,
            "pve1:0000:41:00.0",
        ),
        (&["detach", "worker-1", "--slot", "16"], 64, "0..16"),
        (
            &["list", "-f", "bootstrap.yaml", "--endpoint", "x"],
            64,
            "cannot be used with",
        ),
    ] {
        let finished = lab.run(arguments).await;
        assert_eq!(
            finished.code,
            Some(code),
            "{arguments:?}: {}",
            finished.printed()
        );
        assert!(
            finished.stderr.contains(says),
            "{arguments:?}: {}",
            finished.stderr
        );
        assert_eq!(finished.stdout, "", "{arguments:?}");
    }
    assert_eq!(lab.0.written(), written, "nothing was written");
    let refused = async |says: &str| {
        let finished = lab.run(&["attach", "worker-1", "--mapping", "l40s"]).await;
        assert_eq!(finished.code, Some(5), "{}", finished.printed());
        assert!(finished.stderr.contains(says), "{}", finished.stderr);
    };
    lab.cluster(|cluster| cluster.lock_by_hand(101, Some("backup")));
    refused("it is locked (backup)").await;
    lab.cluster(|cluster| {
        cluster.lock_by_hand(101, None);
        cluster.ha_add(&Caller::root(), 101, "started")
    })
    .expect("the lab is set up");
    refused("managed by Proxmox HA").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_iommu_group_goes_to_one_vm() {
    let lab = Lab::open().await;
    let audio = device("0000:41:00.1", "040300", "10de:1aef", Some(16), "Audio");
    let card = device("0000:41:00.0", "030000", "10de:2204", Some(16), "Card");
    lab.cluster(|cluster| {
        for (id, device) in [("audio", &audio), ("rtx3090", &card)] {
            let mapping = Mapping {
                map: vec![entry("pve-1", device)],
                description: None,
                mdev: false,
            };
            let made = cluster.create_mapping(&Caller::root(), id, mapping);
            made.expect("the lab is set up");
        }
    });
    let attach = async |vm: &str, mapping: &str| {
        let finished = lab.run(&["attach", vm, "--mapping", mapping]).await;
        (finished.code, finished.stderr)
    };
    assert_eq!(attach("worker-2", "audio").await.0, Some(0));
    let (code, says) = attach("worker-1", "rtx3090").await;
    assert_eq!(code, Some(5), "{says}");
    let wanted = "worker-2 (102), which has another device of the IOMMU group of 0000:41:00.0";
    assert!(says.contains(wanted), "{says}");
    // The VM that has one of the group may have the other.
    assert_eq!(attach("worker-2", "rtx3090").await.0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_token_lacks_is_told_before_anything_is_written() {
    let lab = Lab::open().await;
    lab.cluster(|cluster| cluster.set_by_hand(102, "hostpci0", "mapping=l40s"));
    let reader = lab.0.world.credentials().proxmox_readonly_token;
    for (arguments, says) in [
        (
            &["attach", "worker-1", "--mapping", "h100", "--dry-run"][..],
            "VM.Config.HWType on /vms/101 is missing",
        ),
        (
            &["attach", "worker-1", "--mapping", "h100"],
            "VM.Config.HWType on /vms/101 is missing",
        ),
        (
            &["detach", "worker-2", "--slot", "0"],
            "VM.Config.HWType on /vms/102 is missing",
        ),
    ] {
        let mut command = lab.command(arguments);
        command.env("PROXMOX_VE_API_TOKEN", &reader);
        let finished = run(command).await;
        assert_eq!(finished.code, Some(5), "{}", finished.printed());
        assert!(finished.stderr.contains(says), "{}", finished.stderr);
    }
    let mut command = lab.command(&["list"]);
    command.env("PROXMOX_VE_API_TOKEN", &reader);
    let listed = run(command).await;
    assert_eq!(listed.code, Some(0), "{}", listed.printed());
    // One that sees some of the VMs cannot know who has a device.
    let some = "some@pve!vms=00000000-0000-4000-8000-000000000001";
    lab.cluster(|cluster| {
        let mut grants = everywhere(&["Sys.Audit", "Mapping.Use", "Mapping.Audit"]);
        let own = ["VM.Audit", "VM.Config.HWType"].map(str::to_owned);
        grants.insert("/vms/101".to_owned(), own.into());
        cluster.accept_token_with(some, grants);
    });
    for (verb, code, says) in [
        ("list", 0, "who uses a device is not all shown"),
        ("attach", 5, "not all VMs can be seen"),
    ] {
        let arguments = [verb, "worker-1", "--mapping", "h100"];
        let mut command = lab.command(if verb == "list" {
            &arguments[..1]
        } else {
            &arguments
        });
        command.env("PROXMOX_VE_API_TOKEN", some);
        let finished = run(command).await;
        assert_eq!(finished.code, Some(code), "{}", finished.printed());
        assert!(finished.stderr.contains(says), "{}", finished.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_is_never_shown() {
    let lab = Lab::open().await;
    let token = lab.0.world.credentials().proxmox_token;
    let (_, secret) = token.split_once('=').expect("a token");
    for arguments in [
        &["list", "-vvv"][..],
        &["attach", "worker-1", "--mapping", "h100", "-vvv"],
        &["attach", "worker-1", "--mapping", "nosuch", "-vvv"],
        &["list", "-vvv", "--endpoint", "https://127.0.0.1:9"],
    ] {
        let mut command = lab.command(arguments);
        command.env("RUST_LOG", "trace");
        let finished = run(command).await;
        let printed = finished.printed();
        assert!(printed.len() > 1000, "{arguments:?}: {printed}");
        assert!(!printed.contains(secret), "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_is_found_and_told() {
    let lab = Lab::open().await;
    // As the site file names it.
    let mut command = lab.command(&["list", "-f", "bootstrap.yaml"]);
    command.env_remove("PROXMOX_VE_ENDPOINT");
    let finished = run(command).await;
    assert_eq!(finished.code, Some(0), "{}", finished.printed());
    assert!(
        finished.stdout.contains("GH100 [H100 PCIe]"),
        "{}",
        finished.stdout
    );

    let without = |name: &str| {
        let mut command = lab.command(&["list"]);
        command.env_remove(name);
        command
    };
    let with = |name: &str, value: &str| {
        let mut command = lab.command(&["list"]);
        command.env(name, value);
        command
    };
    for (command, code, says) in [
        (without("PROXMOX_VE_ENDPOINT"), 5, "set PROXMOX_VE_ENDPOINT"),
        (without("PROXMOX_VE_API_TOKEN"), 5, "PROXMOX_VE_API_TOKEN"),
        (without("PROXMOX_VE_TLS_SHA256"), 1, "the TLS connection to"),
        (with("PROXMOX_VE_TLS_SHA256", "AB"), 5, "64 hex digits"),
        (with("PROXMOX_VE_ENDPOINT", "ftp://x"), 5, "ftp://x"),
        (
            with("PROXMOX_VE_ENDPOINT", "https://127.0.0.1:9"),
            1,
            "cannot connect",
        ),
        (
            with("PROXMOX_VE_API_TOKEN", "canary"),
            5,
            "user@realm!tokenid=uuid",
        ),
        (
            with(
                "PROXMOX_VE_API_TOKEN",
                "a@pve!b=00000000-0000-4000-8000-000000000000",
            ),
            1,
            "was not accepted",
        ),
        (lab.command(&["list", "-f", "none.yaml"]), 5, "none.yaml"),
        (
            lab.command(&["list", "-f", "bootstrap.yaml", "--provider", "x"]),
            5,
            "there are proxmox",
        ),
    ] {
        let finished = run(command).await;
        assert_eq!(finished.code, Some(code), "{says}: {}", finished.printed());
        assert!(
            finished.stderr.contains(says),
            "{says}: {}",
            finished.stderr
        );
        assert!(
            !finished.printed().contains("canary"),
            "{}",
            finished.printed()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_down_hides_what_it_has_and_no_more() {
    let lab = Lab::open().await;
    lab.cluster(|cluster| cluster.set_unreachable("pve-2", Some((595, "No route to host"))));
    let listed = lab.run(&["list"]).await;
    assert_eq!(listed.code, Some(0), "{}", listed.printed());
    assert!(listed.stdout.contains("H100 PCIe"));
    assert!(
        listed.stderr.contains("pve-2 is not online"),
        "{}",
        listed.stderr
    );
    assert!(
        listed.stderr.contains("VM 104 on pve-2 cannot be read"),
        "{}",
        listed.stderr
    );
    // A VM of another node is nobody's rival.
    let attached = lab.run(&["attach", "worker-1", "--mapping", "h100"]).await;
    assert_eq!(attached.code, Some(0), "{}", attached.printed());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_the_same_time_do_not_both_get_the_last_device() {
    let lab = Lab::open().await;
    for round in 0..4 {
        let (first, second) = tokio::join!(
            run(lab.command(&["attach", "worker-1", "--mapping", "h100"])),
            run(lab.command(&["attach", "worker-2", "--mapping", "h100"])),
        );
        let has = |vmid: u32| !lab.hostpci(vmid).is_empty();
        for (vmid, finished) in [(101, &first), (102, &second)] {
            let done = finished.code == Some(0);
            assert_eq!(done, has(vmid), "{round}: {}", finished.printed());
        }
        assert!(!(has(101) && has(102)), "{round}");
        for vm in ["worker-1", "worker-2"] {
            let detached = lab.run(&["detach", vm, "--mapping", "h100"]).await;
            assert_eq!(detached.code, Some(0), "{}", detached.printed());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_leave_one_device_and_no_more() {
    let lab = Lab::open().await;
    let faults = |share: f64| {
        lab.0.world.act(|state, _| {
            state.faults.lost_answer = share;
            state.faults.reset = share / 2.0;
        });
    };
    for arguments in [
        ["attach", "102", "--mapping", "l40s"],
        ["detach", "102", "--mapping", "l40s"],
    ] {
        faults(0.15);
        let mut tries = 0;
        while lab.run(&arguments).await.code != Some(0) {
            tries += 1;
            assert!(tries < 20, "{arguments:?}");
        }
        faults(0.0);
        let wanted = usize::from(arguments[0] == "attach");
        assert_eq!(lab.hostpci(102).len(), wanted, "{arguments:?}");
    }
}
