//! Resources of files against the simulated Omni: what is written, what stays, and what happens when others write too.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use api_transport::TokioClock;
use async_trait::async_trait;
use bootstrap_core::ports::{Failure, Omni, PortError, PortResult, System};
use bootstrap_core::resource::write::{self, Change, Written};
use bootstrap_core::resource::{self, Document};
use bootstrap_core::site;
use futures_util::stream::BoxStream;
use omni_client::{Event, Kind, Resource, kinds};
use secrecy::SecretString;
use serde_json::json;
use site_simulator::in_memory::omni as memory;
use site_simulator::{Faults, World, derive};

use crate::engine::example;

fn omni() -> memory::Omni {
    let site = site::load(&example()).expect("the example loads");
    let clock = Arc::new(TokioClock::scaled(50.0));
    let world = World::new(derive::blueprint(&site), 7, Faults::default(), clock);
    memory::Omni::new(world)
}

fn documents(text: &str) -> Vec<Document> {
    let loaded = resource::of_text(text, Path::new("r.yaml"));
    loaded.expect("the resources load").documents
}

fn class(labels: &str, metadata: &str) -> String {
    format!(
        "metadata: {{type: MachineClasses.omni.sidero.dev, id: c{metadata}}}\nspec: {{matchlabels: [{labels}]}}\n"
    )
}

async fn apply(omni: &dyn Omni, text: &str) -> PortResult<Written> {
    let steps = write::compare(omni, documents(text)).await?;
    let clock = TokioClock::scaled(50.0);
    write::write(omni, &clock, &steps[0]).await
}

async fn stored(omni: &dyn Omni) -> Resource {
    let found = omni.get(&kinds::MACHINE_CLASS, "c").await;
    found.expect("Omni answers").expect("the class is there")
}

#[tokio::test]
async fn only_what_differs_is_written_and_what_is_omnis_stays() {
    let omni = omni();
    let first = class("a = b", ", labels: {one: \"1\", two: \"2\"}");
    assert_eq!(apply(&omni, &first).await.unwrap(), Written::Created);
    assert_eq!(apply(&omni, &first).await.unwrap(), Written::Unchanged);
    assert_eq!(stored(&omni).await.metadata.version, 1);

    let mut held = stored(&omni).await;
    held.metadata.finalizers = vec!["SomeController".to_owned()];
    let own = "omni.sidero.dev/locked".to_owned();
    held.metadata.annotations.insert(own.clone(), String::new());
    held.metadata
        .annotations
        .insert("mine".to_owned(), String::new());
    omni.update(&held).await.unwrap();

    let second = class("a = c", ", labels: {two: \"2\"}");
    let steps = write::compare(&omni, documents(&second)).await.unwrap();
    assert_eq!(write::kept(&steps[0]), std::slice::from_ref(&own));
    assert_eq!(apply(&omni, &second).await.unwrap(), Written::Changed);
    let now = stored(&omni).await;
    assert_eq!(now.spec, json!({"match_labels": ["a = c"]}));
    assert_eq!(now.metadata.finalizers, ["SomeController"]);
    assert_eq!(now.metadata.labels.keys().collect::<Vec<_>>(), ["two"]);
    assert_eq!(now.metadata.annotations.keys().collect::<Vec<_>>(), [&own]);
}

/// An Omni into which somebody else writes right before the first writes, or whose answers get lost.
struct Contended {
    omni: memory::Omni,
    foreign: AtomicU32,
    lost: AtomicU32,
}

fn counts_down(counter: &AtomicU32) -> bool {
    counter
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            left.checked_sub(1)
        })
        .is_ok()
}

impl Contended {
    fn answer(&self, outcome: PortResult<()>) -> PortResult<()> {
        if counts_down(&self.lost) {
            return Err(PortError::new(
                System::Omni,
                Failure::Unreachable,
                "the connection broke".to_owned(),
            ));
        }
        outcome
    }
}

