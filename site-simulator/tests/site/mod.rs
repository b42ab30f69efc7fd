//! A small site: two nodes, one GPU, one network, two strangers.
#![allow(dead_code)] // each test uses its part

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use api_transport::TokioClock;
use proxmox_client::PciDevice;
use serde_json::json;
use site_simulator::World;
use site_simulator::blueprint::{
    Blueprint, Faults, NetworkBlueprint, NodeBlueprint, ProviderBlueprint, Stranger,
};
use unifi_client::Mac;

pub(crate) const PROVIDER: &str = "proxmox";
pub(crate) const NODE: &str = "pve1";
pub(crate) const GPU: &str = "0000:03:00.0";
pub(crate) const LIVE: Mac = Mac([2, 0, 0, 0, 0, 1]);
pub(crate) const GONE: Mac = Mac([2, 0, 0, 0, 0, 2]);

pub(crate) fn gpu() -> PciDevice {
    PciDevice {
        address: GPU.to_owned(),
        class: "030000".to_owned(),
        id: "8086:56a6".to_owned(),
        subsystem_id: Some("172f:4019".to_owned()),
        iommu_group: Some(20),
        vendor_name: None,
        device_name: None,
        mdev: false,
    }
}

pub(crate) fn site(faults: Faults) -> Arc<World> {
    let node = |name: &str, pci: Vec<PciDevice>| NodeBlueprint {
        name: name.to_owned(),
        storages: vec!["local".to_owned()],
        memory_mib: 65_536,
        pci,
    };
    let stranger = |mac, ip, live| Stranger {
        mac,
        ip: Ipv4Addr::from(ip),
        live,
        reserved: false,
    };
    let blueprint = Blueprint {
        omni_name: "omni.home.example".to_owned(),
        omni_address: [172, 16, 8, 5].into(),
        talos_versions: Vec::new(),
        extensions: Vec::new(),
        providers: vec![ProviderBlueprint {
            id: PROVIDER.to_owned(),
            schema: json!({}),
            nodes: vec![node(NODE, vec![gpu()]), node("pve2", Vec::new())],
        }],
        networks: vec![NetworkBlueprint {
            name: "infra".to_owned(),
            subnet: "172.16.8.1/24".parse().unwrap(),
            vlan: None,
            dhcp: ([172, 16, 8, 100].into(), [172, 16, 8, 199].into()),
            bridges: vec!["vmbr0".to_owned()],
        }],
        dns_records: vec![("old.home.example".to_owned(), [172, 16, 8, 9].into())],
        upstream: vec!["1.1.1.1".to_owned()],
        strangers: vec![
            stranger(LIVE, [172, 16, 8, 31], true),
            stranger(GONE, [172, 16, 8, 32], false),
        ],
    };
    World::new(blueprint, 3, faults, Arc::new(TokioClock::real()))
}

pub(crate) async fn pass(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}
