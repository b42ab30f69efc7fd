//! Machines a template lists by UUID: Omni takes any UUID, and waits for ever for one it never saw.

use super::{Finding, Plan};
use crate::diagnostic::Diagnostic;
use crate::machines::listed;
use crate::observe::Snapshot;
use crate::ports::System;
use crate::site::Site;

pub(super) fn check(site: &Site, snapshot: &Snapshot, plan: &mut Plan) {
    for cluster in &site.clusters {
        for set in &cluster.machine_sets {
            let unknown: Vec<&str> = listed(cluster, set)
                .filter(|uuid| !snapshot.omni.machines.contains_key(&uuid.to_lowercase()))
                .collect();
            if unknown.is_empty() {
                continue;
            }
            let error = Diagnostic::error(format!(
                "Omni does not know these machines of {}: {}",
                set.id,
                unknown.join(", ")
            ))
            .at(set.origin.clone())
            .hint("boot them with this Omni's image first, or correct the list in the template");
            plan.blockers.push(Finding::of(System::Omni, error));
        }
    }
}
