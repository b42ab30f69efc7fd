//! The cluster template's resources against Omni's.

use omni_client::{Phase, Resource, labels};
use serde_json::{Map, Value};

use super::{Action, Change, Effect, Finding, Plan};
use crate::diagnostic::Diagnostic;
use crate::machines::machines;
use crate::meaning::{merged_metadata, same_spec};
use crate::observe::{Snapshot, TEMPLATE_KINDS};
use crate::ports::System;
use crate::site::{ClusterIntent, Site};

pub(super) fn plan(site: &Site, snapshot: &Snapshot, plan: &mut Plan) {
    for cluster in &site.clusters {
        for kind in &TEMPLATE_KINDS {
            let of_kind = cluster
                .resources
                .iter()
                .filter(|wanted| wanted.metadata.kind == kind.name);
            for wanted in of_kind {
                plan_one(site, cluster, wanted, snapshot, plan);
            }
        }
        warn_about_others(cluster, snapshot, plan);
    }
}

fn plan_one(
    site: &Site,
    cluster: &ClusterIntent,
    wanted: &Resource,
    snapshot: &Snapshot,
    plan: &mut Plan,
) {
    let key = (wanted.metadata.kind.clone(), wanted.metadata.id.clone());
    let exists = snapshot.omni.clusters.contains_key(&cluster.name);
    let Some(actual) = snapshot.omni.template_resources.get(&key) else {
        plan.actions.push(Action {
            id: action_id(wanted),
            reason: format!(
                "{} has it, Omni does not",
                cluster.template.path().display()
            ),
            effect: if exists {
                reboots(wanted)
            } else {
                Effect::None
            },
            detail: Vec::new(),
            change: Change::CreateResource {
                resource: wanted.clone(),
            },
        });
        return;
    };
    if let Some(problem) = problem(cluster, actual) {
        plan.needs_person.push(Finding::of(
            System::Omni,
            problem.at(cluster.origin.clone()),
        ));
        return;
    }
    let metadata = merged_metadata(&actual.metadata, &wanted.metadata);
    let spec = merged_spec(&actual.spec, &wanted.spec, &wanted.metadata.kind);
    let same_labels = metadata.labels == actual.metadata.labels
        && metadata.annotations == actual.metadata.annotations;
    if same_spec(&actual.spec, &spec) && same_labels {
        return;
    }
    let destroyed = destroyed(site, snapshot, actual, wanted);
    let mut detail = changed_keys(&actual.spec, &spec);
    let allocation = allocation_lines(&actual.spec, &spec, destroyed);
    if !allocation.is_empty() {
        detail.retain(|line| line != "~ machine_allocation");
        detail.extend(allocation);
    }
    plan.actions.push(Action {
        id: action_id(wanted),
        reason: format!("it differs from {}", cluster.template.path().display()),
        effect: if destroyed > 0 {
            Effect::DestroysMachines
        } else {
            effect(actual, &spec, wanted)
        },
        detail,
        change: Change::UpdateResource {
            resource: Resource { metadata, spec },
            seen: actual.spec.clone(),
        },
    });
}

fn action_id(resource: &Resource) -> String {
    let short = resource.metadata.kind.split('.').next().unwrap_or_default();
    format!("omni/{short}/{}", resource.metadata.id)
}

fn problem(cluster: &ClusterIntent, actual: &Resource) -> Option<Diagnostic> {
    let name = format!("{} {}", actual.metadata.kind, actual.metadata.id);
    if actual.metadata.phase == Phase::TearingDown {
        return Some(
            Diagnostic::error(format!("{name} is being torn down")).hint(format!(
                "wait until it is gone; it still waits for {}",
                actual.metadata.finalizers.join(", ")
            )),
        );
    }
    let owner = actual.metadata.labels.get(labels::CLUSTER);
    owner.filter(|owner| **owner != cluster.name).map(|owner| {
        Diagnostic::error(format!("{name} already exists for the cluster {owner}"))
            .hint("an id can be used by one cluster only")
    })
}

/// Keys a template decides, by kind. Others are echoed as read.
fn template_keys(kind: &str) -> &'static [&'static str] {
    match kind.split('.').next().unwrap_or_default() {
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
            "bootstrap_spec",
        ],
        "ConfigPatches" => &["data"],
        "ExtensionsConfigurations" => &["extensions"],
        "KernelArgs" => &["args"],
        "MachineInstallDiskConfigs" => &["disk", "disk_selector"],
        "KubernetesManifestGroups" => &["data", "mode"],
        "KubernetesHealthChecks" => &["job", "interval"],
        _ => &[],
    }
}

/// The spec an update sends: the template's keys as wanted, unknown ones as read.
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

