//! Machines come and go.

use std::sync::Arc;
use std::time::Duration;

use bootstrap_core::ports::{Failure, Omni as _};
use omni_client::{Kind, Phase, Resource};
use serde_json::json;
use site_simulator::Faults;
use site_simulator::in_memory::omni::Omni;
use site_simulator::log::Fact;

use crate::support::{
    WORKERS, class, cluster, kind, resource, run, running, until, windows, world,
};

#[tokio::test(start_paused = true)]
async fn from_a_class_to_running_machines() {
    let log = run(7, 3, 3).await;
    let leases: Vec<_> = log
        .iter()
        .filter(|e| matches!(e.fact, Fact::Leased { .. }))
        .collect();
    assert_eq!(
        leases.len(),
        12,
        "each machine boots once to install and once installed"
    );
    let windows = windows(&log);
    assert_eq!(windows.len(), 6);
    for (request, window) in windows {
        assert!(
            (2.0..=21.5).contains(&window),
            "{request} had a window of {window} s"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn windows_depend_on_how_many_are_asked_for() {
    for seed in 0..12 {
        let alone = windows(&run(seed, 1, 0).await);
        assert!(
            alone.values().all(|w| (11.0..13.8).contains(w)),
            "alone: {alone:?}"
        );
        let two = windows(&run(seed, 1, 1).await);
        assert!(
            two.values().all(|w| (1.9..17.0).contains(w)),
            "two: {two:?}"
        );
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
    until(&world, &omni, "ClusterMachineStatuses", 900, |all| {
        running(all, 2)
    })
    .await;
    let before = omni
        .list(
            &kind("MachineRequests"),
            Some("omni.sidero.dev/machine-request-set=lab-workers"),
        )
        .await;
    let old = before.unwrap().remove(0).metadata.id;
    let began = world.now();
    omni.teardown(&kind("MachineRequests"), &old).await.unwrap();
    until(&world, &omni, "MachineRequests", 60, |all| {
        all.iter().all(|r| r.metadata.id != old)
    })
    .await;
    let took = world.now().saturating_sub(began).as_secs_f64();
    assert!(
        (11.0..14.0).contains(&took),
        "deleting one VM took {took} s"
    );
    until(&world, &omni, "ClusterMachineStatuses", 900, |all| {
        running(all, 2)
    })
    .await;
    assert!(
        world
            .log()
            .entries
            .iter()
            .any(|e| matches!(&e.fact, Fact::VmDestroyed { request, .. } if *request == old))
    );
}

#[tokio::test(start_paused = true)]
async fn a_cluster_goes_workers_first() {
    let (world, omni) = world(2, Faults::default()).await;
    cluster(&omni, 1, 2).await;
    until(&world, &omni, "ClusterMachineStatuses", 900, |all| {
        running(all, 3)
    })
    .await;
    omni.teardown(&kind("Clusters"), "lab").await.unwrap();
    let phase = until(&world, &omni, "Clusters", 5, |all| {
        all[0].metadata.phase == Phase::TearingDown
    })
    .await;
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
    for name in [
        "MachineSets",
        "MachineRequests",
        "Machines",
        "Links",
        "ClusterMachineStatuses",
    ] {
        assert_eq!(omni.list(&kind(name), None).await.unwrap(), [], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_name_no_join_and_no_cni_no_ready_node() {
    let faults = Faults {
        dns_not_served: true,
        ..Faults::default()
    };
    let (world, omni) = world(5, faults).await;
    cluster(&omni, 1, 0).await;
    world.clock().sleep(Duration::from_mins(5)).await;
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
    let status = omni
        .get(&kind("ClusterStatuses"), "lab")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(status.spec["kubernetesAPIReady"], true);
    assert_eq!(status.spec.get("ready"), None);
}

#[tokio::test(start_paused = true)]
async fn the_window_can_be_fixed() {
    let (world, omni) = world(
        5,
        Faults {
            window_seconds: Some(1.0),
            ..Faults::default()
        },
    )
    .await;
    cluster(&omni, 1, 1).await;
    until(&world, &omni, "ClusterMachineStatuses", 900, |all| {
        running(all, 2)
    })
    .await;
    for (request, window) in windows(&world.log().entries) {
        assert!((0.99..1.01).contains(&window), "{request}: {window} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_smaller_set_loses_its_oldest_machines() {
    let (world, omni) = world(9, Faults::default()).await;
    cluster(&omni, 1, 3).await;
    until(&world, &omni, "ClusterMachineStatuses", 900, |all| {
        running(all, 4)
    })
    .await;
    let mut workers = omni
        .get(&kind("MachineSets"), "lab-workers")
        .await
        .unwrap()
        .unwrap();
    workers.spec["machine_allocation"]["machine_count"] = json!(1);
    omni.update(&workers).await.unwrap();
    until(&world, &omni, "MachineRequests", 60, |all| all.len() == 2).await;
    until(&world, &omni, "ClusterMachineStatuses", 10, |all| {
        running(all, 2)
    })
    .await;
    let status = until(&world, &omni, "ClusterStatuses", 10, |all| {
        all[0].spec["ready"] == true
    })
    .await;
    assert_eq!(status[0].spec["machines"]["total"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_silent_provider_is_seen_and_goes_on_later() {
    let (world, omni) = world(9, Faults::default()).await;
    let combined = Kind {
        namespace: "ephemeral".into(),
        name: "InfraProviderCombinedStatuses.omni.sidero.dev".into(),
    };
    let connected =
        async || omni.get(&combined, "proxmox").await.unwrap().unwrap().spec["health"].clone();
    assert_eq!(connected().await["connected"], true);
    world.act(|state, _| state.providers.get_mut("proxmox").unwrap().running = false);
    cluster(&omni, 1, 0).await;
    world.clock().sleep(Duration::from_secs(90)).await;
    assert_eq!(connected().await.get("connected"), None);
    assert_eq!(
        omni.list(&kind("MachineRequestStatuses"), None)
            .await
            .unwrap(),
        []
    );
    world.act(|state, _| state.providers.get_mut("proxmox").unwrap().running = true);
    until(&world, &omni, "ClusterMachineStatuses", 900, |all| {
        running(all, 1)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_gpu_set_without_its_gpu_is_not_ready() {
    let (world, omni) = world(11, Faults::default()).await;
    cluster(&omni, 1, 1).await;
    let labels = [
        ("omni.sidero.dev/cluster", "lab"),
        ("omni.sidero.dev/machine-set", "lab-workers"),
    ];
    let spec = json!({"extensions": ["siderolabs/xe"]});
    omni.create(&resource(
        "ExtensionsConfigurations",
        "schematic-lab-workers",
        &labels,
        spec,
    ))
    .await
    .unwrap();
    until(&world, &omni, "ClusterMachineStatuses", 900, |all| {
        all.len() == 2 && all.iter().all(|r| r.spec["stage"] == 4)
    })
    .await;
    world.clock().sleep(Duration::from_secs(30)).await;
    let all = omni
        .list(&kind("ClusterMachineStatuses"), None)
        .await
        .unwrap();
    for machine in all {
        let worker = machine.metadata.labels.contains_key(WORKERS);
        assert_eq!(machine.spec.get("ready").is_some(), !worker, "{machine:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rights_and_conflicts() {
    let (world, omni) = world(5, Faults::default()).await;
    let reader = Omni::reader(Arc::clone(&world));
    let refused = reader.create(&class("")).await.unwrap_err();
    assert_eq!(refused.failure, Failure::Denied);
    assert!(
        refused.message.contains("insufficient role: \"Reader\""),
        "{refused}"
    );
    omni.create(&class("")).await.unwrap();
    assert_eq!(
        omni.create(&class("")).await.unwrap_err().failure,
        Failure::Conflict
    );
    let mut stored = omni
        .get(&kind("MachineClasses"), "plain")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.metadata.version, 1);
    omni.update(&stored).await.unwrap();
    assert_eq!(
        omni.update(&stored).await.unwrap_err().failure,
        Failure::Conflict
    );
    stored.metadata.version = 2;
    stored.spec = json!({"bogus": 1});
    assert_eq!(
        omni.update(&stored).await.unwrap_err().failure,
        Failure::Other
    );
    assert_eq!(
        omni.get(&kind("Nonsense"), "x").await.unwrap_err().failure,
        Failure::Denied
    );
}
