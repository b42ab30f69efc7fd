//! Sites that run already, and figures.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use api_transport::{Clock as _, TokioClock};
use bootstrap_core::ports::Omni as _;
use serde_json::json;
use site_simulator::in_memory::omni::Omni;
use site_simulator::report::Expected;
use site_simulator::world::preload::{ByHand, RunningCluster};
use site_simulator::{Faults, World};

use crate::support::{
    PLANES, WORKERS, blueprint, class, cluster, kind, resource, running, set, until, world,
};

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
    let all = omni
        .list(&kind("ClusterMachineStatuses"), None)
        .await
        .unwrap();
    assert!(running(&all, 2), "{all:#?}");
    let machines = omni.list(&kind("MachineStatuses"), None).await.unwrap();
    let addresses: Vec<_> = machines
        .iter()
        .map(|m| m.spec["network"]["addresses"][0].clone())
        .collect();
    assert!(
        addresses.contains(&json!("172.16.8.11/24"))
            && addresses.contains(&json!("172.16.8.31/24"))
    );
    let devices = world.look(|state| {
        let vms = state.proxmox["proxmox"].vms();
        vms.values()
            .filter(|vm| vm.running)
            .map(|vm| vm.running_devices.clone())
            .collect::<Vec<_>>()
    });
    assert_eq!(
        devices.iter().filter(|devices| !devices.is_empty()).count(),
        1,
        "{devices:?}"
    );
    // Nothing happens by itself afterwards.
    world.clock().sleep(Duration::from_mins(10)).await;
    world.act(|_, _| ());
    let facts: Vec<_> = world
        .log()
        .entries
        .into_iter()
        .map(|entry| entry.fact)
        .collect();
    assert_eq!(facts, []);
    let figures = world.figures(&Expected::default());
    assert_eq!((figures.nodes.len(), figures.restarts()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn figures_come_from_the_log() {
    let (world, omni) = world(7, Faults::default()).await;
    cluster(&omni, 1, 1).await;
    until(&world, &omni, "ClusterMachineStatuses", 900, |all| {
        running(all, 2)
    })
    .await;
    let figures = world.figures(&Expected::default());
    assert_eq!(
        figures.to_string(),
        "first leases right 0/0, GPUs at first boot 0/0, restarts 0"
    );
    for node in &figures.nodes {
        assert_eq!(node.stage.as_deref(), Some("RUNNING"));
        assert!(node.window.is_some_and(|w| w.as_secs_f64() > 1.9) && node.first_lease.is_some());
    }
    let wanted = |node: &site_simulator::report::NodeFigures, right: bool| {
        let lease = node.first_lease.unwrap();
        (
            node.request.clone(),
            if right {
                lease
            } else {
                Ipv4Addr::new(172, 16, 8, 250)
            },
        )
    };
    let (one, two) = (&figures.nodes[0], &figures.nodes[1]);
    let expected = Expected {
        addresses: BTreeMap::from([wanted(one, true), wanted(two, false)]),
        gpus: [two.request.clone()].into(),
    };
    let figures = world.figures(&expected);
    assert_eq!(
        figures.to_string(),
        "first leases right 1/2, GPUs at first boot 0/1, restarts 0"
    );
}
