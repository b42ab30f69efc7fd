//! GPUs: which machine lacks one, whether the class can give it, and whether each node has enough.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::capacity::{self, Need};
use super::{Action, Finding, Plan, SlotGpu};
use crate::devices::has_gpu;
use crate::diagnostic::Diagnostic;
use crate::machines::{Machine, VmProblem, machines, missing, provider_of};
use crate::observe::{HypervisorView, Snapshot};
use crate::ports::System;
use crate::site::{Attach, MachineClass, MachineSetIntent, Site, WantedGpu};

/// What is to be done about GPUs.
#[derive(Debug, Default)]
pub(super) struct GpuPlan {
    /// Mappings to make.
    pub(super) mappings: Vec<Action>,
    /// GPUs to attach to machines that exist, by machine id.
    pub(super) attach: BTreeMap<String, Vec<SlotGpu>>,
    /// GPUs to attach to machines to come, by machine set id.
    pub(super) attach_new: BTreeMap<String, Vec<SlotGpu>>,
    /// GPUs that machines to come get from their class, by machine set id.
    pub(super) by_class: BTreeMap<String, Vec<SlotGpu>>,
    /// Devices a class may carry beyond its file, by class; true when machines to come need them.
    pub(super) class_devices: BTreeMap<String, (Vec<SlotGpu>, bool)>,
}

pub(super) fn plan(site: &Site, snapshot: &Snapshot, plan: &mut Plan) -> GpuPlan {
    let mut found = GpuPlan::default();
    let mut needs = Vec::new();
    let machines = machines(site, snapshot);
    let missing = missing(site, snapshot);
    for set in site
        .clusters
        .iter()
        .flat_map(|cluster| &cluster.machine_sets)
    {
        if set.gpus.is_empty() {
            continue;
        }
        for machine in machines.iter().filter(|machine| machine.set.id == set.id) {
            plan_existing(site, snapshot, machine, &mut found, &mut needs, plan);
        }
        let new = missing.get(&set.id).copied().unwrap_or(0) as usize;
        if let Some(provider) = provider_for_new(site, snapshot, set, new, plan) {
            plan_new(
                site,
                snapshot,
                (set, provider, new),
                &mut found,
                &mut needs,
                plan,
            );
        }
    }
    found.mappings = capacity::check(site, snapshot, &needs, plan);
    found
}

/// The provider that machines to come are made by, where their GPUs can be planned at all.
fn provider_for_new<'a>(
    site: &'a Site,
    snapshot: &Snapshot,
    set: &MachineSetIntent,
    new: usize,
    plan: &mut Plan,
) -> Option<&'a str> {
    let (class, _) = set.class.as_ref()?;
    let mut block = |message: String, hint: &str| {
        if new > 0 {
            let error = Diagnostic::error(message).at(set.origin.clone()).hint(hint);
            plan.blockers.push(Finding::in_file(error));
        }
    };
    let Some(provider) = provider_of(site, set) else {
        block(
            format!(
                "{} wants GPUs, but its class {class} is not among the files of `machineClasses`",
                set.id
            ),
            "add the class's file: node and machine type of machines to come are read from it",
        );
        return None;
    };
    if !snapshot.hypervisors.contains_key(provider) {
        block(
            format!(
                "{} wants GPUs, but `proxmox` has no entry for the provider {provider}",
                set.id
            ),
            "add the Proxmox cluster this provider uses",
        );
        return None;
    }
    Some(provider)
}

