//! A small site, and how to wait in it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use api_transport::TokioClock;
use bootstrap_core::ports::Omni as _;
use omni_client::{Kind, Metadata, Resource};
use proxmox_client::PciDevice;
use serde_json::{Value, json};
use site_simulator::blueprint::{NetworkBlueprint, NodeBlueprint, ProviderBlueprint};
use site_simulator::in_memory::omni::Omni;
use site_simulator::log::{Entry, Fact};
use site_simulator::{Blueprint, Faults, World};

pub(crate) fn blueprint() -> Blueprint {
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
        extensions: vec![
            "siderolabs/xe".to_owned(),
            "siderolabs/qemu-guest-agent".to_owned(),
        ],
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
            dhcp: (
                Ipv4Addr::new(172, 16, 8, 100),
                Ipv4Addr::new(172, 16, 8, 200),
            ),
            bridges: vec!["vmbr0".to_owned()],
        }],
        dns_records: vec![("omni.home.example".to_owned(), Ipv4Addr::new(172, 16, 8, 5))],
        upstream: vec!["1.1.1.1".to_owned()],
        strangers: Vec::new(),
    }
}

pub(crate) fn kind(name: &'static str) -> Kind {
    let namespace = match name {
        "MachineRequests" | "MachineRequestStatuses" => "infra-provider",
        _ => "default",
    };
    Kind {
        namespace: namespace.into(),
        name: format!("{name}.omni.sidero.dev").into(),
    }
}

pub(crate) fn resource(
    name: &'static str,
    id: &str,
    labels: &[(&str, &str)],
    spec: Value,
) -> Resource {
    let kind = kind(name);
    Resource {
        metadata: Metadata {
            namespace: kind.namespace.into_owned(),
            kind: kind.name.into_owned(),
            id: id.to_owned(),
            labels: labels
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            ..Metadata::default()
        },
        spec,
    }
}

pub(crate) fn class(extra: &str) -> Resource {
    let data =
        format!("cores: 2\nmemory: 4096\ndisk_size: 20\nstorage_selector: \"true\"\n{extra}");
    let spec = json!({"auto_provision": {"provider_id": "proxmox", "provider_data": data}});
    resource("MachineClasses", "plain", &[], spec)
}

pub(crate) fn set(name: &str, role: &str, count: u32) -> Resource {
    let labels = [("omni.sidero.dev/cluster", "lab"), (role, "")];
    let spec = json!({"update_strategy": 1, "machine_allocation": {"name": "plain", "machine_count": count}});
    resource("MachineSets", &format!("lab-{name}"), &labels, spec)
}

pub(crate) const PLANES: &str = "omni.sidero.dev/role-controlplane";

pub(crate) const WORKERS: &str = "omni.sidero.dev/role-worker";

pub(crate) async fn cluster(omni: &Omni, planes: u32, workers: u32) {
    omni.create(&class("")).await.unwrap();
    let versions = json!({"talos_version": "1.13.7", "kubernetes_version": "1.36.2"});
    omni.create(&resource("Clusters", "lab", &[], versions))
        .await
        .unwrap();
    omni.create(&set("control-planes", PLANES, planes))
        .await
        .unwrap();
    if workers > 0 {
        omni.create(&set("workers", WORKERS, workers))
            .await
            .unwrap();
    }
}

pub(crate) async fn world(seed: u64, faults: Faults) -> (Arc<World>, Omni) {
    let world = World::new(blueprint(), seed, faults, Arc::new(TokioClock::real()));
    tokio::spawn(Arc::clone(&world).run());
    let omni = Omni::new(Arc::clone(&world));
    (world, omni)
}

/// The same with these Talos versions and the Kubernetes versions each runs.
pub(crate) async fn world_with(
    seed: u64,
    faults: Faults,
    versions: &[(&str, &[&str])],
) -> (Arc<World>, Omni) {
    let mut blueprint = blueprint();
    blueprint.talos_versions = versions
        .iter()
        .map(|(talos, kubernetes)| {
            let kubernetes = kubernetes.iter().map(|version| (*version).to_owned());
            ((*talos).to_owned(), kubernetes.collect())
        })
        .collect();
    let world = World::new(blueprint, seed, faults, Arc::new(TokioClock::real()));
    tokio::spawn(Arc::clone(&world).run());
    let omni = Omni::new(Arc::clone(&world));
    (world, omni)
}

/// Waits until a condition on a kind's resources holds; fails after simulated `limit`.
pub(crate) async fn until(
    world: &Arc<World>,
    omni: &Omni,
    name: &'static str,
    limit: u64,
    mut done: impl FnMut(&[Resource]) -> bool,
) -> Vec<Resource> {
    let end = world.now() + Duration::from_secs(limit);
    loop {
        let all = omni.list(&kind(name), None).await.unwrap();
        if done(&all) {
            return all;
        }
        assert!(
            world.now() < end,
            "{name} after {limit} s: {all:#?}\n{:#?}",
            world.log().entries
        );
        world.clock().sleep(Duration::from_millis(250)).await;
    }
}

pub(crate) fn running(all: &[Resource], count: usize) -> bool {
    all.len() == count
        && all
            .iter()
            .all(|r| r.spec["stage"] == 4 && r.spec["ready"] == true)
}

/// Seconds from unlock to the provider's start, by request.
pub(crate) fn windows(log: &[Entry]) -> BTreeMap<String, f64> {
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

pub(crate) async fn run(seed: u64, planes: u32, workers: u32) -> Vec<Entry> {
    let (world, omni) = world(seed, Faults::default()).await;
    cluster(&omni, planes, workers).await;
    let count = usize::try_from(planes + workers).unwrap();
    until(&world, &omni, "ClusterMachineStatuses", 900, |all| {
        running(all, count)
    })
    .await;
    let status = until(&world, &omni, "ClusterStatuses", 30, |all| {
        all[0].spec["ready"] == true
    })
    .await;
    assert_eq!(status[0].spec["phase"], 3);
    assert_eq!(status[0].spec["kubernetesAPIReady"], true);
    let machines = omni.list(&kind("MachineStatuses"), None).await.unwrap();
    for machine in &machines {
        let address = machine.spec["network"]["addresses"][0].as_str().unwrap();
        assert!(address.starts_with("172.16.8."), "{machine:#?}");
    }
    world.log().entries
}
