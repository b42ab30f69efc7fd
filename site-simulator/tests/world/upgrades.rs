//! Version bumps: control planes first, one machine at a time, and statuses that say so.

use std::collections::BTreeSet;

use bootstrap_core::ports::Omni as _;
use omni_client::Resource;
use serde_json::{Value, json};
use site_simulator::Faults;
use site_simulator::log::Fact;

use crate::support::{cluster, kind, running, until, world_with};

const VERSIONS: [(&str, &[&str]); 2] = [
    ("1.13.7", &["1.36.2", "1.36.3"]),
    ("1.13.8", &["1.36.2", "1.36.3"]),
];

fn done(all: &[Resource], version: &str) -> bool {
    all.len() == 1 && all[0].spec["phase"] == 2 && all[0].spec["last_upgrade_version"] == version
}

#[tokio::test(start_paused = true)]
async fn talos_goes_machine_by_machine() {
    let (world, omni) = world_with(4, Faults::default(), &VERSIONS).await;
    cluster(&omni, 3, 2).await;
    until(&world, &omni, "ClusterMachineStatuses", 900, |all| {
        running(all, 5)
    })
    .await;
    let before = until(&world, &omni, "TalosUpgradeStatuses", 5, |all| {
        done(all, "1.13.7")
    })
    .await;
    assert_eq!(before[0].spec["upgrade_versions"], json!(["1.13.8"]));
    assert_eq!(before[0].metadata.labels.len(), 0, "as recorded");
    let mut lab = omni.get(&kind("Clusters"), "lab").await.unwrap().unwrap();
    lab.spec["talos_version"] = json!("1.13.8");
    let began = world.log().entries.len();
    omni.update(&lab).await.unwrap();
    let seen = until(&world, &omni, "TalosUpgradeStatuses", 10, |all| {
        all[0].spec["phase"] == 1
    })
    .await;
    assert_eq!(seen[0].spec["status"], "updating machines 1/5");
    assert_eq!(seen[0].spec["last_upgrade_version"], "1.13.7");
    let sets = omni.list(&kind("MachineSetStatuses"), None).await.unwrap();
    assert!(sets.iter().all(|set| set.spec["phase"] == 7));
    until(&world, &omni, "TalosUpgradeStatuses", 3600, |all| {
        done(all, "1.13.8")
    })
    .await;
    until(&world, &omni, "ClusterStatuses", 300, |all| {
        all[0].spec["ready"] == true
    })
    .await;
    // One is back before the next one leaves.
    let mut order: Vec<String> = Vec::new();
    let mut away = BTreeSet::new();
    for entry in &world.log().entries[began..] {
        if let Fact::Stage { request, stage } = &entry.fact {
            match stage.as_str() {
                "UPGRADING" => {
                    assert_eq!(away, BTreeSet::new(), "{request} left too early");
                    away.insert(request.clone());
                    order.push(request.clone());
                }
                "RUNNING" => drop(away.remove(request)),
                _ => {}
            }
        }
    }
    assert_eq!(order.len(), 5);
    assert!(
        order[..3]
            .iter()
            .all(|request| request.contains("control-planes"))
    );
    let machines = omni.list(&kind("MachineStatuses"), None).await.unwrap();
    assert!(
        machines
            .iter()
            .all(|machine| machine.spec["talos_version"] == "v1.13.8")
    );
}

#[tokio::test(start_paused = true)]
async fn kubernetes_goes_component_by_component() {
    let (world, omni) = world_with(6, Faults::default(), &VERSIONS).await;
    cluster(&omni, 1, 1).await;
    until(&world, &omni, "ClusterMachineStatuses", 900, |all| {
        running(all, 2)
    })
    .await;
    until(&world, &omni, "KubernetesUpgradeStatuses", 5, |all| {
        done(all, "1.36.2")
    })
    .await;
    let mut lab = omni.get(&kind("Clusters"), "lab").await.unwrap().unwrap();
    lab.spec["kubernetes_version"] = json!("1.36.3");
    omni.update(&lab).await.unwrap();
    let mut steps: Vec<String> = Vec::new();
    until(&world, &omni, "KubernetesUpgradeStatuses", 600, |all| {
        let step = all[0]
            .spec
            .get("step")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let short = step.split(": ").nth(1).unwrap_or_default();
        if !short.is_empty() && steps.last().is_none_or(|last| last != step) {
            steps.push(step.to_owned());
        }
        done(all, "1.36.3")
    })
    .await;
    let short: Vec<&str> = steps
        .iter()
        .filter_map(|step| step.split(": ").nth(1))
        .collect();
    assert_eq!(
        short,
        [
            "updating kube-apiserver to 1.36.3",
            "updating kube-controller-manager to 1.36.3",
            "updating kube-scheduler to 1.36.3",
            "updating kubelet to 1.36.3",
            "updating kubelet to 1.36.3",
        ]
    );
    let status = omni.list(&kind("KubernetesStatuses"), None).await.unwrap();
    for node in status[0].spec["nodes"].as_array().unwrap() {
        assert_eq!(node["kubelet_version"], "1.36.3");
    }
}
