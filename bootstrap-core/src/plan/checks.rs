//! What must hold before the first write, checked all together.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Finding, Plan};
use crate::diagnostic::Diagnostic;
use crate::machines::{missing, provider_of};
use crate::observe::{HypervisorView, Snapshot};
use crate::ports::System;
use crate::site::{MachineClass, MachineSetIntent, Site, suggest};

pub(super) fn check(site: &Site, snapshot: &Snapshot, plan: &mut Plan) {
    check_omni_role(site, snapshot, plan);
    check_gateway_role(site, snapshot, plan);
    for (provider, view) in &snapshot.hypervisors {
        check_privileges(site, provider, view, plan);
    }
    plan.blockers.extend(site.resolver_findings.iter().cloned().map(Finding::in_file));
    for cluster in &site.clusters {
        check_versions(snapshot, cluster, plan);
        for set in &cluster.machine_sets {
            check_class(site, snapshot, set, plan);
        }
    }
}

fn check_omni_role(site: &Site, snapshot: &Snapshot, plan: &mut Plan) {
    let Some(role) = &snapshot.omni.role else {
        return;
    };
    if !matches!(role.as_str(), "Operator" | "Admin") {
        let error = Diagnostic::error(format!("the key has the role {role}, which cannot create clusters"))
            .at(site.omni.origin.clone())
            .hint("make a service account with the role Operator: `omnictl serviceaccount create NAME --role Operator --use-user-role=false`");
        plan.blockers.push(Finding::of(System::Omni, error));
    }
}

fn check_gateway_role(site: &Site, snapshot: &Snapshot, plan: &mut Plan) {
    let (Some(unifi), Some(gateway)) = (&site.unifi, &snapshot.gateway) else {
        return;
    };
    if let Some(role) = gateway.role.as_deref().filter(|role| role.to_lowercase().contains("read")) {
        let error = Diagnostic::error(format!("the API key may only read the site {} (role {role})", unifi.site))
            .at(unifi.origin.clone())
            .hint("a key has the role of the admin who made it: Site Admin is enough");
        plan.blockers.push(Finding::of(System::Unifi, error));
    }
}

fn check_privileges(site: &Site, provider: &str, view: &HypervisorView, plan: &mut Plan) {
    let needs_gpus = view.privileges.contains_key("/");
    let mut lacking = Vec::new();
    let mut need = |path: &str, privileges: &[&str]| {
        let granted = view.privileges.get(path).map(Vec::as_slice).unwrap_or_default();
        for privilege in privileges {
            if !granted.iter().any(|have| have == privilege) {
                lacking.push(format!("{privilege} on {path}"));
            }
        }
    };
    need("/vms", &["VM.Audit"]);
    if needs_gpus {
        need("/vms", &["VM.Config.HWType", "VM.PowerMgmt"]);
        need("/", &["Sys.Audit"]);
        for path in view.privileges.keys().filter(|path| path.starts_with("/mapping/pci/")) {
            need(path, &["Mapping.Use"]);
        }
    }
    for privilege in lacking {
        lacks(site, provider, &privilege, plan);
    }
}

const LACKS: &str = "the token lacks ";

/// Notes a privilege that a Proxmox token lacks. All of one token are told in one finding.
pub(super) fn lacks(site: &Site, provider: &str, privilege: &str, plan: &mut Plan) {
    let system = Some(System::Proxmox(provider.to_owned()));
    let told = plan
        .blockers
        .iter_mut()
        .find(|finding| finding.system == system && finding.diagnostic.message.starts_with(LACKS));
    if let Some(finding) = told {
        finding.diagnostic.message = format!("{}, {privilege}", finding.diagnostic.message);
        return;
    }
    let mut error = Diagnostic::error(format!("{LACKS}{privilege}"))
        .hint("grant a role with these privileges to the user and, with privilege separation, to the token as well");
    let endpoint = site.proxmox.iter().find(|endpoint| endpoint.provider == provider);
    error.origin = endpoint.map(|endpoint| endpoint.origin.clone());
    plan.blockers.push(Finding { system, diagnostic: error });
}

