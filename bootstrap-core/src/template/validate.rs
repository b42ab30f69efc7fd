//! What makes a template invalid, in omnictl's words and order.

mod patches;
mod usage;

use std::collections::{BTreeMap, BTreeSet};

use super::cel;
use super::findings::Finding;
use super::model::{
    Cluster, Descriptors, Document, FileProblem, HealthCheck, Machine, MachineSet, Manifest,
};
use super::semver;
use super::text::{check_uuid, quote};
use crate::diagnostic::{Diagnostic, Origin};

const RESERVED: &str = "omni.sidero.dev/";

pub(super) fn validate(documents: &[Document]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = documents
        .iter()
        .filter_map(|document| match document {
            Document::Cluster(cluster) => validate_cluster(cluster),
            Document::ControlPlane(set) => {
                Finding::group("controlplane is invalid".to_owned(), control_plane(set))
            }
            Document::Workers(set) => Finding::group("workers is invalid".to_owned(), workers(set)),
            Document::Machine(machine) => validate_machine(machine),
        })
        .collect();
    findings.extend(usage::validate(documents));
    findings
}

fn error(message: impl Into<String>, origin: &Origin) -> Finding {
    Finding::One(Diagnostic::error(message).at(origin.clone()))
}

fn error_with_hint(message: impl Into<String>, origin: &Origin, hint: &str) -> Finding {
    Finding::One(Diagnostic::error(message).at(origin.clone()).hint(hint))
}

fn file_error(message: String, problem: &FileProblem, origin: &Origin) -> Finding {
    let diagnostic = Diagnostic::error(message).at(origin.clone());
    Finding::One(match &problem.hint {
        Some(hint) => diagnostic.hint(hint),
        None => diagnostic,
    })
}

fn validate_cluster(cluster: &Cluster) -> Option<Finding> {
    let mut findings = Vec::new();
    let name = &cluster.name;
    if name.is_empty() {
        findings.push(error_with_hint(
            "name is required",
            &cluster.origin,
            "add `name:` to the Cluster document",
        ));
    }
    if !name
        .chars()
        .all(|c| c.is_alphabetic() || is_decimal_digit(c) || matches!(c, '-' | '_'))
    {
        let message = "name should only contain letters, digits, dashes and underscores";
        findings.push(error(message, &cluster.name_origin));
    }
    let kubernetes = version(
        &cluster.kubernetes_version,
        &cluster.kubernetes_origin,
        false,
    );
    findings.extend(Finding::group(
        "error validating Kubernetes version".to_owned(),
        kubernetes,
    ));
    let talos = version(&cluster.talos_version, &cluster.talos_origin, true);
    findings.extend(Finding::group(
        "error validating Talos version".to_owned(),
        talos,
    ));
    findings.extend(encryption(cluster));
    findings.extend(descriptors(&cluster.descriptors));
    findings.extend(cluster.patches.iter().filter_map(patches::validate));
    let manifests = manifest_list(&cluster.manifests);
    if !manifests.is_empty() {
        findings.push(Finding::Lines(manifests));
    }
    let checks = health_check_list(&cluster.health_checks);
    if !checks.is_empty() {
        findings.push(Finding::Lines(checks));
    }
    Finding::group(
        format!("error validating cluster {}", quote(name)),
        findings,
    )
}

/// Go's `unicode.IsDigit`.
fn is_decimal_digit(character: char) -> bool {
    character.is_numeric() && !character.is_alphabetic()
}

fn version(text: &str, origin: &Origin, needs_v: bool) -> Vec<Finding> {
    if text.is_empty() {
        return vec![error("version is required", origin)];
    }
    let mut findings = Vec::new();
    let parsed = semver::parse_tolerant(text);
    if let Err(cause) = &parsed {
        let message = format!("version should be in semver format: {cause}");
        findings.push(error_with_hint(message, origin, "write it like v1.13.7"));
    }
    if needs_v && !text.starts_with('v') {
        let message = "version should start with 'v'";
        findings.push(match parsed {
            Ok(_) => error_with_hint(message, origin, &format!("write v{text}")),
            Err(_) => error(message, origin),
        });
    }
    findings
}

