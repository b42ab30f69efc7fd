//! What an update sends: the template's part as wanted, everybody else's as read.

use std::collections::BTreeMap;

use omni_client::{Metadata, Phase, Resource, labels};
use serde_json::{Map, Value};

use super::short;
use crate::meaning::with_omnis_own;

/// Labels that the translation of a template writes.
const TRANSLATED_LABELS: [&str; 5] = [
    labels::CLUSTER,
    labels::MACHINE_SET,
    labels::CLUSTER_MACHINE,
    labels::ROLE_CONTROL_PLANE,
    labels::ROLE_WORKER,
];
/// Annotations that it writes.
const TRANSLATED_ANNOTATIONS: [&str; 2] = [labels::MANAGED_BY_CLUSTER_TEMPLATES, labels::LOCKED];

type Texts = BTreeMap<String, String>;

/// The wanted resource with the identity, version and finalizers that were read, and with what a template cannot say:
/// Omni's own labels and annotations, and unknown fields of the spec.
pub(super) fn merged(actual: &Resource, wanted: &Resource) -> Resource {
    let metadata = Metadata {
        labels: with_omnis_own(
            &actual.metadata.labels,
            &wanted.metadata.labels,
            &TRANSLATED_LABELS,
        ),
        annotations: with_omnis_own(
            &actual.metadata.annotations,
            &wanted.metadata.annotations,
            &TRANSLATED_ANNOTATIONS,
        ),
        ..actual.metadata.clone()
    };
    Resource {
        metadata,
        spec: merged_spec(&actual.spec, &wanted.spec, &wanted.metadata.kind),
    }
}

/// The wanted resource as omnictl sends it: nothing but version and finalizers is taken from what was read.
pub(super) fn replacement(actual: &Resource, wanted: &Resource) -> Resource {
    let metadata = Metadata {
        labels: wanted.metadata.labels.clone(),
        annotations: wanted.metadata.annotations.clone(),
        phase: Phase::Running,
        ..actual.metadata.clone()
    };
    Resource {
        metadata,
        spec: wanted.spec.clone(),
    }
}

/// The same without one annotation.
pub(super) fn without_annotation(actual: &Resource, name: &str) -> Resource {
    let mut released = actual.clone();
    released.metadata.annotations.remove(name);
    released
}

/// Keys a template decides, by kind. Others are echoed as read.
fn template_keys(kind: &str) -> &'static [&'static str] {
    match short(kind) {
        "Clusters" => &[
            "kubernetes_version",
            "talos_version",
            "features",
            "backup_configuration",
        ],
        "MachineSets" => &[
            "update_strategy",
            "update_strategy_config",
            "delete_strategy",
            "delete_strategy_config",
            "upgrade_strategy",
            "upgrade_strategy_config",
            "machine_allocation",
            "machine_class",
            "bootstrap_spec",
        ],
        // Text and compressed text are two forms of one thing.
        "ConfigPatches" => &["data", "compressed_data"],
        "ExtensionsConfigurations" => &["extensions"],
        "KernelArgs" => &["args"],
        "MachineInstallDiskConfigs" => &["disk", "disk_selector"],
        "KubernetesManifestGroups" => &["data", "compressed_data", "mode"],
        "KubernetesHealthChecks" => &["job", "interval"],
        _ => &[],
    }
}

fn merged_spec(actual: &Value, wanted: &Value, kind: &str) -> Value {
    let empty = Map::new();
    let mut merged = actual.as_object().unwrap_or(&empty).clone();
    let keys = template_keys(kind);
    merged.retain(|key, _| !keys.contains(&key.as_str()));
    for (key, value) in wanted.as_object().unwrap_or(&empty) {
        merged.insert(key.clone(), value.clone());
    }
    Value::Object(merged)
}

/// What to send after somebody was faster: the change from `seen` to `wanted` made to what is there now. The spec is
/// the caller's to compare.
pub(crate) fn three_way(now: &Metadata, seen: &Metadata, wanted: &Metadata) -> Metadata {
    Metadata {
        labels: rebased(&now.labels, &seen.labels, &wanted.labels),
        annotations: rebased(&now.annotations, &seen.annotations, &wanted.annotations),
        ..now.clone()
    }
}

