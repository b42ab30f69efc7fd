//! A cluster's status from recorded answers, changed step by step.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;

use async_trait::async_trait;
use bootstrap_core::cluster_status::{self, Report, lines, omnictl_lines};
use bootstrap_core::ports::{Omni, PortResult};
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use omni_client::{Event, Kind, Resource, kinds, labels};
use secrecy::SecretString;
use serde_json::{Value, json};

/// Resources that can be read.
#[derive(Clone)]
struct Shelf(Vec<Resource>);

#[async_trait]
impl Omni for Shelf {
    async fn get(&self, kind: &Kind, id: &str) -> PortResult<Option<Resource>> {
        let all = self.list(kind, None).await?;
        Ok(all.into_iter().find(|resource| resource.id() == id))
    }

    async fn list(&self, kind: &Kind, selector: Option<&str>) -> PortResult<Vec<Resource>> {
        let matches = |resource: &Resource| match selector.map(|text| text.split_once('=')) {
            None => true,
            Some(None) => resource.label(selector.unwrap_or_default()).is_some(),
            Some(Some((key, value))) => resource.label(key) == Some(value),
        };
        let of_kind = self.0.iter().filter(|resource| resource.kind() == *kind);
        Ok(of_kind
            .filter(|resource| matches(resource))
            .cloned()
            .collect())
    }

    async fn create(&self, _: &Resource) -> PortResult<()> {
        panic!("status writes nothing")
    }

    async fn update(&self, _: &Resource) -> PortResult<()> {
        panic!("status writes nothing")
    }

    async fn teardown(&self, _: &Kind, _: &str) -> PortResult<()> {
        panic!("status writes nothing")
    }

    async fn watch(&self, _: &Kind) -> PortResult<BoxStream<'static, PortResult<Event>>> {
        panic!("one look needs no watch")
    }

    async fn watch_matching(
        &self,
        _: &Kind,
        _: &str,
    ) -> PortResult<BoxStream<'static, PortResult<Event>>> {
        panic!("one look needs no watch")
    }

    async fn kubeconfig(&self, _: &str) -> PortResult<SecretString> {
        panic!("status needs no kubeconfig")
    }
}

fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures")
}

/// What a real server answered for a ready cluster of two machines.
fn recorded() -> Shelf {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(fixtures().join("omni")).unwrap() {
        let entry = entry.unwrap();
        if !entry.file_name().to_string_lossy().contains("-list-kind-") {
            continue;
        }
        let record: Value = serde_json::from_slice(&std::fs::read(entry.path()).unwrap()).unwrap();
        for item in record["response"]["body"]["items"]
            .as_array()
            .into_iter()
            .flatten()
        {
            all.push(serde_json::from_str(item.as_str().unwrap()).unwrap());
        }
    }
    Shelf(all)
}

impl Shelf {
    fn change(&mut self, kind: &Kind, id: &str, change: impl FnOnce(&mut Resource)) {
        let found = self
            .0
            .iter_mut()
            .find(|resource| resource.kind() == *kind && resource.id() == id);
        change(found.unwrap_or_else(|| panic!("{kind} {id}")));
    }

    fn remove(&mut self, kind: &Kind, id: &str) {
        self.0
            .retain(|resource| resource.kind() != *kind || resource.id() != id);
    }

    fn put(&mut self, kind: &Kind, id: &str, own: &[(&str, &str)], spec: Value) {
        let mut resource = Resource::new(kind, id);
        for (key, value) in own {
            resource = resource.with_label(*key, *value);
        }
        resource.spec = spec;
        "2026-11-23T08:00:00Z".clone_into(&mut resource.metadata.created);
        "2026-11-23T08:00:20Z".clone_into(&mut resource.metadata.updated);
        self.0.push(resource);
    }
}

async fn at(shelf: &Shelf, cluster: &str, time: &str) -> Report {
    let time: Timestamp = time.parse().unwrap();
    cluster_status::observe(shelf, cluster, time).await.unwrap()
}