fn check_versions(snapshot: &Snapshot, cluster: &crate::site::ClusterIntent, plan: &mut Plan) {
    let known = &snapshot.omni.talos_versions;
    let (talos, kubernetes) = (&cluster.talos_version, &cluster.kubernetes_version);
    let mut block = |message: String, hint: String| {
        let error = Diagnostic::error(message).at(cluster.origin.clone()).hint(hint);
        plan.blockers.push(Finding::of(System::Omni, error));
    };
    match known.get(talos) {
        None => block(format!("Omni does not know Talos {talos}"), format!("it knows {}", newest(known.keys()))),
        Some(versions) if !versions.contains(kubernetes) => block(
            format!("Talos {talos} does not run Kubernetes {kubernetes}"),
            format!("it runs {}", newest(versions.iter())),
        ),
        Some(_) => {}
    }
    let Some(extensions) = snapshot.omni.extensions.get(talos) else {
        return;
    };
    let mut unknown: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for set in &cluster.machine_sets {
        for wanted in cluster.template.extensions_for(&set.name).unwrap_or_default() {
            let full = if wanted.contains('/') { wanted } else { format!("siderolabs/{wanted}") };
            if !extensions.contains(&full) {
                unknown.entry(full).or_default().push(&set.id);
            }
        }
    }
    for (extension, sets) in unknown {
        let hint = match suggest(&extension, extensions.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`? correct `systemExtensions` in the template"),
            None => "correct `systemExtensions` in the template".to_owned(),
        };
        block(format!("there is no extension {extension} for Talos {talos}, wanted by {}", sets.join(", ")), hint);
    }
}

/// The newest versions, newest first.
fn newest<'v>(versions: impl Iterator<Item = &'v String>) -> String {
    const SHOWN: usize = 5;
    let numbers = |version: &str| -> Vec<u64> {
        version.split(['.', '-']).map(|part| part.parse().unwrap_or_default()).collect()
    };
    let mut versions: Vec<&str> = versions.map(String::as_str).collect();
    versions.sort_by_key(|version| std::cmp::Reverse(numbers(version)));
    let more = if versions.len() > SHOWN { ", …" } else { "" };
    versions.truncate(SHOWN);
    format!("{}{more}", versions.join(", "))
}

fn check_class(site: &Site, snapshot: &Snapshot, set: &MachineSetIntent, plan: &mut Plan) {
    let Some((name, _)) = &set.class else {
        return;
    };
    let Some(class) = site.machine_classes.get(name) else {
        if !snapshot.omni.machine_classes.contains_key(name) {
            let error = Diagnostic::error(format!("the machine class {name} of {} is neither in a file nor in Omni", set.id))
                .at(set.origin.clone())
                .hint("add its file to `machineClasses`, or correct the template");
            plan.blockers.push(Finding::of(System::Omni, error));
        }
        return;
    };
    if missing(site, snapshot).get(&set.id).copied().unwrap_or(0) > 0
        && let Some(provider) = provider_of(site, set)
    {
        check_provider(snapshot, class, provider, plan);
    }
}

fn check_provider(snapshot: &Snapshot, class: &MachineClass, provider: &str, plan: &mut Plan) {
    let mut block = |message: String, hint: &str| {
        let error = Diagnostic::error(message).at(class.origin.clone()).hint(hint);
        let finding = Finding::of(System::Omni, error);
        // A provider is missed by every class of it; once is enough.
        if !plan.blockers.iter().any(|told| told.diagnostic.message == finding.diagnostic.message) {
            plan.blockers.push(finding);
        }
    };
    let Some(state) = snapshot.omni.providers.get(provider) else {
        block(
            format!("no infra provider {provider} has registered with Omni"),
            "create it with `omnictl infraprovider create`, start it once, then run this again",
        );
        return;
    };
    if !state.connected {
        let cause = if state.error.is_empty() { String::new() } else { format!(": {}", state.error) };
        block(
            format!("the infra provider {provider} is not connected to Omni{cause}"),
            "start it; no machine is made without it",
        );
    }
    let required = state.schema.as_ref().and_then(|schema| schema["required"].as_array());
    for key in required.into_iter().flatten().filter_map(Value::as_str) {
        if class.provider_data.get(key).is_none() {
            block(
                format!("the machine class {} lacks `{key}`, which the provider {provider} requires", class.id),
                "add it to providerdata",
            );
        }
    }
}