fn rebased(now: &Texts, seen: &Texts, wanted: &Texts) -> Texts {
    let mut all = now.clone();
    all.retain(|key, _| wanted.contains_key(key) || !seen.contains_key(key));
    for (key, value) in wanted {
        if seen.get(key) != Some(value) {
            all.insert(key.clone(), value.clone());
        }
    }
    all
}

/// How labels and annotations change, a line each.
pub(super) fn metadata_lines(before: &Metadata, after: &Metadata) -> Vec<String> {
    let mut lines = changed("label", &before.labels, &after.labels);
    lines.extend(changed(
        "annotation",
        &before.annotations,
        &after.annotations,
    ));
    lines
}

fn changed(what: &str, before: &Texts, after: &Texts) -> Vec<String> {
    let gone = before
        .keys()
        .filter(|key| !after.contains_key(*key))
        .map(|key| format!("- {what} {key}"));
    let set = after
        .iter()
        .filter_map(|(key, value)| match before.get(key) {
            None if value.is_empty() => Some(format!("+ {what} {key}")),
            None => Some(format!("+ {what} {key}: {value}")),
            Some(old) if old != value => Some(format!("~ {what} {key}: {old} -> {value}")),
            Some(_) => None,
        });
    gone.chain(set).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(pairs: &[(&str, &str)]) -> Texts {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn resource(annotations: &[(&str, &str)], spec: Value) -> Resource {
        let metadata = Metadata {
            kind: "Clusters.omni.sidero.dev".to_owned(),
            annotations: texts(annotations),
            ..Metadata::default()
        };
        Resource { metadata, spec }
    }

    #[test]
    fn what_a_template_cannot_say_survives_and_what_it_can_is_its_own() {
        let actual = resource(
            &[
                (labels::CLUSTER_LOCKED, ""),
                (labels::LOCKED, ""),
                ("team", "a"),
                ("old", "x"),
            ],
            json!({"talos_version": "1.13.7", "features": {"disk_encryption": true}, "newer": 1}),
        );
        let wanted = resource(
            &[("team", "b"), (labels::MANAGED_BY_CLUSTER_TEMPLATES, "")],
            json!({"talos_version": "1.13.8", "features": {}}),
        );
        let next = merged(&actual, &wanted);
        assert_eq!(
            next.metadata.annotations,
            texts(&[
                (labels::CLUSTER_LOCKED, ""),
                (labels::MANAGED_BY_CLUSTER_TEMPLATES, ""),
                ("team", "b")
            ])
        );
        assert_eq!(
            next.spec,
            json!({"newer": 1, "talos_version": "1.13.8", "features": {}})
        );
        assert_eq!(
            metadata_lines(&actual.metadata, &next.metadata),
            [
                "- annotation old",
                "- annotation omni.sidero.dev/locked",
                "+ annotation omni.sidero.dev/managed-by-cluster-templates",
                "~ annotation team: a -> b"
            ]
        );
        assert_eq!(
            replacement(&actual, &wanted).metadata.annotations,
            wanted.metadata.annotations
        );
    }

    #[test]
    fn a_change_is_made_to_what_somebody_else_left() {
        for (now, seen, wanted, expected) in [
            (
                &[("a", "1")][..],
                &[][..],
                &[("b", "2")][..],
                &[("a", "1"), ("b", "2")][..],
            ),
            (&[("a", "1"), ("n", "9")], &[("a", "1")], &[], &[("n", "9")]),
            (&[("a", "3")], &[("a", "1")], &[("a", "1")], &[("a", "3")]),
            (&[("a", "3")], &[("a", "1")], &[("a", "2")], &[("a", "2")]),
            (&[], &[("a", "1")], &[("a", "1")], &[]),
        ] {
            assert_eq!(
                rebased(&texts(now), &texts(seen), &texts(wanted)),
                texts(expected)
            );
        }
    }
}
