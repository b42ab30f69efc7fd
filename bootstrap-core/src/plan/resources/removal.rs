//! What Omni has of a cluster and its template does not.

use std::collections::BTreeSet;

use omni_client::{Resource, labels};

use super::effects::machines_of;
use super::{Found, Rules, Work, action_id, merge, own, rank, short};
use crate::diagnostic::Diagnostic;
use crate::observe::{OmniView, key};
use crate::plan::{Action, Change, Effect, Finding, Plan};
use crate::ports::System;

/// What goes, and what is only let go of.
pub(super) struct Gone {
    pub(super) released: Vec<Action>,
    pub(super) deleted: Vec<Action>,
}

/// Removals for a template that no longer has something, and a word on what is left alone.
pub(super) fn of_template(work: &Work<'_>, plan: &mut Plan) -> Gone {
    let wanted = work.wanted();
    let listed: BTreeSet<&str> = work
        .cluster
        .resources
        .iter()
        .filter(|resource| short(&resource.metadata.kind) == "MachineSetNodes")
        .map(Resource::id)
        .collect();
    let found = &work.omni.template_resources;
    let superfluous = found
        .iter()
        .filter(|(key, _)| !wanted.contains(key))
        .map(|(_, actual)| actual)
        .filter(|actual| is_managed(actual, &work.cluster.name, found));
    let mut gone = Gone {
        released: Vec::new(),
        deleted: Vec::new(),
    };
    let mut left_alone = Vec::new();
    for actual in superfluous {
        match fate(actual, &work.cluster.name, &listed, work.rules) {
            Fate::Stays => {}
            Fate::LeftAlone => left_alone.push(action_id(actual)),
            Fate::Released => gone.released.push(release(actual)),
            Fate::Deleted => gone.deleted.push(delete(actual, work.omni)),
        }
    }
    gone.deleted = ordered(gone.deleted);
    if !left_alone.is_empty() {
        plan.warnings.push(Finding::of(
            System::Omni,
            note(&work.cluster.name, &left_alone),
        ));
    }
    gone
}

/// The plan that removes a cluster: Omni takes everything of it along. `before` goes first, phase by phase.
pub fn cluster_removal(cluster: &str, omni: &OmniView, before: &[Vec<Resource>]) -> Plan {
    let found = &omni.template_resources;
    let mut plan = Plan {
        site: cluster.to_owned(),
        ..Plan::default()
    };
    let mut deleted = Vec::new();
    for actual in found
        .values()
        .filter(|actual| is_managed(actual, cluster, found))
    {
        match fate(
            actual,
            cluster,
            &BTreeSet::new(),
            Rules {
                prune: true,
                exact: true,
            },
        ) {
            Fate::Released => plan.actions.push(release(actual)),
            Fate::Deleted => deleted.push(delete(actual, omni)),
            Fate::Stays | Fate::LeftAlone => {}
        }
    }
    if let Some(locked) = locked(cluster, found) {
        plan.blockers.push(Finding::of(System::Omni, locked));
    }
    plan.actions
        .extend(before.iter().flatten().map(|actual| delete(actual, omni)));
    plan.actions.extend(ordered(deleted));
    plan
}

/// Omni refuses to delete a locked cluster.
fn locked(cluster: &str, found: &Found) -> Option<Diagnostic> {
    let actual = found.values().find(|actual| {
        short(&actual.metadata.kind) == "Clusters"
            && actual.id() == cluster
            && actual
                .metadata
                .annotations
                .contains_key(labels::CLUSTER_LOCKED)
    });
    actual.map(|_| {
        Diagnostic::error(format!("the cluster {cluster} is locked"))
            .hint("unlock it in Omni first")
    })
}

/// What users manage of a cluster. Kernel arguments and install disks carry no cluster label: theirs is the machine.
fn is_managed(actual: &Resource, cluster: &str, found: &Found) -> bool {
    let metadata = &actual.metadata;
    if !metadata.owner.is_empty()
        || metadata
            .labels
            .contains_key(labels::MANAGED_BY_NODE_CONTROLLER)
    {
        return false;
    }
    match short(&metadata.kind) {
        "Clusters" => metadata.id == cluster,
        "KernelArgs" | "MachineInstallDiskConfigs" => {
            let node = (
                omni_client::kinds::MACHINE_SET_NODE.name.to_string(),
                metadata.id.clone(),
            );
            found
                .get(&node)
                .is_some_and(|node| is_managed(node, cluster, found))
        }
        _ => metadata.labels.get(labels::CLUSTER).map(String::as_str) == Some(cluster),
    }
}

enum Fate {
    Stays,
    LeftAlone,
    Released,
    Deleted,
}

