//! Writes that Omni is known to refuse. It refuses them one by one, in the middle of the work; here all are told
//! before the first.

use omni_client::{Resource, labels};
use serde_json::Value;

use super::{Change, Finding, Plan, short};
use crate::diagnostic::{Diagnostic, Origin};
use crate::observe::OmniView;
use crate::ports::System;
use crate::resource::class;
use crate::site::ClusterIntent;

/// More extensions than this Omni does not take.
const MOST_EXTENSIONS: usize = 256;
/// Health checks run no more often.
const SHORTEST_INTERVAL: f64 = 5.0;

pub(super) fn check(cluster: &ClusterIntent, omni: &OmniView, plan: &mut Plan) {
    let mut refusals: Vec<(String, &str, Origin)> = Vec::new();
    let actual = omni.template_resources.values().find(|actual| {
        actual.metadata.kind.starts_with("Clusters.") && actual.id() == cluster.name
    });
    let is_locked = actual.is_some_and(|actual| {
        actual
            .metadata
            .annotations
            .contains_key(labels::CLUSTER_LOCKED)
    });
    let is_ours = |resource: &Resource| {
        resource.id() == cluster.name || resource.label(labels::CLUSTER) == Some(&cluster.name)
    };
    let changes = plan.actions.iter().map(|action| &action.change);
    let about_resources = changes.filter_map(|change| Some((change, change.resource()?)));
    for (change, resource) in about_resources.filter(|(_, resource)| is_ours(resource)) {
        let name = format!("{} {}", short(&resource.metadata.kind), resource.id());
        if is_locked && is_guarded(resource) {
            refusals.push((
                format!(
                    "{name} cannot be changed: the cluster {} is locked",
                    cluster.name
                ),
                "unlock it in Omni first",
                cluster.origin_of(resource).clone(),
            ));
            continue;
        }
        let found = match change {
            Change::CreateResource { resource } => of_state(resource, omni),
            Change::UpdateResource { resource, seen } => {
                of_change(seen, resource, omni).or_else(|| of_state(resource, omni))
            }
            Change::DeleteResource { seen } => of_removal(seen),
            _ => None,
        };
        refusals.extend(found.map(|(what, hint)| {
            let origin = cluster.origin_of(resource).clone();
            (format!("{name}: {what}"), hint, origin)
        }));
    }
    for (message, hint, origin) in refusals {
        let error = Diagnostic::error(message).at(origin).hint(hint);
        plan.blockers.push(Finding::of(System::Omni, error));
    }
}

/// What Omni is known to refuse of a template whatever it has, as far as files tell.
pub fn of_template(cluster: &ClusterIntent) -> Vec<Diagnostic> {
    let nothing = OmniView::default();
    let refused = cluster.resources.iter().filter_map(|resource| {
        let (what, hint) = of_state(resource, &nothing)?;
        let message = format!(
            "Omni will refuse {} {}: {what}",
            short(&resource.metadata.kind),
            resource.id()
        );
        Some(
            Diagnostic::warning(message)
                .at(cluster.origin_of(resource).clone())
                .hint(hint),
        )
    });
    refused.collect()
}