async fn look(shelf: &Shelf) -> Report {
    at(shelf, "demo", "2026-11-23T08:00:30Z").await
}

fn text(report: &Report) -> String {
    let lines: Vec<String> = lines(report).iter().map(ToString::to_string).collect();
    lines.join("\n")
}

const WORKER: &str = "00000103-c798-4da7-a410-f09abb48c8d8";

/// A cluster whose worker is still being made.
fn growing() -> Shelf {
    let mut shelf = recorded();
    shelf.remove(&kinds::CLUSTER_MACHINE_STATUS, WORKER);
    shelf.remove(
        &kinds::CLUSTER_MACHINE_REQUEST_STATUS,
        "demo-workers-58f7t2",
    );
    shelf.remove(&kinds::MACHINE, WORKER);
    shelf.change(&kinds::CLUSTER_STATUS, "demo", |status| {
        status.spec = json!({"phase": 1, "machines": {"total": 1, "healthy": 1, "requested": 3}});
    });
    shelf.change(&kinds::MACHINE_SET_STATUS, "demo-workers", |status| {
        status.spec = json!({"phase": 1, "machines": {"requested": 2}});
    });
    let own = [
        (labels::CLUSTER, "demo"),
        (labels::MACHINE_SET, "demo-workers"),
    ];
    let kind = &kinds::CLUSTER_MACHINE_REQUEST_STATUS;
    let spec = json!({"stage": 2, "status": "Running Step: \"syncVM\" (4/5)", "provider_id": "talemu", "machine_uuid": WORKER});
    shelf.put(kind, "demo-workers-aaaaaa", &own, spec);
    let spec = json!({"stage": 1, "status": "Waiting for the infra provider to start provision", "provider_id": "talemu"});
    shelf.put(kind, "demo-workers-bbbbbb", &own, spec);
    shelf
}

