//! What must hold before the first write, checked all together.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::gpus::GpuPlan;
use super::{Change, Finding, Plan, foreseen, listed};
use crate::diagnostic::{Diagnostic, Origin};
use crate::machines::{machines, missing, provider_of};
use crate::observe::{HypervisorView, OmniView, Snapshot};
use crate::ports::System;
use crate::site::{ClusterIntent, MachineClass, MachineSetIntent, Site, suggest};

/// What can be said before anything is planned: credentials, and what the files lack.
pub(super) fn check(site: &Site, snapshot: &Snapshot, plan: &mut Plan) {
    check_omni_role(&snapshot.omni, Some(&site.omni.origin), plan);
    check_gateway_role(site, snapshot, plan);
    plan.blockers
        .extend(site.resolver_findings.iter().cloned().map(Finding::in_file));
}

/// What the planned work needs. A site that only runs needs less than one that changes.
pub(super) fn check_work(site: &Site, snapshot: &Snapshot, gpus: &GpuPlan, plan: &mut Plan) {
    for (provider, view) in &snapshot.hypervisors {
        check_privileges(site, snapshot, gpus, (provider, view), plan);
    }
    for cluster in &site.clusters {
        check_versions(&snapshot.omni, cluster, plan);
        foreseen::check(cluster, &snapshot.omni, plan);
        for set in &cluster.machine_sets {
            let in_file = |name: &str| site.machine_classes.contains_key(name);
            check_class_exists(&snapshot.omni, set, &in_file, plan);
        }
    }
    check_classes(site, snapshot, plan);
}

/// What a cluster's planned work needs of Omni, for a template without a site file.
pub(super) fn check_cluster(cluster: &ClusterIntent, omni: &OmniView, plan: &mut Plan) {
    if plan.actions.is_empty() {
        return;
    }
    check_omni_role(omni, None, plan);
    check_versions(omni, cluster, plan);
    foreseen::check(cluster, omni, plan);
    for set in &cluster.machine_sets {
        check_class_exists(omni, set, &|_| false, plan);
    }
    plan.warnings.extend(listed::unknown(cluster, omni));
}

fn check_omni_role(omni: &OmniView, origin: Option<&Origin>, plan: &mut Plan) {
    let at = |diagnostic: Diagnostic| Diagnostic {
        origin: origin.cloned(),
        ..diagnostic
    };
    let Some(role) = omni.role.as_deref().filter(|role| !role.is_empty()) else {
        let warning = at(Diagnostic::warning(
            "what the key may do could not be checked: Omni does not say its role",
        ));
        plan.warnings.push(Finding::of(System::Omni, warning));
        return;
    };
    if !matches!(role, "Operator" | "Admin") && !omni.may_write_cluster {
        let error = at(Diagnostic::error(format!("the key has the role {role}, which cannot create clusters")))
            .hint("make a service account with the role Operator: `omnictl serviceaccount create NAME --role Operator --use-user-role=false`");
        plan.blockers.push(Finding::of(System::Omni, error));
    }
}

fn check_gateway_role(site: &Site, snapshot: &Snapshot, plan: &mut Plan) {
    let (Some(unifi), Some(gateway)) = (&site.unifi, &snapshot.gateway) else {
        return;
    };
    let Some(role) = gateway.role.as_deref().filter(|role| !role.is_empty()) else {
        let warning = Diagnostic::warning(
            "whether the API key may write could not be checked: the gateway does not say its role",
        )
        .at(unifi.origin.clone());
        plan.warnings.push(Finding::of(System::Unifi, warning));
        return;
    };
    if !may_write(role) {
        let error = Diagnostic::error(format!(
            "the API key may only read the site {} (role {role})",
            unifi.site
        ))
        .at(unifi.origin.clone())
        .hint("a key has the role of the admin who made it: Site Admin is enough");
        plan.blockers.push(Finding::of(System::Unifi, error));
    }
}

/// Roles have several spellings, `admin` and `site_admin` among them, and `readonly` or `view_only_admin`.
fn may_write(role: &str) -> bool {
    let role = role.to_lowercase();
    role.contains("admin") && !role.contains("read") && !role.contains("view")
}

