//! Templates made from clusters: omnictl's bytes, and nothing lost on the way back.

// A test says what it expects by failing, and prints how much it saw.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod cases;
mod generated;
mod strategy;

use std::collections::BTreeMap;
use std::path::Path;

use bootstrap_core::meaning::same_spec;
use bootstrap_core::template::{self, Export, ExportOptions, LoadOptions, Template};
use omni_client::{Resource, kinds};
use serde_json::json;

/// A machine that templates list.
const MACHINE: &str = "6d90e7b6-5a8b-44ba-93eb-2e0b5a0c6a1d";

fn load_text(text: &str) -> Template {
    let options = LoadOptions {
        text: Some(text.to_owned()),
        ..LoadOptions::default()
    };
    let template = template::load_with(Path::new("t.yaml"), &options)
        .unwrap_or_else(|errors| panic!("{errors:#?}\n{text}"));
    assert_eq!(template.validate(), [], "{text}");
    template
}

/// Resources as a server has them after a sync.
fn stored(template: &Template) -> Vec<Resource> {
    let mut resources = template.translate().unwrap();
    for resource in &mut resources {
        resource.metadata.version = 3;
        "2026-11-23T07:52:58Z".clone_into(&mut resource.metadata.created);
        resource.metadata.finalizers = vec!["SomeController".to_owned()];
    }
    let status = Resource {
        spec: json!({"phase": 3, "initial_talos_version": template.talos_version()}),
        ..Resource::new(&kinds::CLUSTER_STATUS, template.cluster_name())
    };
    resources.push(status);
    resources
}

fn exported(resources: &[Resource]) -> Export {
    template::export(resources, ExportOptions::default())
        .unwrap_or_else(|error| panic!("{error:#?}"))
}

type Meaning = BTreeMap<(String, String), Resource>;

fn meaning(resources: &[Resource]) -> Meaning {
    let own = resources
        .iter()
        .filter(|resource| !resource.metadata.kind.starts_with("ClusterStatuses"));
    own.map(|resource| {
        let key = (resource.metadata.kind.clone(), resource.id().to_owned());
        (key, resource.clone())
    })
    .collect()
}

fn check_same(before: &[Resource], after: &[Resource], text: &str) {
    let (before, after) = (meaning(before), meaning(after));
    let ids = |all: &Meaning| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(ids(&before), ids(&after), "{text}");
    for (key, old) in &before {
        let new = &after[key];
        assert_eq!(old.metadata.labels, new.metadata.labels, "{key:?}\n{text}");
        assert_eq!(
            old.metadata.annotations, new.metadata.annotations,
            "{key:?}\n{text}"
        );
        assert!(
            same_spec(&old.spec, &new.spec),
            "{key:?}: {} {}\n{text}",
            old.spec,
            new.spec
        );
        assert_eq!(
            old.spec.get("data"),
            new.spec.get("data"),
            "{key:?}\n{text}"
        );
    }
}

/// A template goes to a server and comes back the same, and a second export is the same text.
fn check_round_trip(template: &Template) -> Export {
    let before = stored(template);
    let export = exported(&before);
    let again = load_text(&export.text);
    check_same(&before, &stored(&again), &export.text);
    assert_eq!(export.notes, Vec::<String>::new(), "{}", export.text);
    assert_eq!(exported(&stored(&again)).text, export.text);
    export
}
