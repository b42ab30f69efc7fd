//! Whether each node has enough devices for the machines that can land on it.

use std::collections::BTreeSet;

use super::{Action, Finding, Plan, mappings};
use crate::devices::{addresses, free_devices, is_device};
use crate::diagnostic::Diagnostic;
use crate::observe::{HypervisorView, Snapshot};
use crate::ports::System;
use crate::site::{MachineSetIntent, Site, WantedGpu};

/// Devices that machines need somewhere.
pub(super) struct Need<'a> {
    pub(super) provider: String,
    pub(super) set: &'a MachineSetIntent,
    pub(super) gpu: &'a WantedGpu,
    /// Nodes the machines can land on.
    pub(super) nodes: Vec<String>,
    /// How many machines.
    pub(super) count: usize,
    /// Whether the nodes are certain.
    pub(super) pinned: bool,
    /// For a machine that exists: it counts, but what it lacks stops no other; its attach looks for itself.
    pub(super) exists: bool,
}

/// Checks every need on every node, and makes the mappings that are absent.
pub(super) fn check(
    site: &Site,
    snapshot: &Snapshot,
    needs: &[Need<'_>],
    plan: &mut Plan,
) -> Vec<Action> {
    let mut made = Vec::new();
    let mut checked = BTreeSet::new();
    for need in needs {
        let Some(view) = snapshot.hypervisors.get(&need.provider) else {
            continue;
        };
        let id = &need.gpu.mapping;
        if need.exists && !view.mappings.contains_key(id) && !site.gpu_mappings.contains_key(id) {
            let error = Diagnostic::error(format!(
                "a machine of {} lacks {id}, and Proxmox has no such PCI mapping",
                need.set.id
            ))
            .at(need.gpu.origin.clone())
            .hint("declare its devices under `gpuMappings`, or make it in Proxmox");
            plan.left_to_person
                .push(Finding::of(System::Proxmox(need.provider.clone()), error));
            continue;
        }
        if checked.insert((need.provider.as_str(), id.as_str())) {
            let used = (need.provider.as_str(), need.gpu, need.set.id.as_str());
            made.extend(mappings::ensure(site, view, used, plan));
        }
        for node in need.nodes.iter().filter(|_| !need.exists) {
            check_node(
                site,
                view,
                need,
                node,
                wanted(site, view, needs, need, node),
                plan,
            );
        }
    }
    made
}

/// How many devices all needs together want of the need's mapping on a node.
fn wanted(
    site: &Site,
    view: &HypervisorView,
    needs: &[Need<'_>],
    need: &Need<'_>,
    node: &str,
) -> usize {
    let id = &need.gpu.mapping;
    let own = addresses(&site.gpu_mappings, view, node, id);
    // Two mappings may stand for one device: it is promised once.
    let same_device = |other: &Need<'_>| {
        let theirs = addresses(&site.gpu_mappings, view, node, &other.gpu.mapping);
        other.gpu.mapping == *id
            || own
                .iter()
                .any(|one| theirs.iter().any(|their| is_device(one, their)))
    };
    needs
        .iter()
        .filter(|other| {
            other.provider == need.provider && other.nodes.iter().any(|other| other == node)
        })
        .filter(|other| same_device(other))
        .map(|other| other.count)
        .sum()
}

fn check_node(
    site: &Site,
    view: &HypervisorView,
    need: &Need<'_>,
    node: &str,
    wanted: usize,
    plan: &mut Plan,
) {
    let id = &need.gpu.mapping;
    let mut block = |message: String, hint: String| {
        let class = need
            .set
            .class
            .as_ref()
            .and_then(|(class, _)| site.machine_classes.get(class));
        let origin = class.map_or(&need.set.origin, |class| &class.origin);
        let finding = Finding::of(
            System::Proxmox(need.provider.clone()),
            Diagnostic::error(message).at(origin.clone()).hint(hint),
        );
        if !plan.blockers.contains(&finding) {
            plan.blockers.push(finding);
        }
    };
    if !view.nodes.get(node).copied().unwrap_or(false) {
        block(
            format!(
                "machines of {} are to run on the node {node}, which is not online",
                need.set.id
            ),
            "bring it up, or change `node` in the class".to_owned(),
        );
        return;
    }
    if let Some(finding) = view
        .mapping_findings
        .get(&(id.clone(), node.to_owned()))
        .and_then(|found| found.first())
    {
        block(
            format!("the mapping {id} does not fit the hardware of {node}: {finding}"),
            "correct the mapping in Proxmox: Datacenter, Resource Mappings".to_owned(),
        );
        return;
    }
    let free = free_devices(&site.gpu_mappings, view, node, id);
    if free.free >= wanted {
        return;
    }
    let users = if free.users.is_empty() {
        String::new()
    } else {
        format!(" (in use by {})", free.users.join(", "))
    };
    let hint = if need.pinned {
        format!(
            "free one, lower the size of {}, or add a device to the mapping",
            need.set.id
        )
    } else {
        let place = view
            .nodes
            .keys()
            .find(|other| free_devices(&site.gpu_mappings, view, other, id).free >= need.count);
        match place {
            Some(other) => format!("add the line `node: {other}` to the providerdata of its class"),
            None => "no node has enough: add a device to the mapping or lower the size".to_owned(),
        }
    };
    block(
        format!(
            "machines of {} can land on {node}, which needs {wanted} free of {id} and has {}{users}",
            need.set.id, free.free
        ),
        hint,
    );
}
