//! The world alone, through its in-memory doors, under a paused clock.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use api_transport::{Clock as _, TokioClock};
use bootstrap_core::ports::{Failure, Omni as _};
use omni_client::{Kind, Metadata, Phase, Resource};
use proxmox_client::PciDevice;
use serde_json::{Value, json};
use site_simulator::blueprint::{NetworkBlueprint, NodeBlueprint, ProviderBlueprint};
use site_simulator::in_memory::omni::Omni;
use site_simulator::log::{Entry, Fact};
use site_simulator::report::Expected;
use site_simulator::world::preload::{ByHand, RunningCluster};
use site_simulator::{Blueprint, Faults, World};

fn blueprint() -> Blueprint {
    let node = |name: &str| NodeBlueprint {
        name: name.to_owned(),
        storages: vec!["local".to_owned()],
        memory_mib: 131_072,
        pci: vec![PciDevice {
            address: "0000:03:00.0".to_owned(),
            class: "030000".to_owned(),
            id: "8086:56a6".to_owned(),
            subsystem_id: None,
            iommu_group: Some(17),
            vendor_name: None,
            device_name: None,
            mdev: false,
        }],
    };
    Blueprint {
        omni_name: "omni.home.example".to_owned(),
        omni_address: Ipv4Addr::new(172, 16, 8, 5),
        talos_versions: vec![("1.13.7".to_owned(), vec!["1.36.2".to_owned()])],
        extensions: vec!["siderolabs/xe".to_owned(), "siderolabs/qemu-guest-agent".to_owned()],
        providers: vec![ProviderBlueprint {
            id: "proxmox".to_owned(),
            schema: json!({
                "type": "object",
                "required": ["cores", "memory", "disk_size", "storage_selector"],
                "properties": {"cores": {"type": "integer", "minimum": 1}, "memory": {"type": "integer"}},
            }),
            nodes: vec![node("proxmox"), node("proxmox-1")],
        }],
        networks: vec![NetworkBlueprint {
            name: "infra".to_owned(),
            subnet: "172.16.8.1/24".parse().unwrap(),
            vlan: None,
            dhcp: (Ipv4Addr::new(172, 16, 8, 100), Ipv4Addr::new(172, 16, 8, 200)),
            bridges: vec!["vmbr0".to_owned()],
        }],
        dns_records: vec![("omni.home.example".to_owned(), Ipv4Addr::new(172, 16, 8, 5))],
        upstream: vec!["1.1.1.1".to_owned()],
        strangers: Vec::new(),
    }
}

fn kind(name: &'static str) -> Kind {
    let namespace = match name {
        "MachineRequests" | "MachineRequestStatuses" => "infra-provider",
        _ => "default",
    };
    Kind { namespace: namespace.into(), name: format!("{name}.omni.sidero.dev").into() }
}

fn resource(name: &'static str, id: &str, labels: &[(&str, &str)], spec: Value) -> Resource {
    let kind = kind(name);
    Resource {
        metadata: Metadata {
            namespace: kind.namespace.into_owned(),
            kind: kind.name.into_owned(),
            id: id.to_owned(),
            labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            ..Metadata::default()
        },
        spec,
    }
}

fn class(extra: &str) -> Resource {
    let data = format!("cores: 2\nmemory: 4096\ndisk_size: 20\nstorage_selector: \"true\"\n{extra}");
    let spec = json!({"auto_provision": {"provider_id": "proxmox", "provider_data": data}});
    resource("MachineClasses", "plain", &[], spec)
}

fn set(name: &str, role: &str, count: u32) -> Resource {
    let labels = [("omni.sidero.dev/cluster", "lab"), (role, "")];
    let spec = json!({"update_strategy": 1, "machine_allocation": {"name": "plain", "machine_count": count}});
    resource("MachineSets", &format!("lab-{name}"), &labels, spec)
}

const PLANES: &str = "omni.sidero.dev/role-controlplane";
const WORKERS: &str = "omni.sidero.dev/role-worker";