fn check_privileges(
    site: &Site,
    snapshot: &Snapshot,
    gpus: &GpuPlan,
    (provider, view): (&str, &HypervisorView),
    plan: &mut Plan,
) {
    let attached = attached(site, snapshot, gpus, provider);
    let mut needed = vec![("/vms".to_owned(), "VM.Audit")];
    if view.privileges.contains_key("/") {
        needed.push(("/".to_owned(), "Sys.Audit"));
    }
    if !attached.is_empty() {
        needed.extend(
            ["VM.Config.HWType", "VM.PowerMgmt"].map(|privilege| ("/vms".to_owned(), privilege)),
        );
    }
    needed.extend(
        attached
            .into_iter()
            .map(|id| (format!("/mapping/pci/{id}"), "Mapping.Use")),
    );
    for (path, privilege) in needed {
        let granted = view
            .privileges
            .get(&path)
            .map(Vec::as_slice)
            .unwrap_or_default();
        if !granted.iter().any(|have| have == privilege) {
            lacks(site, provider, &format!("{privilege} on {path}"), plan);
        }
    }
}

/// Mappings that are to be attached to VMs of a provider; those in a class are the provider's work.
fn attached<'g>(
    site: &Site,
    snapshot: &Snapshot,
    gpus: &'g GpuPlan,
    provider: &str,
) -> BTreeSet<&'g str> {
    let machines = machines(site, snapshot);
    let existing = machines.iter().filter_map(|machine| {
        let of_request = machine.request.map(|request| request.provider.as_str());
        let of_machine = of_request.or_else(|| provider_of(site, machine.set))?;
        gpus.attach
            .get(machine.id)
            .filter(|_| of_machine == provider)
    });
    let to_come = site
        .clusters
        .iter()
        .flat_map(|cluster| &cluster.machine_sets)
        .filter_map(|set| {
            gpus.attach_new
                .get(&set.id)
                .filter(|_| provider_of(site, set) == Some(provider))
        });
    existing
        .chain(to_come)
        .flatten()
        .map(|gpu| gpu.mapping.as_str())
        .collect()
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
    let endpoint = site
        .proxmox
        .iter()
        .find(|endpoint| endpoint.provider == provider);
    error.origin = endpoint.map(|endpoint| endpoint.origin.clone());
    plan.blockers.push(Finding {
        system,
        diagnostic: error,
    });
}

fn check_versions(omni: &OmniView, cluster: &ClusterIntent, plan: &mut Plan) {
    let known = &omni.talos_versions;
    let (talos, kubernetes) = (&cluster.talos_version, &cluster.kubernetes_version);
    // Omni takes old versions off its list: a cluster that only runs is none the worse for it.
    let is_written = is_written(cluster, plan);
    let mut tell = |message: String, hint: String| {
        let found = if is_written {
            Diagnostic::error(message)
        } else {
            Diagnostic::warning(message)
        };
        let finding = Finding::of(System::Omni, found.at(cluster.origin.clone()).hint(hint));
        if is_written {
            plan.blockers.push(finding);
        } else {
            plan.warnings.push(finding);
        }
    };
    match known.get(talos) {
        None => tell(
            format!("Omni does not know Talos {talos}"),
            format!("it knows {}", newest(known.keys())),
        ),
        Some(versions) if !versions.contains(kubernetes) => tell(
            format!("Talos {talos} does not run Kubernetes {kubernetes}"),
            format!("it runs {}", newest(versions.iter())),
        ),
        Some(_) => {}
    }
    let wanted = |set: &MachineSetIntent| {
        cluster
            .template
            .extensions_for(&set.name)
            .unwrap_or_default()
    };
    let Some(extensions) = omni.extensions.get(talos) else {
        if known.contains_key(talos)
            && cluster
                .machine_sets
                .iter()
                .any(|set| !wanted(set).is_empty())
        {
            let warning = Diagnostic::warning(format!(
                "the extensions of {} were not checked: Omni has no list of them for Talos {talos}",
                cluster.name
            ))
            .at(cluster.origin.clone());
            plan.warnings.push(Finding::of(System::Omni, warning));
        }
        return;
    };
    let mut unknown: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for set in &cluster.machine_sets {
        for name in wanted(set) {
            let full = if name.contains('/') {
                name
            } else {
                format!("siderolabs/{name}")
            };
            if !extensions.contains(&full) {
                unknown.entry(full).or_default().push(&set.id);
            }
        }
    }
    for (extension, sets) in unknown {
        let hint = match suggest(&extension, extensions.iter().map(String::as_str)) {
            Some(near) => {
                format!("did you mean `{near}`? correct `systemExtensions` in the template")
            }
            None => "correct `systemExtensions` in the template".to_owned(),
        };
        tell(
            format!(
                "there is no extension {extension} for Talos {talos}, wanted by {}",
                sets.join(", ")
            ),
            hint,
        );
    }
}

