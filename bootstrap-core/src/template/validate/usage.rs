//! Rules about the template as a whole: what there must be, and which machine is used where.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::{error, error_with_hint};
use crate::diagnostic::Origin;
use crate::template::findings::Finding;
use crate::template::model::Document;
use crate::template::text::quote;

pub(super) fn validate(documents: &[Document]) -> Vec<Finding> {
    let mut findings = counts(documents);
    findings.extend(machine_use(documents));
    findings
}

fn counts(documents: &[Document]) -> Vec<Finding> {
    let whole = Origin {
        file: file_of(documents),
        ..Origin::default()
    };
    let mut findings = Vec::new();
    let clusters: Vec<_> = documents
        .iter()
        .filter(|document| matches!(document, Document::Cluster(_)))
        .collect();
    let planes: Vec<_> = documents
        .iter()
        .filter(|document| matches!(document, Document::ControlPlane(_)))
        .collect();
    for (what, found) in [("cluster", clusters), ("controlplane", planes)] {
        if found.len() != 1 {
            let origin = found.get(1).map_or(&whole, |document| document.origin());
            findings.push(error(
                format!("template should contain 1 {what}, got {}", found.len()),
                origin,
            ));
        }
    }
    findings
}

fn file_of(documents: &[Document]) -> PathBuf {
    documents
        .first()
        .map(|document| document.origin().file.clone())
        .unwrap_or_default()
}

/// Rules about which machine is used where.
fn machine_use(documents: &[Document]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut names: BTreeMap<&str, Vec<&Origin>> = BTreeMap::new();
    let mut worker_sets: BTreeMap<&str, Vec<(&str, &Origin)>> = BTreeMap::new();
    let mut plane: Vec<(&str, &Origin)> = Vec::new();
    for document in documents {
        match document {
            Document::Workers(set) => {
                names.entry(&set.name).or_default().push(&set.origin);
                for (id, origin) in &set.machines {
                    worker_sets.entry(id).or_default().push((&set.name, origin));
                }
            }
            Document::ControlPlane(set) => {
                plane.extend(
                    set.machines
                        .iter()
                        .map(|(id, origin)| (id.as_str(), origin)),
                );
            }
            _ => {}
        }
    }
    for (name, origins) in names.iter().filter(|(_, origins)| origins.len() > 1) {
        let message = format!("duplicate workers with name {}", quote(name));
        findings.push(error_with_hint(
            message,
            origins[1],
            "give each Workers document its own name",
        ));
    }
    for (id, sets) in worker_sets.iter().filter(|(_, sets)| sets.len() > 1) {
        let quoted: Vec<_> = sets.iter().map(|(name, _)| quote(name)).collect();
        let message = format!(
            "machine {} is used in multiple workers: [{}]",
            quote(id),
            quoted.join(" ")
        );
        findings.push(error(message, sets[1].1));
    }
    let in_plane: BTreeSet<&str> = plane.iter().map(|(id, _)| *id).collect();
    let both: Vec<&str> = worker_sets
        .keys()
        .copied()
        .filter(|id| in_plane.contains(id))
        .collect();
    if let Some(origin) = both
        .first()
        .and_then(|id| worker_sets.get(id))
        .and_then(|sets| sets.first())
    {
        let message = format!(
            "machines [{}] are used in both controlplane and workers",
            both.join(" ")
        );
        findings.push(error(message, origin.1));
    }
    let unused = |id: &str| !in_plane.contains(id) && !worker_sets.contains_key(id);
    findings.extend(machine_documents(documents, &plane, unused));
    findings
}

fn machine_documents(
    documents: &[Document],
    plane: &[(&str, &Origin)],
    unused: impl Fn(&str) -> bool,
) -> Vec<Finding> {
    let machines = || {
        documents.iter().filter_map(|document| match document {
            Document::Machine(machine) => Some(machine),
            _ => None,
        })
    };
    let mut findings: Vec<Finding> = machines()
        .filter(|machine| unused(&machine.name))
        .map(|machine| {
            let message = format!(
                "machine {} is not used in controlplane or workers",
                quote(&machine.name)
            );
            error_with_hint(
                message,
                &machine.name_origin,
                "list the machine in a ControlPlane or Workers document",
            )
        })
        .collect();
    let locked: BTreeSet<&str> = machines()
        .filter(|machine| machine.locked)
        .map(|machine| machine.name.as_str())
        .collect();
    findings.extend(
        plane
            .iter()
            .filter(|(id, _)| locked.contains(id))
            .map(|(id, origin)| {
                error(
                    format!("machine {} is locked and used in controlplane", quote(id)),
                    origin,
                )
            }),
    );
    findings
}

impl Document {
    fn origin(&self) -> &Origin {
        match self {
            Self::Cluster(cluster) => &cluster.origin,
            Self::ControlPlane(set) | Self::Workers(set) => &set.origin,
            Self::Machine(machine) => &machine.origin,
        }
    }
}
