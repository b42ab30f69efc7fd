//! What a change to a resource means for the machines.

use omni_client::{Resource, kinds, labels};
use serde_json::{Map, Value};

use super::Work;
use super::merge::metadata_lines;
use crate::meaning::{same_field, same_spec};
use crate::observe::OmniView;
use crate::plan::{Effect, short};

/// What a resource does to machines that run when it is made or changed.
pub(super) fn reboots(resource: &Resource) -> Effect {
    match short(&resource.metadata.kind) {
        "ConfigPatches" | "ExtensionsConfigurations" | "KernelArgs" => Effect::MayRebootNodes,
        _ => Effect::None,
    }
}

/// The effect of an update and the lines that explain it.
pub(super) fn of_update(
    work: &Work<'_>,
    actual: &Resource,
    next: &Resource,
) -> (Effect, Vec<String>) {
    let destroyed = destroyed(work.omni, actual, next);
    let mut detail = changed_keys(&actual.spec, &next.spec);
    let allocation = allocation_lines(&actual.spec, &next.spec, destroyed);
    if !allocation.is_empty() {
        detail.retain(|line| line != "~ machine_allocation");
        detail.extend(allocation);
    }
    detail.extend(metadata_lines(&actual.metadata, &next.metadata));
    let mark = labels::MANAGED_BY_CLUSTER_TEMPLATES;
    let has_mark = |resource: &Resource| resource.metadata.annotations.contains_key(mark);
    if short(&next.metadata.kind) == "Clusters" && has_mark(next) && !has_mark(actual) {
        detail.push("  made without a template: from now on this one decides".to_owned());
    }
    let (talos, kubernetes) = (
        is_bumped(actual, next, "talos_version"),
        is_bumped(actual, next, "kubernetes_version"),
    );
    if talos {
        detail.extend(talos_rollout(work));
    }
    if kubernetes {
        detail.push(
            "  Kubernetes: the control plane's pods machine by machine, then every kubelet; no reboot"
                .to_owned(),
        );
    }
    if talos || kubernetes {
        detail.extend(locked(work));
    }
    let effect = if destroyed > 0 {
        Effect::DestroysMachines
    } else if talos || kubernetes {
        Effect::RollingUpgrade
    } else if same_spec(&actual.spec, &next.spec) {
        Effect::None
    } else {
        reboots(next)
    };
    (effect, detail)
}

fn is_bumped(actual: &Resource, next: &Resource, key: &str) -> bool {
    short(&next.metadata.kind) == "Clusters" && actual.spec.get(key) != next.spec.get(key)
}

/// A Talos upgrade in Omni's order: control planes, then the other sets, each with its own parallelism.
fn talos_rollout(work: &Work<'_>) -> Vec<String> {
    let mut sets: Vec<&Resource> = work
        .cluster
        .resources
        .iter()
        .filter(|resource| short(&resource.metadata.kind) == "MachineSets")
        .collect();
    sets.sort_by_key(|set| set.label(labels::ROLE_CONTROL_PLANE).is_none());
    let line = |set: &&Resource| {
        let order = if set.label(labels::ROLE_CONTROL_PLANE).is_some() {
            "first"
        } else {
            "then"
        };
        let at_once = match parallelism(&set.spec) {
            1 => "one machine at a time".to_owned(),
            several => format!("up to {several} machines at a time"),
        };
        format!("  Talos: {order} {}, {at_once}, each reboots", set.id())
    };
    sets.iter().map(line).collect()
}

fn parallelism(set: &Value) -> u64 {
    let rolling = set.get("upgrade_strategy").and_then(Value::as_u64) == Some(1);
    let most = set
        .pointer("/upgrade_strategy_config/rolling/max_parallelism")
        .and_then(Value::as_u64);
    most.filter(|_| rolling).unwrap_or(1)
}

fn locked(work: &Work<'_>) -> Option<String> {
    let locked = work
        .cluster
        .resources
        .iter()
        .filter(|resource| resource.metadata.annotations.contains_key(labels::LOCKED));
    let ids: Vec<&str> = locked.map(Resource::id).collect();
    (!ids.is_empty()).then(|| {
        format!(
            "  locked machines wait until they are unlocked: {}",
            ids.join(", ")
        )
    })
}

/// Machines there are for a set: made ones, and those being made.
pub(super) fn machines_of(omni: &OmniView, set: &str) -> u64 {
    let nodes = omni.template_resources.values().filter(|node| {
        node.metadata.kind == kinds::MACHINE_SET_NODE.name
            && node.label(labels::MACHINE_SET) == Some(set)
    });
    let requests = omni
        .requests
        .values()
        .filter(|request| request.set == set && !request.tearing_down);
    u64::try_from(nodes.count().max(requests.count())).unwrap_or(u64::MAX)
}

/// Machines that Omni destroys because their set is to be smaller than what exists.
fn destroyed(omni: &OmniView, actual: &Resource, next: &Resource) -> u64 {
    let smaller = size(&next.spec).filter(|new_size| size(&actual.spec) != Some(*new_size));
    match smaller.filter(|_| short(&next.metadata.kind) == "MachineSets") {
        Some(size) => machines_of(omni, next.id()).saturating_sub(size),
        None => 0,
    }
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
    let differs = |key: &String| !same_field(actual, wanted, key);
    let empty = Map::new();
    let (before, after) = (
        actual.as_object().unwrap_or(&empty),
        wanted.as_object().unwrap_or(&empty),
    );
    let gone = before
        .keys()
        .filter(|key| !after.contains_key(*key) && differs(key))
        .map(|key| format!("- {key}"));
    let set = after
        .iter()
        .filter(|(key, _)| differs(key))
        .map(|(key, value)| match (before.get(key), value) {
            (Some(Value::String(before)), Value::String(after)) if key.ends_with("_version") => {
                format!("~ {key}: {before} -> {after}")
            }
            _ => format!("~ {key}"),
        });
    set.chain(gone).collect()
}
