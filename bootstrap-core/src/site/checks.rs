//! What must hold between the sections.

use std::collections::{BTreeMap, BTreeSet};

use super::decode::suggest;
use super::model::{
    ClusterIntent, DnsIntent, GpuMapping, MachineClass, MachineSetIntent, ProxmoxEndpoint,
    WantedGpu,
};
use crate::diagnostic::{Diagnostic, Severity};

/// The systems of a site and what is defined for them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Systems<'a> {
    pub(super) proxmox: &'a [ProxmoxEndpoint],
    pub(super) unifi: bool,
    pub(super) classes: &'a BTreeMap<String, MachineClass>,
    pub(super) mappings: &'a BTreeMap<String, GpuMapping>,
}

/// Checks each machine set against the other sections. What only the systems know goes to `unchecked`.
pub(super) fn check(
    systems: &Systems<'_>,
    dns: &DnsIntent,
    clusters: &[ClusterIntent],
    findings: &mut Vec<Diagnostic>,
    unchecked: &mut Vec<Diagnostic>,
) {
    if let Some(record) = dns.records.first()
        && !systems.unifi
    {
        findings.push(
            Diagnostic::warning("no `unifi` section: the DNS records are not made")
                .at(record.origin.clone())
                .hint("add `unifi`, or make them where your DNS is"),
        );
    }
    let mut used = BTreeSet::new();
    for cluster in clusters {
        for set in &cluster.machine_sets {
            used.extend(set.gpus.iter().map(|gpu| gpu.mapping.as_str()));
            class(systems, set, unchecked);
            reservations(systems, set, findings);
            gpus(systems, set, findings, unchecked);
        }
    }
    for mapping in systems
        .mappings
        .values()
        .filter(|mapping| !used.contains(mapping.id.as_str()))
    {
        findings.push(
            Diagnostic::warning(format!(
                "mapping `{}` is used by no machine set",
                mapping.id
            ))
            .at(mapping.origin.clone())
            .hint("mappings are made only when they are about to be used"),
        );
    }
}

fn class(systems: &Systems<'_>, set: &MachineSetIntent, unchecked: &mut Vec<Diagnostic>) {
    let Some((class, _)) = &set.class else { return };
    if systems.classes.contains_key(class) {
        return;
    }
    let hint = match suggest(class, systems.classes.keys().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`? otherwise it must exist in Omni"),
        None => "it must exist in Omni; that is checked before the first write".to_owned(),
    };
    let message = format!(
        "machine class `{class}` of machine set `{}` is in none of `machineClasses`",
        set.id
    );
    unchecked.push(
        Diagnostic::warning(message)
            .at(set.origin.clone())
            .hint(hint),
    );
}

fn reservations(systems: &Systems<'_>, set: &MachineSetIntent, findings: &mut Vec<Diagnostic>) {
    if set.addresses.is_empty() {
        if let Some((_, address)) = set.pins.first_key_value() {
            findings.push(
                Diagnostic::error(format!(
                    "machine set `{}` pins {address} but has no `addresses`",
                    set.id
                ))
                .at(set.origin.clone())
                .hint("add the pool its other machines take their addresses from"),
            );
        }
        return;
    }
    let at = || set.addresses_origin.clone();
    if !systems.unifi {
        findings.push(
            Diagnostic::warning(format!(
                "no `unifi` section: machine set `{}` gets no reservations",
                set.id
            ))
            .at(at()),
        );
        return;
    }
    if set.network.is_none() {
        findings.push(
            Diagnostic::error(format!(
                "machine set `{}` has addresses but no `network`",
                set.id
            ))
            .at(at())
            .hint("name the UniFi network, on the cluster or on the machine set"),
        );
    }
    if provider(systems, set).is_some_and(|provider| !has_provider(systems, provider)) {
        findings.push(
            Diagnostic::warning(format!(
                "the provider of machine set `{}` is not in `proxmox`: its addresses are known to Omni only after the first boot",
                set.id
            ))
            .at(at())
            .hint("with the provider's cluster in `proxmox`, reservations are made before it"),
        );
    }
}

fn gpus(
    systems: &Systems<'_>,
    set: &MachineSetIntent,
    findings: &mut Vec<Diagnostic>,
    unchecked: &mut Vec<Diagnostic>,
) {
    let Some(first) = set.gpus.first() else {
        return;
    };
    if set.class.is_none() {
        findings.push(
            Diagnostic::error(format!(
                "machine set `{}` lists its machines, so no GPU can be given to them",
                set.id
            ))
            .at(first.origin.clone())
            .hint("GPUs go to machines that a Proxmox provider makes from a machine class"),
        );
        return;
    }
    let owner = provider(systems, set);
    if let Some(owner) = owner
        && !has_provider(systems, owner)
    {
        findings.push(
            Diagnostic::error(format!(
                "machine set `{}` wants a GPU, and its provider `{owner}` is not in `proxmox`",
                set.id
            ))
            .at(first.origin.clone())
            .hint(format!("add the cluster of `{owner}` to `proxmox`")),
        );
    }
    for gpu in &set.gpus {
        match mapping(systems, set, owner, gpu) {
            Some(finding) if finding.severity == Severity::Warning => unchecked.push(finding),
            finding => findings.extend(finding),
        }
        findings.extend(machine_type(systems, set, gpu));
    }
}

fn mapping(
    systems: &Systems<'_>,
    set: &MachineSetIntent,
    owner: Option<&str>,
    gpu: &WantedGpu,
) -> Option<Diagnostic> {
    let Some(mapping) = systems.mappings.get(&gpu.mapping) else {
        let hint = match suggest(&gpu.mapping, systems.mappings.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`? otherwise it must exist in Proxmox"),
            None => "it must exist in Proxmox; that is checked before the first write".to_owned(),
        };
        let message = format!("mapping `{}` is not in `gpuMappings`", gpu.mapping);
        return Some(
            Diagnostic::warning(message)
                .at(gpu.origin.clone())
                .hint(hint),
        );
    };
    let owner = owner.filter(|owner| *owner != mapping.provider)?;
    let message = format!(
        "mapping `{}` is of provider `{}`, and machine set `{}` is made by `{owner}`",
        mapping.id, mapping.provider, set.id
    );
    Some(Diagnostic::error(message).at(gpu.origin.clone()))
}

/// Only q35 has PCIe, and the type of a machine that exists is never changed.
fn machine_type(
    systems: &Systems<'_>,
    set: &MachineSetIntent,
    gpu: &WantedGpu,
) -> Option<Diagnostic> {
    let (name, _) = set.class.as_ref()?;
    let class = systems.classes.get(name)?;
    if !gpu.pcie
        || class
            .provider_data
            .get("machine_type")
            .and_then(|kind| kind.as_str())
            == Some("q35")
    {
        return None;
    }
    let message =
        format!("`pcie` needs a q35 machine, and machine class `{name}` does not ask for one");
    let hint = format!(
        "add `machine_type: q35` to the providerdata in {}",
        class.origin.file.display()
    );
    Some(
        Diagnostic::warning(message)
            .at(gpu.origin.clone())
            .hint(hint),
    )
}

fn provider<'a>(systems: &Systems<'a>, set: &MachineSetIntent) -> Option<&'a str> {
    let (class, _) = set.class.as_ref()?;
    systems.classes.get(class)?.provider.as_deref()
}

fn has_provider(systems: &Systems<'_>, provider: &str) -> bool {
    systems
        .proxmox
        .iter()
        .any(|cluster| cluster.provider == provider)
}
