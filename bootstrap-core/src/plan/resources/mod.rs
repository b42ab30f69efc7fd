//! The cluster template's resources against Omni's: what to make, to change and to take away.

use std::collections::{BTreeMap, BTreeSet};

use omni_client::{Phase, Resource, labels};

use super::{Action, Change, Effect, Finding, Plan, short};
use crate::diagnostic::Diagnostic;
use crate::meaning::same_spec;
use crate::observe::{OmniView, TEMPLATE_KINDS, key};
use crate::ports::System;
use crate::site::{ClusterIntent, Site};

mod effects;
mod merge;
mod own;
mod removal;
mod renumber;

pub(crate) use merge::three_way;
pub(crate) use own::has_template_id;
pub use removal::cluster_removal;

/// How a template's resources are brought in line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rules {
    /// Delete patches, extension lists, manifests and health checks that carry the cluster's label and are not the
    /// template's own as well.
    pub prune: bool,
    /// As omnictl does: compare to the letter, replace as a whole, and delete everything with the cluster's label.
    pub exact: bool,
}

/// Everything of a cluster, by type and id.
type Found = BTreeMap<(String, String), Resource>;

pub(super) fn plan(site: &Site, omni: &OmniView, plan: &mut Plan) {
    for cluster in &site.clusters {
        work(cluster, omni, Rules::default(), plan);
    }
}

/// Adds what takes one cluster's resources from what Omni has to what its template says: creations, changes and
/// removals, each in the order of types.
pub(super) fn work(cluster: &ClusterIntent, omni: &OmniView, rules: Rules, plan: &mut Plan) {
    let work = Work {
        cluster,
        omni,
        rules,
    };
    let (mut made, mut changed) = (Vec::new(), Vec::new());
    for kind in &TEMPLATE_KINDS {
        let of_kind = cluster
            .resources
            .iter()
            .filter(|wanted| wanted.metadata.kind == kind.name);
        for wanted in of_kind {
            match omni.template_resources.get(&key(wanted)) {
                None => made.push(work.create(wanted)),
                Some(actual) => match work.problem(actual) {
                    None => changed.extend(work.update(actual, wanted)),
                    Some(problem) => plan.needs_person.push(Finding::of(
                        System::Omni,
                        problem.at(cluster.origin_of(wanted).clone()),
                    )),
                },
            }
        }
    }
    let gone = removal::of_template(&work, plan);
    changed.extend(gone.released);
    changed.sort_by_key(order);
    renumber::advise(cluster, &made, &gone.deleted, plan);
    plan.actions.extend(made);
    plan.actions.extend(changed);
    plan.actions.extend(gone.deleted);
}

/// What the parts of one cluster's plan look at.
struct Work<'a> {
    cluster: &'a ClusterIntent,
    omni: &'a OmniView,
    rules: Rules,
}

impl Work<'_> {
    fn wanted(&self) -> BTreeSet<(String, String)> {
        self.cluster.resources.iter().map(key).collect()
    }

    fn create(&self, wanted: &Resource) -> Action {
        let exists = self.omni.template_resources.contains_key(&(
            TEMPLATE_KINDS[0].name.to_string(),
            self.cluster.name.clone(),
        ));
        Action {
            id: action_id(wanted),
            reason: format!(
                "{} has it, Omni does not",
                self.cluster.template.path().display()
            ),
            effect: if exists {
                effects::reboots(wanted)
            } else {
                Effect::None
            },
            detail: Vec::new(),
            change: Change::CreateResource {
                resource: wanted.clone(),
            },
        }
    }

    /// What only a person can solve before this resource may be written. The server tells omnictl.
    fn problem(&self, actual: &Resource) -> Option<Diagnostic> {
        if self.rules.exact {
            return None;
        }
        let name = format!("{} {}", actual.metadata.kind, actual.metadata.id);
        if actual.metadata.phase == Phase::TearingDown {
            let held = match actual.metadata.finalizers.as_slice() {
                [] => String::new(),
                held => format!("; it still waits for {}", held.join(", ")),
            };
            let error = Diagnostic::error(format!("{name} is being torn down"));
            return Some(error.hint(format!("wait until it is gone{held}")));
        }
        if !actual.metadata.owner.is_empty() {
            let owner = &actual.metadata.owner;
            return Some(
                Diagnostic::error(format!("{name} belongs to Omni's {owner}"))
                    .hint("give what the template makes another id"),
            );
        }
        let owner = actual.metadata.labels.get(labels::CLUSTER)?;
        (*owner != self.cluster.name).then(|| {
            Diagnostic::error(format!("{name} already exists for the cluster {owner}"))
                .hint("an id can be used by one cluster only")
        })
    }

    fn update(&self, actual: &Resource, wanted: &Resource) -> Option<Action> {
        let next = if self.rules.exact {
            merge::replacement(actual, wanted)
        } else {
            merge::merged(actual, wanted)
        };
        let same = if self.rules.exact {
            actual.is_same_as(&next) && actual.metadata.phase == next.metadata.phase
        } else {
            same_spec(&actual.spec, &next.spec)
                && actual.metadata.labels == next.metadata.labels
                && actual.metadata.annotations == next.metadata.annotations
        };
        if same {
            return None;
        }
        let (effect, detail) = effects::of_update(self, actual, &next);
        Some(Action {
            id: action_id(wanted),
            reason: format!("it differs from {}", self.cluster.template.path().display()),
            effect,
            detail,
            change: Change::UpdateResource {
                resource: next,
                seen: Box::new(actual.clone()),
            },
        })
    }
}

pub(super) fn action_id(resource: &Resource) -> String {
    format!(
        "omni/{}/{}",
        short(&resource.metadata.kind),
        resource.metadata.id
    )
}

/// Where a type stands in the order of writing.
fn rank(kind: &str) -> usize {
    TEMPLATE_KINDS
        .iter()
        .position(|known| known.name == kind)
        .unwrap_or(TEMPLATE_KINDS.len())
}

fn order(action: &Action) -> usize {
    action
        .change
        .resource()
        .map_or(usize::MAX, |resource| rank(&resource.metadata.kind))
}
