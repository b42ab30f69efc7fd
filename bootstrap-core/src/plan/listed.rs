//! Machines a template lists by UUID: Omni takes any UUID, and waits for ever for one it never saw.

use super::{Finding, Plan};
use crate::diagnostic::{Diagnostic, Severity};
use crate::machines::listed;
use crate::observe::{OmniView, Snapshot};
use crate::ports::System;
use crate::site::{ClusterIntent, Site};

pub(super) fn check(site: &Site, snapshot: &Snapshot, plan: &mut Plan) {
    for cluster in &site.clusters {
        let unknown = unknown(cluster, &snapshot.omni).into_iter();
        plan.blockers.extend(unknown.map(|mut finding| {
            finding.diagnostic.severity = Severity::Error;
            finding
        }));
    }
}

/// A warning for each machine set with machines that never joined.
pub(super) fn unknown(cluster: &ClusterIntent, omni: &OmniView) -> Vec<Finding> {
    let warn = |set: &crate::site::MachineSetIntent| {
        let unknown: Vec<&str> = listed(cluster, set)
            .filter(|uuid| !omni.machines.contains_key(&uuid.to_lowercase()))
            .collect();
        if unknown.is_empty() {
            return None;
        }
        let warning = Diagnostic::warning(format!(
            "Omni does not know {}",
            match unknown.as_slice() {
                [one] => format!("this machine of {}: {one}", set.id),
                several => format!("these machines of {}: {}", set.id, few(several)),
            }
        ))
        .at(set.origin.clone())
        .hint("boot them with this Omni's image first, or correct the list in the template");
        Some(Finding::of(System::Omni, warning))
    };
    cluster.machine_sets.iter().filter_map(warn).collect()
}

fn few(ids: &[&str]) -> String {
    const SHOWN: usize = 10;
    let text = ids[..ids.len().min(SHOWN)].join(", ");
    match ids.len().saturating_sub(SHOWN) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}