fn plan_existing<'a>(
    site: &Site,
    snapshot: &Snapshot,
    machine: &Machine<'a>,
    found: &mut GpuPlan,
    needs: &mut Vec<Need<'a>>,
    plan: &mut Plan,
) {
    let Some(provider) = machine.request.map(|request| request.provider.as_str()) else {
        return;
    };
    let Some(view) = snapshot.hypervisors.get(provider) else {
        return;
    };
    if let Some(problem) = machine.vm_problem {
        warn_about_vm(machine, provider, problem, plan);
        return;
    }
    let mut attach = Vec::new();
    for gpu in lacking(site, view, machine) {
        if gpu.pcie
            && machine
                .vm
                .is_some_and(|vm| !vm.config.is_q35() && vm.config.lock().is_none())
        {
            let error = Diagnostic::error(format!("{} lacks {}, which is to be PCIe, and its VM is not of machine type q35", machine.id, gpu.mapping))
                .at(gpu.origin.clone())
                .hint("the type of an installed machine is never changed: give the class `machine_type: q35` and replace the machine");
            plan.left_to_person
                .push(Finding::of(System::Proxmox(provider.to_owned()), error));
            continue;
        }
        let node = machine.vm.map(|vm| vm.node.to_owned());
        let node = node.or_else(|| machine.provider.map(|provider| provider.node.clone()));
        let nodes = node.filter(|node| !node.is_empty()).map_or_else(
            || candidate_nodes(site, view, machine.set),
            |node| vec![node],
        );
        needs.push(Need {
            provider: provider.to_owned(),
            set: machine.set,
            gpu,
            nodes,
            count: 1,
            pinned: true,
            exists: true,
        });
        attach.push(slot_gpu(gpu));
    }
    if !attach.is_empty() {
        found.attach.insert(machine.id.to_owned(), attach);
    }
}

fn warn_about_vm(machine: &Machine<'_>, provider: &str, problem: VmProblem, plan: &mut Plan) {
    let vmid = machine.provider.map_or(0, |provider| provider.vmid);
    let (message, hint) = match problem {
        VmProblem::Unreadable => (
            format!(
                "the VM {vmid} of {} cannot be read, so its GPU is not looked at",
                machine.id
            ),
            "its node is down: run it again when the node is back",
        ),
        VmProblem::Another => (
            format!(
                "VM {vmid} is not {} any more: its name or UUID is another one",
                machine.id
            ),
            "VM ids are reused, and the provider deletes by id: look before you delete the machine",
        ),
    };
    let warning = Diagnostic::warning(message).hint(hint);
    plan.warnings
        .push(Finding::of(System::Proxmox(provider.to_owned()), warning));
}

/// GPUs a machine that exists does not have by any means: mapping, raw address, or a request whose
/// provider data already lists the mapping.
fn lacking<'a>(site: &Site, view: &HypervisorView, machine: &Machine<'a>) -> Vec<&'a WantedGpu> {
    let wanted = &machine.set.gpus;
    if let Some(vm) = machine.vm {
        let mut taken = BTreeSet::new();
        return wanted
            .iter()
            .filter(|gpu| {
                !has_gpu(
                    &site.gpu_mappings,
                    view,
                    vm.node,
                    vm.applied,
                    &gpu.mapping,
                    &mut taken,
                )
            })
            .collect();
    }
    let listed = machine
        .request
        .map(|request| listed_mappings(&request.provider_data))
        .unwrap_or_default();
    wanted
        .iter()
        .filter(|gpu| !listed.contains(&gpu.mapping))
        .collect()
}

fn plan_new<'a>(
    site: &Site,
    snapshot: &Snapshot,
    (set, provider, new): (&'a MachineSetIntent, &str, usize),
    found: &mut GpuPlan,
    needs: &mut Vec<Need<'a>>,
    plan: &mut Plan,
) {
    let Some((class_id, _)) = &set.class else {
        return;
    };
    let Some(class) = site.machine_classes.get(class_id) else {
        return;
    };
    let gpus: Vec<SlotGpu> = set.gpus.iter().map(slot_gpu).collect();
    // A provider whose schema lacks the key drops it silently, whoever wrote it.
    let in_file = offers_devices(snapshot, provider)
        && set
            .gpus
            .iter()
            .all(|gpu| class_lists(class).contains(&gpu.mapping));
    let refusal = class_refusal(site, snapshot, set, provider);
    let may_use_class = in_file || refusal.is_none();
    if may_use_class && !in_file {
        let entry = found
            .class_devices
            .entry(class_id.clone())
            .or_insert((gpus.clone(), false));
        entry.1 |= new > 0;
    }
    if new == 0 {
        return;
    }
    if may_use_class {
        found.by_class.insert(set.id.clone(), gpus);
    } else if let Some((gpu, refusal)) = set
        .gpus
        .iter()
        .find(|gpu| gpu.attach == Attach::Class)
        .zip(refusal)
    {
        let error = Diagnostic::error(format!(
            "`attach: class` cannot hold for {}: {refusal}",
            set.id
        ))
        .at(gpu.origin.clone())
        .hint("use `attach: auto` or `attach: vm`");
        plan.blockers.push(Finding::in_file(error));
    } else {
        found.attach_new.insert(set.id.clone(), gpus);
    }
    let Some(view) = snapshot.hypervisors.get(provider) else {
        return;
    };
    for gpu in &set.gpus {
        if gpu.pcie && class.provider_data["machine_type"].as_str() != Some("q35") {
            let error = Diagnostic::error(format!(
                "{} wants {} as PCIe, but its class {class_id} is not of machine type q35",
                set.id, gpu.mapping
            ))
            .at(class.origin.clone())
            .hint("add the line `machine_type: q35` to its providerdata");
            plan.blockers.push(Finding::in_file(error));
        }
        let nodes = candidate_nodes(site, view, set);
        let pinned = class.provider_data["node"].is_string();
        needs.push(Need {
            provider: provider.to_owned(),
            set,
            gpu,
            nodes,
            count: new,
            pinned,
            exists: false,
        });
    }
}