type Refusal = (String, &'static str);

/// What a locked cluster protects.
fn is_guarded(resource: &Resource) -> bool {
    matches!(
        short(&resource.metadata.kind),
        "Clusters" | "MachineSets" | "MachineSetNodes"
    )
}

/// What is refused whatever was there before.
fn of_state(resource: &Resource, omni: &OmniView) -> Option<Refusal> {
    let spec = &resource.spec;
    match short(&resource.metadata.kind) {
        "Clusters" => {
            let feature =
                |name: &str| spec.pointer(&format!("/features/{name}")) == Some(&Value::Bool(true));
            (feature("disable_public_discovery_service")
                && !feature("use_embedded_discovery_service"))
            .then(|| {
                (
                    "without the public discovery service it needs the embedded one".to_owned(),
                    "set `features.useEmbeddedDiscoveryService: true`",
                )
            })
        }
        "MachineSets" => unlimited(resource, omni),
        "ExtensionsConfigurations" => extensions(spec),
        "KubernetesHealthChecks" => {
            let interval = spec.get("interval").and_then(Value::as_str)?;
            let seconds: f64 = interval.strip_suffix('s')?.parse().ok()?;
            (seconds < SHORTEST_INTERVAL).then(|| {
                (
                    format!("an interval of {interval} is too short"),
                    "5s is the shortest",
                )
            })
        }
        _ => None,
    }
}

/// A class that makes machines has to be told how many.
fn unlimited(set: &Resource, omni: &OmniView) -> Option<Refusal> {
    let allocation = set.spec.get("machine_allocation")?;
    let name = allocation
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if name.is_empty() {
        return Some((
            "its machine class has no name".to_owned(),
            "set `machineClass.name`",
        ));
    }
    let is_unlimited = allocation.get("allocation_type").and_then(Value::as_u64) == Some(1);
    let makes_machines = omni
        .machine_classes
        .get(name)
        .is_some_and(|class| class::provisions(&class.spec));
    (is_unlimited && makes_machines).then(|| {
        (
            format!("the machine class {name} makes machines, so `unlimited` is no size for it"),
            "give a number as `machineClass.size`",
        )
    })
}

fn extensions(spec: &Value) -> Option<Refusal> {
    let names: Vec<&str> = spec
        .get("extensions")?
        .as_array()?
        .iter()
        .filter_map(Value::as_str)
        .collect();
    if names.len() > MOST_EXTENSIONS {
        return Some((
            format!("{} extensions are more than {MOST_EXTENSIONS}", names.len()),
            "drop some of `systemExtensions`",
        ));
    }
    let twice = names
        .iter()
        .enumerate()
        .find(|(at, name)| names[..*at].contains(name));
    twice.map(|(_, name)| {
        (
            format!("the extension {name} is listed twice"),
            "list it once in `systemExtensions`",
        )
    })
}

/// What is refused because of what is there.
fn of_change(seen: &Resource, next: &Resource, omni: &OmniView) -> Option<Refusal> {
    match short(&next.metadata.kind) {
        "Clusters" => {
            let encrypted = |resource: &Resource| {
                resource.spec.pointer("/features/disk_encryption") == Some(&Value::Bool(true))
            };
            (encrypted(seen) != encrypted(next)).then(|| {
                (
                    "disk encryption is decided when a cluster is made".to_owned(),
                    "restore `features.diskEncryption`, or make another cluster",
                )
            })
        }
        "MachineSets" => set_change(seen, next, omni),
        _ => None,
    }
}

fn set_change(seen: &Resource, next: &Resource, omni: &OmniView) -> Option<Refusal> {
    let bootstrap = |resource: &Resource| {
        resource
            .spec
            .get("bootstrap_spec")
            .filter(|spec| spec.is_object())
            .cloned()
    };
    if bootstrap(next).is_some() && bootstrap(seen) != bootstrap(next) {
        return Some((
            "what it was bootstrapped from cannot change".to_owned(),
            "restore `bootstrapSpec`; once the cluster runs it may be removed",
        ));
    }
    let by_class = |resource: &Resource| {
        resource
            .spec
            .get("machine_allocation")
            .is_some_and(Value::is_object)
    };
    let has_machines = omni.template_resources.values().any(|node| {
        node.metadata.kind.starts_with("MachineSetNodes.")
            && node.label(labels::MACHINE_SET) == Some(seen.id())
    });
    (by_class(seen) != by_class(next) && has_machines).then(|| {
        (
            "it has machines, and cannot go from listed machines to a class or back".to_owned(),
            "give the machines that come another set, then remove this one",
        )
    })
}

fn of_removal(seen: &Resource) -> Option<Refusal> {
    let is_locked = short(&seen.metadata.kind) == "MachineSetNodes"
        && seen.metadata.annotations.contains_key(labels::LOCKED);
    is_locked.then(|| {
        (
            "the machine is locked, so it cannot leave".to_owned(),
            "unlock it first: sync once with `locked: false`, or `omnictl cluster machine unlock`",
        )
    })
}