async fn cluster(omni: &Omni, planes: u32, workers: u32) {
    omni.create(&class("")).await.unwrap();
    let versions = json!({"talos_version": "1.13.7", "kubernetes_version": "1.36.2"});
    omni.create(&resource("Clusters", "lab", &[], versions)).await.unwrap();
    omni.create(&set("control-planes", PLANES, planes)).await.unwrap();
    if workers > 0 {
        omni.create(&set("workers", WORKERS, workers)).await.unwrap();
    }
}

async fn world(seed: u64, faults: Faults) -> (Arc<World>, Omni) {
    let world = World::new(blueprint(), seed, faults, Arc::new(TokioClock::real()));
    tokio::spawn(Arc::clone(&world).run());
    // Long enough for a provider to be seen alive.
    world.clock().sleep(Duration::from_secs(2)).await;
    let omni = Omni::new(Arc::clone(&world));
    (world, omni)
}

/// Waits until a condition on a kind's resources holds; fails after simulated `limit`.
async fn until(
    world: &Arc<World>,
    omni: &Omni,
    name: &'static str,
    limit: u64,
    done: impl Fn(&[Resource]) -> bool,
) -> Vec<Resource> {
    let end = world.now() + Duration::from_secs(limit);
    loop {
        let all = omni.list(&kind(name), None).await.unwrap();
        if done(&all) {
            return all;
        }
        assert!(world.now() < end, "{name} after {limit} s: {all:#?}\n{:#?}", world.log().entries);
        world.clock().sleep(Duration::from_millis(250)).await;
    }
}

fn running(all: &[Resource], count: usize) -> bool {
    all.len() == count && all.iter().all(|r| r.spec["stage"] == 4 && r.spec["ready"] == true)
}

/// Seconds from unlock to the provider's start, by request.
fn windows(log: &[Entry]) -> BTreeMap<String, f64> {
    let mut unlocked = BTreeMap::new();
    let mut windows = BTreeMap::new();
    for entry in log {
        match &entry.fact {
            Fact::VmUnlocked { request, .. } => drop(unlocked.insert(request.clone(), entry.at)),
            Fact::ProviderStarts { request, .. } => {
                let window = entry.at.saturating_sub(unlocked[request]);
                windows.insert(request.clone(), window.as_secs_f64());
            }
            _ => {}
        }
    }
    windows
}

async fn run(seed: u64, planes: u32, workers: u32) -> Vec<Entry> {
    let (world, omni) = world(seed, Faults::default()).await;
    cluster(&omni, planes, workers).await;
    let count = usize::try_from(planes + workers).unwrap();
    until(&world, &omni, "ClusterMachineStatuses", 900, |all| running(all, count)).await;
    let status = until(&world, &omni, "ClusterStatuses", 30, |all| all[0].spec["ready"] == true).await;
    assert_eq!(status[0].spec["phase"], 3);
    assert_eq!(status[0].spec["kubernetesAPIReady"], true);
    let machines = omni.list(&kind("MachineStatuses"), None).await.unwrap();
    for machine in &machines {
        let address = machine.spec["network"]["addresses"][0].as_str().unwrap();
        assert!(address.starts_with("172.16.8."), "{machine:#?}");
    }
    world.log().entries
}

#[tokio::test(start_paused = true)]
async fn from_a_class_to_running_machines() {
    let log = run(7, 3, 3).await;
    let leases: Vec<_> = log.iter().filter(|e| matches!(e.fact, Fact::Leased { .. })).collect();
    assert_eq!(leases.len(), 12, "each machine boots once to install and once installed");
    let windows = windows(&log);
    assert_eq!(windows.len(), 6);
    for (request, window) in windows {
        assert!((2.0..=21.5).contains(&window), "{request} had a window of {window} s");
    }
}