/// Why the devices of a set cannot go through its class.
fn class_refusal(
    site: &Site,
    snapshot: &Snapshot,
    set: &MachineSetIntent,
    provider: &str,
) -> Option<String> {
    if set.gpus.iter().any(|gpu| gpu.attach == Attach::Vm) {
        return Some("`attach: vm` is set".to_owned());
    }
    if !offers_devices(snapshot, provider) {
        return Some(format!(
            "the schema of the provider {provider} has no `pci_devices`"
        ));
    }
    let class = set.class.as_ref().map(|(class, _)| class);
    let wishes = |set: &MachineSetIntent| -> Vec<(SlotGpu, bool)> {
        set.gpus
            .iter()
            .map(|gpu| (slot_gpu(gpu), gpu.attach == Attach::Vm))
            .collect()
    };
    let of_site = || {
        site.clusters
            .iter()
            .flat_map(|cluster| &cluster.machine_sets)
    };
    let users = class.and_then(|class| snapshot.omni.class_users.get(class));
    if let Some(foreign) = users
        .into_iter()
        .flatten()
        .find(|id| of_site().all(|set| set.id != **id))
    {
        return Some(format!(
            "{foreign}, which is not of this site, uses the same class"
        ));
    }
    of_site()
        .find(|other| {
            other.class.as_ref().map(|(class, _)| class) == class && wishes(other) != wishes(set)
        })
        .map(|other| format!("{} uses the same class and wants other devices", other.id))
        .or_else(|| {
            let class = site.machine_classes.get(class?)?;
            (!class_lists(class).is_empty())
                .then(|| "the class already lists other `pci_devices`".to_owned())
        })
}

fn offers_devices(snapshot: &Snapshot, provider: &str) -> bool {
    let schema = snapshot
        .omni
        .providers
        .get(provider)
        .and_then(|state| state.schema.as_ref());
    schema.is_some_and(|schema| schema["properties"].get("pci_devices").is_some())
}

fn class_lists(class: &MachineClass) -> Vec<String> {
    mappings_in(&class.provider_data)
}

fn listed_mappings(provider_data: &str) -> Vec<String> {
    serde_yaml::from_str::<Value>(provider_data)
        .map(|data| mappings_in(&data))
        .unwrap_or_default()
}

fn mappings_in(provider_data: &Value) -> Vec<String> {
    provider_data["pci_devices"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|device| device["mapping"].as_str().map(str::to_owned))
        .collect()
}

fn slot_gpu(gpu: &WantedGpu) -> SlotGpu {
    SlotGpu {
        mapping: gpu.mapping.clone(),
        pcie: gpu.pcie,
        primary: gpu.primary,
    }
}

/// Nodes a new machine of the set can land on.
fn candidate_nodes(site: &Site, view: &HypervisorView, set: &MachineSetIntent) -> Vec<String> {
    let class = set
        .class
        .as_ref()
        .and_then(|(class, _)| site.machine_classes.get(class));
    match class.and_then(|class| class.provider_data["node"].as_str()) {
        Some(node) => vec![node.to_owned()],
        None => view
            .nodes
            .iter()
            .filter(|(_, online)| **online)
            .map(|(node, _)| node.clone())
            .collect(),
    }
}
