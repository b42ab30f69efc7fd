//! What an exported template does not say: it is translated again and compared with what it was made from.

use std::collections::{BTreeMap, BTreeSet};

use omni_client::{Resource, labels};

use super::gathered::{Gathered, Layers};
use crate::meaning::{same_field, same_spec};
use crate::template::Template;
use crate::template::translate::{INSTALL_DISKS, KERNEL_ARGS};

type Key<'r> = (&'r str, &'r str);

pub(super) fn notes(gathered: &Gathered<'_>, template: &Template) -> Vec<String> {
    let again = match template.translate() {
        Ok(again) => again,
        Err(findings) => {
            return findings
                .into_iter()
                .map(|finding| finding.message)
                .collect();
        }
    };
    let again: BTreeMap<Key<'_>, &Resource> = again
        .iter()
        .map(|resource| (key(resource), resource))
        .collect();
    let before = originals(gathered);
    let mut notes = Vec::new();
    for (key, original) in &before {
        match again.get(key) {
            Some(translated) => notes.extend(differences(original, translated)),
            None => notes.extend(lost(original, gathered)),
        }
    }
    for (key, translated) in &again {
        if !before.contains_key(key) {
            notes.push(format!("{}: a sync will make it", name(translated)));
        }
    }
    notes.extend(beyond_templates(gathered));
    notes
}

fn key(resource: &Resource) -> Key<'_> {
    (&resource.metadata.kind, resource.id())
}

/// What the template should give again.
fn originals<'r>(gathered: &Gathered<'r>) -> BTreeMap<Key<'r>, &'r Resource> {
    let mut all = vec![gathered.cluster];
    all.extend(gathered.sets.iter().map(|set| set.resource));
    all.extend(gathered.nodes());
    all.extend(every(&gathered.patches));
    all.extend(every(&gathered.extensions));
    all.extend(&gathered.health_checks);
    all.extend(&gathered.manifests);
    for node in gathered.nodes() {
        all.extend(gathered.kernel_args.get(node.id()));
        all.extend(gathered.install_disks.get(node.id()));
    }
    all.into_iter()
        .map(|resource| (key(resource), resource))
        .collect()
}

fn every<'r>(layers: &Layers<'r>) -> Vec<&'r Resource> {
    let levels = layers.sets.values().chain(layers.machines.values());
    let mut all = layers.cluster.clone();
    all.extend(levels.flatten());
    all
}

/// `ConfigPatches 500-storage`.
fn name(resource: &Resource) -> String {
    format!("{} {}", resource.kind(), resource.id())
}

fn lost(original: &Resource, gathered: &Gathered<'_>) -> Option<String> {
    let kind = original.metadata.kind.as_str();
    if kind == KERNEL_ARGS {
        let text = "kernel arguments that no template manages are left out";
        return Some(format!(
            "machine {}: {text}; --include-kernel-args takes them in",
            original.id()
        ));
    }
    if kind == INSTALL_DISKS {
        // It is empty, which a template says by saying nothing.
        return None;
    }
    let of_class = |machine: &str| {
        gathered.class_nodes.iter().any(|node| node.id() == machine)
            || gathered.nodes().all(|node| node.id() != machine)
    };
    let why = match original.label(labels::CLUSTER_MACHINE) {
        Some(machine) if of_class(machine) => "is for one machine of a class-based set",
        _ => "has an id that a template cannot give it",
    };
    Some(format!("{}: not in the template, it {why}", name(original)))
}

fn differences(original: &Resource, translated: &Resource) -> Vec<String> {
    let (old, new) = (&original.metadata, &translated.metadata);
    let mut notes = Vec::new();
    for (what, old, new) in [
        ("label", &old.labels, &new.labels),
        ("annotation", &old.annotations, &new.annotations),
    ] {
        let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for key in keys {
            let text = match (old.get(key), new.get(key)) {
                (Some(_), None) => "is not in the template",
                (None, Some(_)) => "will be set by a sync",
                (old, new) if old != new => "will be changed by a sync",
                _ => continue,
            };
            notes.push(format!("{}: {what} {key} {text}", name(original)));
        }
    }
    if !same_spec(&original.spec, &translated.spec) {
        let parts = different_parts(original, translated).join(", ");
        notes.push(format!(
            "{}: a template cannot say all of its spec ({parts})",
            name(original)
        ));
    }
    notes
}

fn different_parts(original: &Resource, translated: &Resource) -> Vec<String> {
    let keys = |resource: &Resource| -> BTreeSet<String> {
        let fields = resource.spec.as_object();
        fields
            .map(|fields| fields.keys().cloned().collect())
            .unwrap_or_default()
    };
    let all = &keys(original) | &keys(translated);
    all.into_iter()
        .filter(|key| !same_field(&original.spec, &translated.spec, key))
        .collect()
}

/// What has no place in templates at all.
fn beyond_templates(gathered: &Gathered<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    let members: BTreeSet<&str> = gathered
        .nodes()
        .chain(gathered.class_nodes.iter().copied())
        .map(Resource::id)
        .collect();
    for patch in &gathered.machine_patches {
        let machine = patch.label(labels::MACHINE).unwrap_or_default();
        if members.contains(machine) {
            notes.push(format!(
                "{}: not in the template, it goes with machine {machine} whatever cluster that is in",
                name(patch)
            ));
        }
    }
    for node in &gathered.class_nodes {
        if node.metadata.annotations.contains_key(labels::LOCKED) {
            notes.push(format!(
                "machine {}: its lock is not in the template, it comes from a class",
                node.id()
            ));
        }
    }
    for resource in &gathered.leaving {
        notes.push(format!("{}: left out, it is being deleted", name(resource)));
    }
    notes
}
