//! Machine classes: the files' classes as they are, with the devices a class is to give added.

use omni_client::{Metadata, Resource};
use serde_json::Value;
use similar::TextDiff;

use super::gpus::GpuPlan;
use super::{Action, Change, Effect, Finding, Plan, SlotGpu};
use crate::diagnostic::Diagnostic;
use crate::machines::missing;
use crate::meaning::{merged_metadata, same_spec, sorted};
use crate::observe::Snapshot;
use crate::ports::System;
use crate::site::{MachineClass, MachineSetIntent, Site};

mod devices;

pub(super) fn plan(site: &Site, snapshot: &Snapshot, gpus: &GpuPlan, plan: &mut Plan) {
    let missing = missing(site, snapshot);
    for class in site.machine_classes.values() {
        let actual = snapshot.omni.machine_classes.get(&class.id);
        let users: Vec<&MachineSetIntent> = site
            .clusters
            .iter()
            .flat_map(|cluster| &cluster.machine_sets)
            .filter(|set| set.class.as_ref().is_some_and(|(id, _)| *id == class.id))
            .collect();
        let is_idle = users
            .iter()
            .all(|set| missing.get(&set.id).copied().unwrap_or(0) == 0);
        let has_gpus = users.iter().any(|set| !set.gpus.is_empty());
        let devices = gpus
            .class_devices
            .get(&class.id)
            .filter(|(_, needed)| *needed && !is_idle);
        let plain = &class.resource.spec;
        if let Some((devices, _)) = devices {
            match devices::add(plain, &devices::listed(devices)) {
                Some(wanted) => write(class, actual, &wanted, Some(devices), plan),
                None => plan.blockers.push(cannot_carry(class)),
            }
        } else if let Some(kept) = actual
            .filter(|_| is_idle && has_gpus)
            .and_then(|actual| kept(class, actual))
        {
            write(class, actual, &kept, None, plan);
        } else {
            write(class, actual, plain, None, plan);
        }
    }
}

/// The file's spec with the devices that Omni's class has beyond it. While no machine is to come they
/// are left as they are, whoever added them and in whatever form.
fn kept(class: &MachineClass, actual: &Resource) -> Option<Value> {
    let in_file = class
        .provider_data
        .get("pci_devices")
        .and_then(Value::as_array);
    if in_file.is_some_and(|devices| !devices.is_empty()) {
        return None;
    }
    devices::add(&class.resource.spec, &devices::read(&actual.spec)?)
}

fn write(
    class: &MachineClass,
    actual: Option<&Resource>,
    wanted: &Value,
    added: Option<&Vec<SlotGpu>>,
    plan: &mut Plan,
) {
    let added = added.map(Vec::as_slice);
    match actual {
        None => plan.actions.push(create(class, wanted, added)),
        Some(actual) => update(class, actual, wanted, added, plan),
    }
}

fn cannot_carry(class: &MachineClass) -> Finding {
    let error = Diagnostic::error(format!(
        "`pci_devices` cannot be added to the providerdata of the class {}",
        class.id
    ))
    .at(class.origin.clone())
    .hint("write its providerdata as one `key: value` a line, or set `attach: vm` for the GPU");
    Finding::of(System::Omni, error)
}

fn create(class: &MachineClass, spec: &Value, added: Option<&[SlotGpu]>) -> Action {
    let mut resource = class.resource.clone();
    resource.spec.clone_from(spec);
    Action {
        id: format!("class/{}", class.id),
        reason: "Omni has no such machine class".to_owned(),
        effect: Effect::None,
        detail: added
            .map(|devices| differs_from_file(class, devices))
            .unwrap_or_default(),
        change: Change::CreateResource { resource },
    }
}

fn update(
    class: &MachineClass,
    actual: &Resource,
    wanted: &Value,
    added: Option<&[SlotGpu]>,
    plan: &mut Plan,
) {
    let metadata = merged_metadata(&actual.metadata, &class.resource.metadata);
    if same_spec(&actual.spec, wanted) && same_labels(&actual.metadata, &metadata) {
        return;
    }
    let matches_labels = |spec: &Value| {
        spec["match_labels"]
            .as_array()
            .is_some_and(|labels| !labels.is_empty())
    };
    if matches_labels(&actual.spec) && wanted["auto_provision"].is_object() {
        let error = Diagnostic::error(format!("the machine class {} matches labels in Omni; Omni cannot turn it into one that makes machines", class.id))
            .at(class.origin.clone())
            .hint("give the class in the file another id, or delete the one in Omni first");
        plan.blockers.push(Finding::of(System::Omni, error));
        return;
    }
    let mut detail = diff(&actual.spec, wanted);
    detail.extend(
        added
            .map(|devices| differs_from_file(class, devices))
            .unwrap_or_default(),
    );
    plan.actions.push(Action {
        id: format!("class/{}", class.id),
        reason: "it differs from its file; machines that exist keep what they were made with"
            .to_owned(),
        effect: Effect::None,
        detail,
        change: Change::UpdateResource {
            resource: Resource {
                metadata,
                spec: wanted.clone(),
            },
            seen: Box::new(actual.clone()),
        },
    });
}

fn same_labels(left: &Metadata, right: &Metadata) -> bool {
    left.labels == right.labels && left.annotations == right.annotations
}

fn differs_from_file(class: &MachineClass, devices: &[SlotGpu]) -> Vec<String> {
    let mut lines = vec![format!(
        "the class in Omni will have these lines more than {}; put them into its providerdata to make them the same:",
        class.origin.file.display()
    )];
    let text = devices::text(&devices::listed(devices));
    lines.extend(text.lines().map(|line| format!("+ {line}")));
    lines
}

fn diff(before: &Value, after: &Value) -> Vec<String> {
    let (before, after) = (readable(before), readable(after));
    TextDiff::from_lines(&before, &after)
        .unified_diff()
        .context_radius(1)
        .to_string()
        .lines()
        .skip_while(|line| line.starts_with("@@"))
        .filter(|line| !line.starts_with("@@"))
        .map(str::to_owned)
        .collect()
}

/// A spec as people write it: provider data is shown as the YAML it is.
fn readable(spec: &Value) -> String {
    let mut spec = spec.clone();
    if let Some(data) = spec
        .get_mut("auto_provision")
        .and_then(|provision| provision.get_mut("provider_data"))
        && let Some(parsed) = data
            .as_str()
            .and_then(|text| serde_yaml::from_str::<Value>(text).ok())
    {
        *data = sorted(parsed);
    }
    serde_yaml::to_string(&sorted(spec)).unwrap_or_default()
}