fn reboots(resource: &Resource) -> Effect {
    match resource.metadata.kind.split('.').next().unwrap_or_default() {
        "ConfigPatches" | "ExtensionsConfigurations" | "KernelArgs" => Effect::MayRebootNodes,
        _ => Effect::None,
    }
}

fn effect(actual: &Resource, spec: &Value, wanted: &Resource) -> Effect {
    let bumped = ["talos_version", "kubernetes_version"]
        .iter()
        .any(|key| actual.spec[*key] != spec[*key]);
    if wanted.metadata.kind.starts_with("Clusters.") && bumped {
        Effect::RollingUpgrade
    } else {
        reboots(wanted)
    }
}

/// Machines that Omni destroys because their set is to be smaller than what exists.
fn destroyed(site: &Site, snapshot: &Snapshot, actual: &Resource, wanted: &Resource) -> u64 {
    let new_size = size(&wanted.spec).filter(|new_size| size(&actual.spec) != Some(*new_size));
    let Some(size) = new_size.filter(|_| wanted.metadata.kind.starts_with("MachineSets.")) else {
        return 0;
    };
    let there = machines(site, snapshot)
        .iter()
        .filter(|machine| machine.set.id == wanted.metadata.id)
        .count();
    u64::try_from(there)
        .unwrap_or(u64::MAX)
        .saturating_sub(size)
}

/// The number of machines a machine set's class is asked for, where it is asked for a number.
fn size(spec: &Value) -> Option<u64> {
    let allocation = spec
        .get("machine_allocation")
        .filter(|allocation| allocation.is_object())?;
    let is_unlimited = allocation["allocation_type"].as_u64().unwrap_or(0) != 0;
    (!is_unlimited).then(|| allocation["machine_count"].as_u64().unwrap_or(0))
}

fn allocation_lines(actual: &Value, wanted: &Value, destroyed: u64) -> Vec<String> {
    let class = |spec: &Value| {
        spec["machine_allocation"]["name"]
            .as_str()
            .unwrap_or("none")
            .to_owned()
    };
    let shown = |spec: &Value| match size(spec) {
        Some(size) => size.to_string(),
        None if spec["machine_allocation"].is_object() => "unlimited".to_owned(),
        None => "none".to_owned(),
    };
    let mut lines = Vec::new();
    let consequence = match destroyed {
        0 => String::new(),
        1 => ": Omni destroys the oldest machine".to_owned(),
        several => format!(": Omni destroys the {several} oldest machines"),
    };
    if shown(actual) != shown(wanted) {
        lines.push(format!(
            "~ size {} -> {}{consequence}",
            shown(actual),
            shown(wanted)
        ));
    }
    if class(actual) != class(wanted) {
        lines.push(format!(
            "~ machine class {} -> {}; machines that exist keep what they were made with",
            class(actual),
            class(wanted)
        ));
    }
    lines
}

/// Which keys change. Values of patches may hold secrets and are not shown.
fn changed_keys(actual: &Value, wanted: &Value) -> Vec<String> {
    let empty = Map::new();
    let (actual, wanted) = (
        actual.as_object().unwrap_or(&empty),
        wanted.as_object().unwrap_or(&empty),
    );
    wanted
        .iter()
        .filter(|(key, value)| {
            let one = |value: Value| serde_json::json!({ (*key): value });
            !same_spec(
                &one((*value).clone()),
                &one(actual.get(*key).cloned().unwrap_or(Value::Null)),
            )
        })
        .map(|(key, value)| match (actual.get(key), value) {
            (Some(Value::String(before)), Value::String(after)) if key.ends_with("_version") => {
                format!("~ {key}: {before} -> {after}")
            }
            _ => format!("~ {key}"),
        })
        .collect()
}

/// What carries the cluster's label and is not in the template is left alone, and named.
fn warn_about_others(cluster: &ClusterIntent, snapshot: &Snapshot, plan: &mut Plan) {
    let others: Vec<String> = snapshot
        .omni
        .template_resources
        .values()
        .filter(|actual| actual.metadata.owner.is_empty())
        .filter(|actual| actual.metadata.labels.get(labels::CLUSTER) == Some(&cluster.name))
        .filter(|actual| {
            !actual
                .metadata
                .labels
                .contains_key(labels::MANAGED_BY_NODE_CONTROLLER)
        })
        .filter(|actual| {
            !cluster.resources.iter().any(|wanted| {
                wanted.metadata.kind == actual.metadata.kind
                    && wanted.metadata.id == actual.metadata.id
            })
        })
        .map(action_id)
        .collect();
    if !others.is_empty() {
        let warning = Diagnostic::warning(format!(
            "left alone, as the template of {} does not have it: {}",
            cluster.name,
            others.join(", ")
        ))
        .hint("delete what should go with `omnictl delete`; `omnictl cluster template sync` would delete all of it");
        plan.warnings.push(Finding::of(System::Omni, warning));
    }
}