#[async_trait]
impl Omni for Contended {
    async fn get(&self, kind: &Kind, id: &str) -> PortResult<Option<Resource>> {
        self.omni.get(kind, id).await
    }
    async fn list(&self, kind: &Kind, selector: Option<&str>) -> PortResult<Vec<Resource>> {
        self.omni.list(kind, selector).await
    }
    async fn create(&self, resource: &Resource) -> PortResult<()> {
        if counts_down(&self.foreign) {
            let mut theirs = resource.clone();
            theirs
                .metadata
                .labels
                .insert("foreign".to_owned(), String::new());
            self.omni.create(&theirs).await?;
        }
        self.answer(self.omni.create(resource).await)
    }
    async fn update(&self, resource: &Resource) -> PortResult<()> {
        if counts_down(&self.foreign) {
            let mut theirs = stored(&self.omni).await;
            let own = "omni.sidero.dev/theirs".to_owned();
            theirs.metadata.annotations.insert(own, String::new());
            self.omni.update(&theirs).await?;
        }
        self.answer(self.omni.update(resource).await)
    }
    async fn teardown(&self, kind: &Kind, id: &str) -> PortResult<()> {
        self.omni.teardown(kind, id).await
    }
    async fn watch(&self, kind: &Kind) -> PortResult<BoxStream<'static, PortResult<Event>>> {
        self.omni.watch(kind).await
    }
    async fn watch_matching(
        &self,
        kind: &Kind,
        selector: &str,
    ) -> PortResult<BoxStream<'static, PortResult<Event>>> {
        self.omni.watch_matching(kind, selector).await
    }
    async fn kubeconfig(&self, cluster: &str) -> PortResult<SecretString> {
        self.omni.kubeconfig(cluster).await
    }
}

#[tokio::test]
async fn a_conflict_is_read_again_and_a_lost_answer_is_no_failure() {
    for (foreign, lost) in [(1, 0), (0, 1), (2, 0), (1, 2)] {
        let omni = Contended {
            omni: omni(),
            foreign: AtomicU32::new(foreign),
            lost: AtomicU32::new(lost),
        };
        let created = apply(&omni, &class("a = b", "")).await.unwrap();
        assert_ne!(created, Written::Unchanged, "{foreign} {lost}");
        omni.foreign.store(foreign, Ordering::SeqCst);
        omni.lost.store(lost, Ordering::SeqCst);
        assert_eq!(
            apply(&omni, &class("a = c", "")).await.unwrap(),
            Written::Changed
        );
        let now = stored(&omni).await;
        assert_eq!(now.spec, json!({"match_labels": ["a = c"]}));
        assert!(now.metadata.labels.is_empty());
        assert_eq!(now.metadata.annotations.len(), usize::from(foreign > 0));
    }
    let always = Contended {
        omni: omni(),
        foreign: AtomicU32::new(0),
        lost: AtomicU32::new(0),
    };
    apply(&always, &class("a = b", "")).await.unwrap();
    always.foreign.store(100, Ordering::SeqCst);
    let error = apply(&always, &class("a = c", "")).await.unwrap_err();
    assert_eq!(error.failure, Failure::Conflict);
}

#[tokio::test]
async fn what_omni_would_break_over_is_refused_before_anything_is_written() {
    let omni = omni();
    apply(&omni, &class("a = b", "")).await.unwrap();
    let auto = "metadata: {type: MachineClasses.omni.sidero.dev, id: c}\nspec:\n  autoprovision:\n    providerid: proxmox\n    providerdata: |\n      cores: 2\n      memory: 4096\n      disk_size: 20\n      storage_selector: name == \"x\"\n";
    let steps = write::compare(&omni, documents(auto)).await.unwrap();
    let findings = write::check(&omni, &steps).await.unwrap();
    assert_eq!(
        findings[0].message,
        "MachineClasses(c) matches labels in Omni, which cannot turn it into one that makes machines"
    );
    let unknown = auto
        .replace("id: c", "id: d")
        .replace("providerid: proxmox", "providerid: proxmx");
    let steps = write::compare(&omni, documents(&unknown)).await.unwrap();
    let findings = write::check(&omni, &steps).await.unwrap();
    assert_eq!(findings[0].hint.as_deref(), Some("did you mean `proxmox`?"));
    assert!(matches!(steps[0].change, Change::Create));
}