fn encryption(cluster: &Cluster) -> Option<Finding> {
    if !cluster.features.disk_encryption {
        return None;
    }
    let origin = &cluster.features.origin;
    match semver::parse_tolerant(&cluster.talos_version) {
        Err(cause) => Some(error(cause, origin)),
        Ok(version) if version < (1, 5, 0) => Some(error(
            "disk encryption is supported only for Talos version >= 1.5.0",
            origin,
        )),
        Ok(_) => None,
    }
}

fn descriptors(descriptors: &Descriptors) -> Vec<Finding> {
    let check =
        |what: &'static str, map: &BTreeMap<String, String>, origin: &Origin| -> Vec<Finding> {
            map.keys()
                .filter(|key| key.starts_with(RESERVED))
                .map(|key| {
                    let message = format!(
                        "{what} {} is invalid: prefix {} is reserved for internal use",
                        quote(key),
                        quote(RESERVED)
                    );
                    error(message, origin)
                })
                .collect()
        };
    let mut findings = check("label", &descriptors.labels, &descriptors.labels_origin);
    findings.extend(check(
        "annotation",
        &descriptors.annotations,
        &descriptors.annotations_origin,
    ));
    findings
}

fn manifest_list(list: &[Manifest]) -> Vec<Finding> {
    let mut names = BTreeSet::new();
    let mut findings = Vec::new();
    for manifest in list {
        let own = validate_manifest(manifest);
        if !own.is_empty() {
            findings.extend(own);
        } else if !names.insert(manifest.title()) {
            let message = format!("duplicate manifest name {}", quote(manifest.title()));
            findings.push(error(message, &manifest.origin));
        }
    }
    findings
}

fn validate_manifest(manifest: &Manifest) -> Vec<Finding> {
    let (name, origin, source) = (manifest.title(), &manifest.origin, &manifest.source);
    let mut findings = Vec::new();
    if name.is_empty() {
        findings.push(error("kubernetes manifest name is empty", origin));
    }
    if manifest.mode == 0 {
        let message = format!("kubernetes manifest {} mode is not set", quote(name));
        findings.push(error_with_hint(
            message,
            origin,
            "add `mode: full` or `mode: one-time`",
        ));
    }
    if !source.file.is_empty() && source.inline.is_some() {
        findings.push(error("path and inline are mutually exclusive", origin));
    }
    if source.file.is_empty() && source.inline.is_none() {
        findings.push(error("path or inline is required", origin));
    }
    let label = format!(
        "kubernetes manifest {} descriptors validation failed",
        quote(name)
    );
    findings.extend(Finding::group(label, descriptors(&manifest.descriptors)));
    if let Some(Err(problem)) = &source.content
        && !problem.exists
    {
        let message = format!(
            "failed to access {}: {}",
            quote(&source.file),
            stat(problem)
        );
        findings.push(file_error(message, problem, &source.file_origin));
    }
    findings
}

/// omnictl only looks whether these files are there.
fn stat(problem: &FileProblem) -> String {
    problem.message.replacen("openat ", "statat ", 1)
}

fn health_check_list(list: &[HealthCheck]) -> Vec<Finding> {
    let mut ids = BTreeSet::new();
    let mut findings = Vec::new();
    for check in list {
        let own = validate_health_check(check);
        let id = check.title();
        if !own.is_empty() {
            findings.push(Finding::Group(None, own));
        } else if !id.is_empty() && !ids.insert(id) {
            findings.push(error(
                format!("duplicate healthcheck {}", quote(id)),
                &check.origin,
            ));
        }
    }
    findings
}

fn validate_health_check(check: &HealthCheck) -> Vec<Finding> {
    let (id, origin, source) = (quote(check.title()), &check.origin, &check.source);
    let mut findings = Vec::new();
    if check.name.is_empty() && check.id_override.is_empty() {
        findings.push(error(
            "either name or idOverride is required for a healthcheck",
            origin,
        ));
    }
    match (&source.inline, source.file.is_empty(), &source.content) {
        (Some(_), false, _) => {
            findings.push(error(
                format!("healthcheck {id}: job and file are mutually exclusive"),
                origin,
            ));
        }
        (None, true, _) => findings.push(error(
            format!("healthcheck {id}: job or file is required"),
            origin,
        )),
        (None, false, Some(Err(problem))) if !problem.exists => {
            let message = format!(
                "healthcheck {id}: failed to access {}: {}",
                quote(&source.file),
                stat(problem)
            );
            findings.push(file_error(message, problem, &source.file_origin));
        }
        _ => {}
    }
    findings.extend(descriptors(&check.descriptors));
    findings
}