/// Whether Omni is about to judge the cluster's versions and extensions.
fn is_written(cluster: &ClusterIntent, plan: &Plan) -> bool {
    plan.actions.iter().any(|action| {
        let (Change::CreateResource { resource } | Change::UpdateResource { resource, .. }) =
            &action.change
        else {
            return false;
        };
        let metadata = &resource.metadata;
        (metadata.kind.starts_with("Clusters.")
            || metadata.kind.starts_with("ExtensionsConfigurations."))
            && cluster
                .resources
                .iter()
                .any(|own| own.metadata.kind == metadata.kind && own.metadata.id == metadata.id)
    })
}

/// The newest versions, newest first.
fn newest<'v>(versions: impl Iterator<Item = &'v String>) -> String {
    const SHOWN: usize = 5;
    let mut versions: Vec<&str> = versions.map(String::as_str).collect();
    versions.sort_by_cached_key(|version| std::cmp::Reverse(precedence(version)));
    let more = if versions.len() > SHOWN { ", …" } else { "" };
    versions.truncate(SHOWN);
    if versions.is_empty() {
        "none".to_owned()
    } else {
        format!("{}{more}", versions.join(", "))
    }
}

type Parts = Vec<(u64, String)>;

/// Orders versions: numbers as numbers, and a release after its previews.
fn precedence(version: &str) -> (Parts, bool, Parts) {
    let parts = |text: &str| -> Parts {
        let one = |part: &str| {
            part.parse().map_or_else(
                |_| (u64::MAX, part.to_owned()),
                |number| (number, String::new()),
            )
        };
        text.split('.').map(one).collect()
    };
    match version.split_once('-') {
        Some((release, preview)) => (parts(release), false, parts(preview)),
        None => (parts(version), true, Parts::new()),
    }
}

fn check_class_exists(
    omni: &OmniView,
    set: &MachineSetIntent,
    in_file: &dyn Fn(&str) -> bool,
    plan: &mut Plan,
) {
    let Some((name, _)) = &set.class else {
        return;
    };
    if !in_file(name) && !omni.machine_classes.contains_key(name) {
        let error = Diagnostic::error(format!(
            "the machine class {name} of {} is neither in a file nor in Omni",
            set.id
        ))
        .at(set.origin.clone())
        .hint("add its file to `machineClasses` or apply it first, or correct the template");
        plan.blockers.push(Finding::of(System::Omni, error));
    }
}

/// Classes that are about to be written or to make machines: Omni refuses one whose provider never
/// registered or whose data its schema refuses.
fn check_classes(site: &Site, snapshot: &Snapshot, plan: &mut Plan) {
    let missing = missing(site, snapshot);
    let sets = || {
        site.clusters
            .iter()
            .flat_map(|cluster| &cluster.machine_sets)
    };
    for class in site.machine_classes.values() {
        let makes_machines = sets().any(|set| {
            set.class.as_ref().is_some_and(|(id, _)| *id == class.id)
                && missing.get(&set.id).copied().unwrap_or(0) > 0
        });
        let is_written = plan
            .actions
            .iter()
            .any(|action| action.id == format!("class/{}", class.id));
        if let Some(provider) = class
            .provider
            .as_deref()
            .filter(|_| makes_machines || is_written)
        {
            check_provider(snapshot, class, provider, makes_machines, plan);
        }
    }
}

fn check_provider(
    snapshot: &Snapshot,
    class: &MachineClass,
    provider: &str,
    makes_machines: bool,
    plan: &mut Plan,
) {
    let mut block = |message: String, hint: &str| {
        let error = Diagnostic::error(message)
            .at(class.origin.clone())
            .hint(hint);
        let finding = Finding::of(System::Omni, error);
        // A provider is missed by every class of it; once is enough.
        if !plan
            .blockers
            .iter()
            .any(|told| told.diagnostic.message == finding.diagnostic.message)
        {
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
    if makes_machines && !state.connected {
        let cause = if state.error.is_empty() {
            String::new()
        } else {
            format!(": {}", state.error)
        };
        block(
            format!("the infra provider {provider} is not connected to Omni{cause}"),
            "start it; no machine is made without it",
        );
    }
    let required = state
        .schema
        .as_ref()
        .and_then(|schema| schema.get("required")?.as_array());
    for key in required.into_iter().flatten().filter_map(Value::as_str) {
        if class.provider_data.get(key).is_none() {
            block(
                format!(
                    "the machine class {} lacks `{key}`, which the provider {provider} requires",
                    class.id
                ),
                "add it to providerdata",
            );
        }
    }
}