#[tokio::test(start_paused = true)]
async fn windows_depend_on_how_many_are_asked_for() {
    for seed in 0..12 {
        let alone = windows(&run(seed, 1, 0).await);
        assert!(alone.values().all(|w| (11.0..13.8).contains(w)), "alone: {alone:?}");
        let two = windows(&run(seed, 1, 1).await);
        assert!(two.values().all(|w| (1.9..17.0).contains(w)), "two: {two:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_log() {
    let (first, again, other) = (run(3, 1, 1).await, run(3, 1, 1).await, run(4, 1, 1).await);
    assert_eq!(first, again);
    assert_ne!(first, other);
}

#[tokio::test(start_paused = true)]
async fn a_torn_down_request_is_replaced() {
    let (world, omni) = world(1, Faults::default()).await;
    cluster(&omni, 1, 1).await;
    until(&world, &omni, "ClusterMachineStatuses", 900, |all| running(all, 2)).await;
    let before = omni.list(&kind("MachineRequests"), Some("omni.sidero.dev/machine-request-set=lab-workers")).await;
    let old = before.unwrap().remove(0).metadata.id;
    let began = world.now();
    omni.teardown(&kind("MachineRequests"), &old).await.unwrap();
    until(&world, &omni, "MachineRequests", 60, |all| all.iter().all(|r| r.metadata.id != old)).await;
    let took = (world.now() - began).as_secs_f64();
    assert!((11.0..14.0).contains(&took), "deleting one VM took {took} s");
    until(&world, &omni, "ClusterMachineStatuses", 900, |all| running(all, 2)).await;
    assert!(world.log().entries.iter().any(
        |e| matches!(&e.fact, Fact::VmDestroyed { request, .. } if *request == old)
    ));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_goes_workers_first() {
    let (world, omni) = world(2, Faults::default()).await;
    cluster(&omni, 1, 2).await;
    until(&world, &omni, "ClusterMachineStatuses", 900, |all| running(all, 3)).await;
    omni.teardown(&kind("Clusters"), "lab").await.unwrap();
    let phase = until(&world, &omni, "Clusters", 5, |all| all[0].metadata.phase == Phase::TearingDown).await;
    assert!(!phase[0].metadata.finalizers.is_empty());
    until(&world, &omni, "Clusters", 120, <[Resource]>::is_empty).await;
    let log = world.log().entries;
    let order: Vec<_> = log
        .iter()
        .filter_map(|e| match &e.fact {
            Fact::VmDestroyed { request, .. } => Some(request.contains("control-planes")),
            _ => None,
        })
        .collect();
    assert_eq!(order, [false, false, true]);
    for name in ["MachineSets", "MachineRequests", "Machines", "Links", "ClusterMachineStatuses"] {
        assert_eq!(omni.list(&kind(name), None).await.unwrap(), [], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_name_no_join_and_no_cni_no_ready_node() {
    let faults = Faults { dns_not_served: true, ..Faults::default() };
    let (world, omni) = world(5, faults).await;
    cluster(&omni, 1, 0).await;
    world.clock().sleep(Duration::from_secs(300)).await;
    assert_eq!(omni.list(&kind("Machines"), None).await.unwrap(), []);
    world.act(|state, _| {
        state.faults.dns_not_served = false;
        state.faults.no_cni = true;
    });
    let all = until(&world, &omni, "ClusterMachineStatuses", 600, |all| {
        all.len() == 1 && all[0].spec["stage"] == 4
    })
    .await;
    assert_eq!(all[0].spec["config_up_to_date"], true);
    assert_eq!(all[0].spec.get("ready"), None);
    let status = omni.get(&kind("ClusterStatuses"), "lab").await.unwrap().unwrap();
    assert_eq!(status.spec["kubernetesAPIReady"], true);
    assert_eq!(status.spec.get("ready"), None);
}

#[tokio::test(start_paused = true)]
async fn the_window_can_be_fixed() {
    let (world, omni) = world(5, Faults { window_seconds: Some(1.0), ..Faults::default() }).await;
    cluster(&omni, 1, 1).await;
    until(&world, &omni, "ClusterMachineStatuses", 900, |all| running(all, 2)).await;
    for (request, window) in windows(&world.log().entries) {
        assert!((0.99..1.01).contains(&window), "{request}: {window} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_smaller_set_loses_its_oldest_machines() {
    let (world, omni) = world(9, Faults::default()).await;
    cluster(&omni, 1, 3).await;
    until(&world, &omni, "ClusterMachineStatuses", 900, |all| running(all, 4)).await;
    let mut workers = omni.get(&kind("MachineSets"), "lab-workers").await.unwrap().unwrap();
    workers.spec["machine_allocation"]["machine_count"] = json!(1);
    omni.update(&workers).await.unwrap();
    until(&world, &omni, "MachineRequests", 60, |all| all.len() == 2).await;
    until(&world, &omni, "ClusterMachineStatuses", 10, |all| running(all, 2)).await;
    let status = until(&world, &omni, "ClusterStatuses", 10, |all| all[0].spec["ready"] == true).await;
    assert_eq!(status[0].spec["machines"]["total"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_silent_provider_is_seen_and_goes_on_later() {
    let (world, omni) = world(9, Faults::default()).await;
    let combined = Kind {
        namespace: "ephemeral".into(),
        name: "InfraProviderCombinedStatuses.omni.sidero.dev".into(),
    };
    let connected = async || omni.get(&combined, "proxmox").await.unwrap().unwrap().spec["health"].clone();
    assert_eq!(connected().await["connected"], true);
    world.act(|state, _| state.providers.get_mut("proxmox").unwrap().running = false);
    cluster(&omni, 1, 0).await;
    world.clock().sleep(Duration::from_secs(90)).await;
    assert_eq!(connected().await.get("connected"), None);
    assert_eq!(omni.list(&kind("MachineRequestStatuses"), None).await.unwrap(), []);
    world.act(|state, _| state.providers.get_mut("proxmox").unwrap().running = true);
    until(&world, &omni, "ClusterMachineStatuses", 900, |all| running(all, 1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_gpu_set_without_its_gpu_is_not_ready() {
    let (world, omni) = world(11, Faults::default()).await;
    cluster(&omni, 1, 1).await;
    let labels = [("omni.sidero.dev/cluster", "lab"), ("omni.sidero.dev/machine-set", "lab-workers")];
    let spec = json!({"extensions": ["siderolabs/xe"]});
    omni.create(&resource("ExtensionsConfigurations", "schematic-lab-workers", &labels, spec)).await.unwrap();
    until(&world, &omni, "ClusterMachineStatuses", 900, |all| {
        all.len() == 2 && all.iter().all(|r| r.spec["stage"] == 4)
    })
    .await;
    world.clock().sleep(Duration::from_secs(30)).await;
    let all = omni.list(&kind("ClusterMachineStatuses"), None).await.unwrap();
    for machine in all {
        let worker = machine.metadata.labels.contains_key(WORKERS);
        assert_eq!(machine.spec.get("ready").is_some(), !worker, "{machine:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_site_that_runs_already() {
    let clock = Arc::new(TokioClock::real());
    let world = World::new(blueprint(), 21, Faults::default(), clock.clone());
    let versions = json!({"talos_version": "1.13.7", "kubernetes_version": "1.36.2"});
    let by_hand = |last: u8, hostpci: &[&str]| ByHand {
        mac: Some(unifi_client::Mac([0xbc, 0x24, 0x11, 0, 0, last])),
        address: Some(Ipv4Addr::new(172, 16, 8, last)),
        alias: Some(format!("node-{last}")),
        hostpci: hostpci.iter().map(ToString::to_string).collect(),
    };
    let raw = ["host=0000:03:00,pcie=1"];
    let site = RunningCluster {
        resources: vec![
            class("machine_type: q35\n"),
            resource("Clusters", "lab", &[], versions),
            set("control-planes", PLANES, 1),
            set("workers", WORKERS, 1),
        ],
        by_hand: BTreeMap::from([
            ("lab-control-planes".to_owned(), vec![by_hand(11, &[])]),
            ("lab-workers".to_owned(), vec![by_hand(31, &raw)]),
        ]),
        cni_installed: true,
    };
    world.preload_running(&site).unwrap();
    assert_eq!(world.log().entries, []);
    let wall = world.wall(world.now());
    assert!(wall.duration_since(clock.wall()).unwrap_or_default() < Duration::from_secs(1));
    let omni = Omni::new(Arc::clone(&world));
    let all = omni.list(&kind("ClusterMachineStatuses"), None).await.unwrap();
    assert!(running(&all, 2), "{all:#?}");
    let machines = omni.list(&kind("MachineStatuses"), None).await.unwrap();
    let addresses: Vec<_> = machines.iter().map(|m| m.spec["network"]["addresses"][0].clone()).collect();
    assert!(addresses.contains(&json!("172.16.8.11/24")) && addresses.contains(&json!("172.16.8.31/24")));
    let devices = world.look(|state| {
        let vms = state.proxmox["proxmox"].vms();
        vms.values().filter(|vm| vm.running).map(|vm| vm.running_devices.clone()).collect::<Vec<_>>()
    });
    assert_eq!(devices.iter().filter(|devices| !devices.is_empty()).count(), 1, "{devices:?}");
    // Nothing happens by itself afterwards.
    world.clock().sleep(Duration::from_secs(600)).await;
    world.act(|_, _| ());
    let facts: Vec<_> = world.log().entries.into_iter().map(|entry| entry.fact).collect();
    assert_eq!(facts, []);
    let figures = world.figures(&Expected::default());
    assert_eq!((figures.nodes.len(), figures.restarts()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn figures_come_from_the_log() {
    let (world, omni) = world(7, Faults::default()).await;
    cluster(&omni, 1, 1).await;
    until(&world, &omni, "ClusterMachineStatuses", 900, |all| running(all, 2)).await;
    let figures = world.figures(&Expected::default());
    assert_eq!(figures.to_string(), "first leases right 0/0, GPUs at first boot 0/0, restarts 0");
    for node in &figures.nodes {
        assert_eq!(node.stage.as_deref(), Some("RUNNING"));
        assert!(node.window.is_some_and(|w| w.as_secs_f64() > 1.9) && node.first_lease.is_some());
    }
    let wanted = |node: &site_simulator::report::NodeFigures, right: bool| {
        let lease = node.first_lease.unwrap();
        (node.request.clone(), if right { lease } else { Ipv4Addr::new(172, 16, 8, 250) })
    };
    let (one, two) = (&figures.nodes[0], &figures.nodes[1]);
    let expected = Expected {
        addresses: BTreeMap::from([wanted(one, true), wanted(two, false)]),
        gpus: [two.request.clone()].into(),
    };
    let figures = world.figures(&expected);
    assert_eq!(figures.to_string(), "first leases right 1/2, GPUs at first boot 0/1, restarts 0");
}

#[tokio::test(start_paused = true)]
async fn rights_and_conflicts() {
    let (world, omni) = world(5, Faults::default()).await;
    let reader = Omni::reader(Arc::clone(&world));
    let refused = reader.create(&class("")).await.unwrap_err();
    assert_eq!(refused.failure, Failure::Denied);
    assert!(refused.message.contains("insufficient role: \"Reader\""), "{refused}");
    omni.create(&class("")).await.unwrap();
    assert_eq!(omni.create(&class("")).await.unwrap_err().failure, Failure::Conflict);
    let mut stored = omni.get(&kind("MachineClasses"), "plain").await.unwrap().unwrap();
    assert_eq!(stored.metadata.version, 1);
    omni.update(&stored).await.unwrap();
    assert_eq!(omni.update(&stored).await.unwrap_err().failure, Failure::Conflict);
    stored.metadata.version = 2;
    stored.spec = json!({"bogus": 1});
    assert_eq!(omni.update(&stored).await.unwrap_err().failure, Failure::Other);
    assert_eq!(omni.get(&kind("Nonsense"), "x").await.unwrap_err().failure, Failure::Denied);
}