fn fate(actual: &Resource, cluster: &str, listed: &BTreeSet<&str>, rules: Rules) -> Fate {
    let by_template = actual
        .metadata
        .annotations
        .contains_key(labels::MANAGED_BY_CLUSTER_TEMPLATES);
    match short(&actual.metadata.kind) {
        "KernelArgs" | "MachineInstallDiskConfigs" if !by_template => Fate::Stays,
        // A machine that stays goes back to choosing its disk by itself, which only the lack of a choice can say.
        "MachineInstallDiskConfigs" if listed.contains(actual.id()) => Fate::Deleted,
        // They are the machine's, and outlive its membership.
        "KernelArgs" | "MachineInstallDiskConfigs" => Fate::Released,
        _ if rules.exact || rules.prune || own::has_template_id(actual, cluster) => Fate::Deleted,
        _ => Fate::LeftAlone,
    }
}

fn release(actual: &Resource) -> Action {
    let mark = labels::MANAGED_BY_CLUSTER_TEMPLATES;
    Action {
        id: action_id(actual),
        reason: "the template no longer has it; it stays with the machine".to_owned(),
        effect: Effect::None,
        detail: vec![format!("- annotation {mark}")],
        change: Change::UpdateResource {
            resource: merge::without_annotation(actual, mark),
            seen: Box::new(actual.clone()),
        },
    }
}

fn delete(actual: &Resource, omni: &OmniView) -> Action {
    let (mut effect, mut detail) = (Effect::None, Vec::new());
    match short(&actual.metadata.kind) {
        "ConfigPatches" | "ExtensionsConfigurations" => effect = Effect::MayRebootNodes,
        "MachineSetNodes" => {
            effect = Effect::DestroysMachines;
            detail.push("its machine leaves the cluster and is wiped".to_owned());
        }
        "MachineSets" => {
            let machines = machines_of(omni, actual.id());
            if machines > 0 {
                effect = Effect::DestroysMachines;
                detail.push(leaving(machines));
            }
        }
        "Clusters" => {
            effect = Effect::DestroysMachines;
            detail.push(goes_along(omni, actual.id()));
        }
        "Links" => {
            detail.push("its machine is removed from Omni without being wiped".to_owned());
        }
        _ => {}
    }
    Action {
        id: action_id(actual),
        reason: "Omni has it, the template does not".to_owned(),
        effect,
        detail,
        change: Change::DeleteResource {
            seen: actual.clone(),
        },
    }
}

/// What Omni takes along with a cluster.
fn goes_along(omni: &OmniView, cluster: &str) -> String {
    let count = |kind: &str| {
        let all = omni.template_resources.values();
        all.filter(|resource| {
            short(&resource.metadata.kind) == kind
                && resource.label(labels::CLUSTER) == Some(cluster)
        })
        .count()
    };
    format!(
        "with its machines ({}), machine sets ({}), patches ({}) and everything else of it",
        count("MachineSetNodes"),
        count("MachineSets"),
        count("ConfigPatches")
    )
}

fn leaving(machines: u64) -> String {
    match machines {
        1 => "1 machine of it is destroyed or wiped".to_owned(),
        several => format!("{several} machines of it are destroyed or wiped"),
    }
}

/// Machine sets and nodes first, then the rest, each in the order of types; without what goes along with something
/// else.
fn ordered(mut deleted: Vec<Action>) -> Vec<Action> {
    let going: BTreeSet<(String, String)> = deleted
        .iter()
        .filter_map(|action| action.change.resource())
        .map(key)
        .collect();
    let goes = |kind: &str, id: Option<&str>| {
        id.is_some_and(|id| going.contains(&(format!("{kind}.omni.sidero.dev"), id.to_owned())))
    };
    deleted.retain(|action| {
        let Some(resource) = action.change.resource() else {
            return true;
        };
        match short(&resource.metadata.kind) {
            "Clusters" => true,
            "MachineSetNodes" => !goes("MachineSets", resource.label(labels::MACHINE_SET)),
            _ => !goes("Clusters", resource.label(labels::CLUSTER)),
        }
    });
    // A patch of machines that go changes nothing for those that stay.
    for action in &mut deleted {
        let resource = action.change.resource();
        let set = resource.and_then(|resource| resource.label(labels::MACHINE_SET));
        if action.effect == Effect::MayRebootNodes && goes("MachineSets", set) {
            action.effect = Effect::None;
        }
    }
    deleted.sort_by_key(|action| {
        let kind = action
            .change
            .resource()
            .map_or("", |resource| resource.metadata.kind.as_str());
        let is_later = !matches!(short(kind), "MachineSets" | "MachineSetNodes");
        (is_later, rank(kind))
    });
    deleted
}

fn note(cluster: &str, left_alone: &[String]) -> Diagnostic {
    Diagnostic::warning(format!(
        "left alone, as the template of {cluster} does not have it: {}",
        left_alone.join(", ")
    ))
    .hint(
        "`omni-cluster-template sync --prune` deletes all of it, as `omnictl cluster template sync` does; \
         `omni-resource delete` deletes one",
    )
}