#[tokio::test]
async fn a_ready_cluster_has_omnictls_tree() {
    let report = look(&recorded()).await;
    let lines = omnictl_lines(&report).into_iter();
    let tree: String = lines.map(|line| line.to_string() + "\n").collect();
    let golden = fixtures().join("golden/91-ready-status/stdout");
    assert_eq!(tree, std::fs::read_to_string(golden).unwrap());
    assert!(report.healthy && report.healthy_for_omnictl());
    assert_eq!(report.waiting_for, Vec::<String>::new());
    // Omni gives Talos upgrades no cluster label, so omnictl never sees them.
    insta::assert_snapshot!(text(&report), @r#"
    Cluster "demo" RUNNING Ready (2/2) (healthy/total)
    ├── Kubernetes Upgrade Done
    ├── Talos Upgrade Done
    ├── Control Plane "demo-control-planes" Running Ready (1/1)
    │   ├── Load Balancer Ready
    │   ├── Status Checks OK
    │   └── Machine "00000203-c798-4da7-a410-f09abb48c8d8"(talos-fnt-adj) RUNNING Ready
    └── Workers "demo-workers" Running Ready (1/1)
        └── Machine "00000103-c798-4da7-a410-f09abb48c8d8"(talos-sqz-n7a) RUNNING Ready
    "#);
}

#[tokio::test]
async fn machines_on_their_way_are_shown() {
    let shelf = growing();
    insta::assert_snapshot!(text(&look(&shelf).await), @r#"
    Cluster "demo" SCALING_UP Not Ready (1/1) (healthy/total)
    ├── Kubernetes Upgrade Done
    ├── Talos Upgrade Done
    ├── Control Plane "demo-control-planes" Running Ready (1/1)
    │   ├── Load Balancer Ready
    │   ├── Status Checks OK
    │   └── Machine "00000203-c798-4da7-a410-f09abb48c8d8"(talos-fnt-adj) RUNNING Ready
    └── Workers "demo-workers" ScalingUp Not Ready (0/0)
        ├── Machine Request "demo-workers-aaaaaa" PROVISIONING Running Step: "syncVM" (4/5), 30s old, machine 00000103-c798-4da7-a410-f09abb48c8d8
        └── Machine Request "demo-workers-bbbbbb" PENDING Waiting for the infra provider to start provision, 30s old
    Waiting for demo-workers-aaaaaa (Running Step: "syncVM" (4/5)); demo-workers-bbbbbb (the provider has not begun)
    "#);
    let later = at(&shelf, "demo", "2026-11-23T08:01:40Z").await;
    assert!(!later.healthy);
    insta::assert_snapshot!(text(&later), @r#"
    Cluster "demo" SCALING_UP Not Ready (1/1) (healthy/total)
    ├── Kubernetes Upgrade Done
    ├── Talos Upgrade Done
    ├── Control Plane "demo-control-planes" Running Ready (1/1)
    │   ├── Load Balancer Ready
    │   ├── Status Checks OK
    │   └── Machine "00000203-c798-4da7-a410-f09abb48c8d8"(talos-fnt-adj) RUNNING Ready
    └── Workers "demo-workers" ScalingUp Not Ready (0/0)
        ├── Machine Request "demo-workers-aaaaaa" PROVISIONING Running Step: "syncVM" (4/5), 1m40s old, machine 00000103-c798-4da7-a410-f09abb48c8d8, unchanged for 1m20s: no progress; only the log of provider talemu and Proxmox's task list know why
        └── Machine Request "demo-workers-bbbbbb" PENDING Waiting for the infra provider to start provision, 1m40s old
    Waiting for demo-workers-aaaaaa (no progress; only the log of provider talemu and Proxmox's task list know why); demo-workers-bbbbbb (the provider has not begun)
    "#);
}

#[tokio::test]
async fn a_machine_that_was_started_has_to_call_home() {
    let mut shelf = growing();
    shelf.change(
        &kinds::CLUSTER_MACHINE_REQUEST_STATUS,
        "demo-workers-aaaaaa",
        |request| {
            request.spec["stage"] = json!(3);
            request.spec["status"] = json!("Waiting for the machine to join Omni");
        },
    );
    let report = at(&shelf, "demo", "2026-11-23T08:05:00Z").await;
    let request = &report.machine_sets[1].requests[0];
    assert!(
        request
            .stalled
            .as_ref()
            .unwrap()
            .contains("not called home")
    );
    let own = [(labels::MACHINE_REQUEST, "demo-workers-aaaaaa")];
    shelf.put(&kinds::MACHINE, WORKER, &own, json!({}));
    let report = at(&shelf, "demo", "2026-11-23T08:05:00Z").await;
    let request = &report.machine_sets[1].requests[0];
    assert!(request.joined && request.stalled.is_none());
}

#[tokio::test]
async fn a_silent_provider_is_what_is_waited_for() {
    let mut shelf = growing();
    shelf.change(&kinds::INFRA_PROVIDER_COMBINED_STATUS, "talemu", |status| {
        status.spec["health"] = json!({"initialized": true});
    });
    let report = look(&shelf).await;
    assert_eq!(report.silent_providers, ["talemu"]);
    assert_eq!(
        report.waiting_for[0],
        "the infra provider talemu, which shows Omni no sign of life"
    );
}

#[tokio::test]
async fn everything_that_can_be_wrong_with_a_machine_is_said() {
    let mut shelf = recorded();
    shelf.change(&kinds::CLUSTER_MACHINE_STATUS, WORKER, |machine| {
        machine.spec =
            json!({"stage": 4, "config_apply_status": 3, "last_config_error": "no such disk"});
        machine.metadata.labels.remove(labels::CONNECTED);
        machine.metadata.labels.remove(labels::NODE_NAME);
        let annotations = &mut machine.metadata.annotations;
        annotations.insert(labels::LOCKED.to_owned(), String::new());
    });
    shelf.change(&kinds::MACHINE_SET_STATUS, "demo-workers", |set| {
        set.spec["ready"] = json!(false);
    });
    shelf.change(
        &kinds::CONTROL_PLANE_STATUS,
        "demo-control-planes",
        |plane| {
            plane.spec =
                json!({"conditions": [{"type": 1, "status": 2}, {"type": 2, "status": 2}]});
        },
    );
    shelf.change(&kinds::LOAD_BALANCER_STATUS, "demo", |balancer| {
        balancer.spec = json!({});
    });
    let report = look(&shelf).await;
    insta::assert_snapshot!(text(&report), @r#"
    Cluster "demo" RUNNING Ready (2/2) (healthy/total)
    ├── Kubernetes Upgrade Done
    ├── Talos Upgrade Done
    ├── Control Plane "demo-control-planes" Running Ready (1/1)
    │   ├── Load Balancer Not Ready
    │   ├── Status Checks Failing: [Etcd WireguardConnection]
    │   └── Machine "00000203-c798-4da7-a410-f09abb48c8d8"(talos-fnt-adj) RUNNING Ready
    └── Workers "demo-workers" Running Not Ready (1/1)
        └── Machine "00000103-c798-4da7-a410-f09abb48c8d8" RUNNING Not Ready Unreachable Locked Config Outdated Config Apply Failed no such disk
    Waiting for the control plane's check Etcd; the control plane's check WireguardConnection; 00000103-c798-4da7-a410-f09abb48c8d8 (configuration refused: no such disk); the Kubernetes API
    "#);
}

#[tokio::test]
async fn an_upgrade_is_not_healthy_until_it_is_done() {
    let mut shelf = recorded();
    shelf.change(&kinds::TALOS_UPGRADE_STATUS, "demo", |upgrade| {
        upgrade.spec = json!({"phase": 1, "step": "current machine: talos-sqz-n7a", "status": "updating machines 2/2",
            "current_upgrade_version": "1.13.8"});
    });
    let report = look(&shelf).await;
    assert!(!report.healthy && report.healthy_for_omnictl());
    insta::assert_snapshot!(text(&report), @r#"
    Cluster "demo" RUNNING Ready (2/2) (healthy/total)
    ├── Kubernetes Upgrade Done
    ├── Talos Upgrade Upgrading current machine: talos-sqz-n7a, updating machines 2/2
    ├── Control Plane "demo-control-planes" Running Ready (1/1)
    │   ├── Load Balancer Ready
    │   ├── Status Checks OK
    │   └── Machine "00000203-c798-4da7-a410-f09abb48c8d8"(talos-fnt-adj) RUNNING Ready
    └── Workers "demo-workers" Running Ready (1/1)
        └── Machine "00000103-c798-4da7-a410-f09abb48c8d8"(talos-sqz-n7a) RUNNING Ready
    Waiting for the Talos upgrade (current machine: talos-sqz-n7a)
    "#);
    shelf.change(&kinds::KUBERNETES_UPGRADE_STATUS, "demo", |upgrade| {
        upgrade.spec = json!({"phase": 4, "step": "reverting the change"});
    });
    assert!(!look(&shelf).await.healthy_for_omnictl());
}

#[tokio::test]
async fn a_cluster_that_is_not_there_is_said_to_be_missing() {
    let mut shelf = recorded();
    let report = at(&shelf, "elsewhere", "2026-11-23T08:00:30Z").await;
    assert_eq!(omnictl_lines(&report), []);
    insta::assert_snapshot!(text(&report), @r#"
    Cluster "elsewhere" does not exist
    Waiting for its creation
    "#);
    shelf.remove(&kinds::CLUSTER_STATUS, "demo");
    assert_eq!(
        look(&shelf).await.waiting_for,
        ["Omni to take note of the cluster"]
    );
}

#[tokio::test]
async fn programs_get_words() {
    let report = look(&growing()).await;
    let value = serde_json::to_value(&report).unwrap();
    assert_eq!(value["state"]["phase"], "SCALING_UP");
    assert_eq!(
        value["machine_sets"][1]["requests"][0]["stage"],
        "PROVISIONING"
    );
    assert_eq!(value["machine_sets"][0]["failing_checks"], json!([]));
    assert_eq!(value["machine_sets"][1]["failing_checks"], Value::Null);
    assert_eq!(value["kubernetes_upgrade"]["phase"], "Done");
}
