//! Templates of any shape: after a sync there is nothing left to do, nor after a sync of what is exported then.

use std::cell::Cell;
use std::time::Duration;

use bootstrap_core::observe::cluster_resources;
use bootstrap_core::plan::Rules;
use bootstrap_core::site::ClusterIntent;
use bootstrap_core::template::{ExportOptions, export};
use omni_client::{Resource, kinds};
use proptest::test_runner::{Config as ProptestConfig, TestRunner};
use serde_json::json;

use crate::templates::{Lab, intent};

#[path = "../../bootstrap-core/tests/export/strategy.rs"]
mod strategy;

const EXACT: Rules = Rules {
    prune: true,
    exact: true,
};

/// Makes what the template takes for granted in Omni.
async fn lab_for(cluster: &ClusterIntent) -> Lab {
    let mut extensions = Vec::new();
    for resource in &cluster.resources {
        let listed = resource
            .spec
            .get("extensions")
            .and_then(|list| list.as_array());
        extensions.extend(
            listed
                .into_iter()
                .flatten()
                .filter_map(|name| Some(name.as_str()?.to_owned())),
        );
    }
    let lab = Lab::open_with(&extensions).await;
    for (name, _) in cluster
        .machine_sets
        .iter()
        .filter_map(|set| set.class.as_ref())
    {
        let mut class = Resource::new(&kinds::MACHINE_CLASS, name.as_str());
        class.spec = json!({"match_labels": ["no = machine"]});
        // Two sets may be of one class.
        let _ = lab.omni.create(&class).await;
    }
    lab
}

/// Whether it got as far as being exported and deleted.
async fn check(text: &str) -> bool {
    let cluster = intent(text);
    let lab = lab_for(&cluster).await;
    let plan = lab.plan(text, Rules::default()).await;
    if plan.is_blocked() {
        // Omni would refuse it: too many extensions, too short an interval.
        return false;
    }
    let (written, _) = lab.write(&plan, Duration::from_mins(5)).await;
    let said = written.said.unwrap_or_default();
    if said.contains("go-yaml load error") {
        // What Go writes it cannot always read again, such as a block that begins with an empty line and a tab.
        return false;
    }
    assert!(
        written.failures.is_empty(),
        "{:#?}\n{text}",
        written.failures
    );
    let left = lab.plan(text, Rules::default()).await;
    assert!(left.is_empty(), "{left:#?}\n{text}");
    let exact = lab.plan(text, EXACT).await;
    assert!(exact.is_empty(), "{exact:#?}\n{text}");
    let resources = cluster_resources(lab.omni.as_ref(), &cluster.name)
        .await
        .expect("Omni can be read")
        .expect("the cluster is there");
    let options = ExportOptions {
        kernel_args: true,
        ..ExportOptions::default()
    };
    let exported = export(&resources, options).expect("it can be exported");
    let again = lab.plan(&exported.text, Rules::default()).await;
    assert!(again.is_empty(), "{again:#?}\n{text}\n{}", exported.text);
    // What it says is also all there is to delete.
    let (written, _) = lab
        .write(&lab.removal(&cluster.name).await, Duration::from_mins(5))
        .await;
    assert!(written.is_complete(), "{written:#?}");
    true
}

#[test]
fn any_template_is_settled_after_its_sync() {
    let config = ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let settled = Cell::new(0);
    TestRunner::new(config)
        .run(&strategy::templates(), |text| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build()
                .expect("a runtime");
            if runtime.block_on(check(&text)) {
                settled.set(settled.get() + 1);
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(settled.get() > 20, "only {} could be synced", settled.get());
}