fn control_plane(set: &MachineSet) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !set.name.is_empty() {
        findings.push(error(
            "custom name is not allowed in the controlplane",
            &set.origin,
        ));
    }
    if let Some(bootstrap) = &set.bootstrap {
        if bootstrap.cluster_uuid.is_empty() {
            findings.push(error(
                "clusterUUID is required in bootstrapSpec",
                &bootstrap.origin,
            ));
        }
        if bootstrap.snapshot.is_empty() {
            findings.push(error(
                "snapshot is required in bootstrapSpec",
                &bootstrap.origin,
            ));
        }
    }
    if let Some(strategy) = &set.update {
        findings.push(error(
            "updateStrategy is not allowed in the controlplane",
            &strategy.origin,
        ));
    }
    if let Some(strategy) = &set.delete {
        findings.push(error(
            "deleteStrategy is not allowed in the controlplane",
            &strategy.origin,
        ));
    }
    findings.extend(machine_set(set));
    findings
}

fn workers(set: &MachineSet) -> Vec<Finding> {
    let mut findings = Vec::new();
    if set.name == "control-planes" {
        findings.push(error(
            "name \"control-planes\" cannot be used in workers",
            &set.origin,
        ));
    }
    if let Some(bootstrap) = &set.bootstrap {
        findings.push(error(
            "bootstrapSpec is not allowed in workers",
            &bootstrap.origin,
        ));
    }
    findings.extend(machine_set(set));
    findings
}

fn machine_set(set: &MachineSet) -> Vec<Finding> {
    let mut findings = descriptors(&set.descriptors);
    if let Some(class) = &set.class {
        if !set.machines.is_empty() {
            let message = "machine set can not have both machines and machine class defined";
            findings.push(error(message, &class.origin));
        }
        if set.kernel_args.is_some() {
            let message =
                "kernelArgs cannot be defined for machine set since it uses machine class";
            findings.push(error_with_hint(
                message,
                &class.origin,
                "give kernel arguments in the machine class",
            ));
        }
    }
    findings.extend(
        set.machines
            .iter()
            .filter_map(|(id, origin)| machine_id(id, origin)),
    );
    findings.extend(set.patches.iter().filter_map(patches::validate));
    findings
}

fn machine_id(id: &str, origin: &Origin) -> Option<Finding> {
    let cause = check_uuid(id).err()?;
    Some(error(
        format!("invalid machine ID {}: {cause}", quote(id)),
        origin,
    ))
}

fn validate_machine(machine: &Machine) -> Option<Finding> {
    let mut findings = Vec::new();
    if machine.name.is_empty() {
        findings.push(error("name is required for machine", &machine.origin));
    }
    findings.extend(descriptors(&machine.descriptors));
    findings.extend(machine_id(&machine.name, &machine.name_origin));
    if !(machine.disk.is_empty() || machine.disk_selector.is_empty()) {
        let message = "install.disk and install.diskSelector are mutually exclusive";
        findings.push(error(message, &machine.install_origin));
    } else if !machine.disk_selector.is_empty()
        && let Some((problem, said)) = cel::check(&machine.disk_selector)
    {
        let label = "install.diskSelector is not a valid boolean disk expression: ";
        let message = format!("{label}character {}: {}", problem.at, problem.message);
        let diagnostic = Diagnostic::error(message)
            .at(machine.selector_origin.clone())
            .hint("write it like `disk.size > 100u * GB && !disk.rotational`");
        findings.push(Finding::Worded(diagnostic, format!("{label}{said}")));
    }
    findings.extend(machine.patches.iter().filter_map(patches::validate));
    Finding::group(
        format!("machine {} is invalid", quote(&machine.name)),
        findings,
    )
}
