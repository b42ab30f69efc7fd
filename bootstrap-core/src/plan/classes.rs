//! Machine classes: the files' classes as they are, with the devices a class is to give added.

use omni_client::{Metadata, Resource};
use serde_json::Value;
use similar::TextDiff;

use super::gpus::GpuPlan;
use super::{Action, Change, Effect, Finding, Plan, SlotGpu};
use crate::diagnostic::Diagnostic;
use crate::meaning::{merged_metadata, same_spec, sorted};
use crate::observe::Snapshot;
use crate::ports::System;
use crate::site::{MachineClass, Site};

pub(super) fn plan(site: &Site, snapshot: &Snapshot, gpus: &GpuPlan, plan: &mut Plan) {
    for class in site.machine_classes.values() {
        let devices = gpus.class_devices.get(&class.id);
        let actual = snapshot.omni.machine_classes.get(&class.id);
        let plain = &class.resource.spec;
        let with_devices = devices.map(|(devices, _)| add_devices(plain, devices));
        let needed_now = devices.is_some_and(|(_, needed)| *needed);
        let wanted = match (&with_devices, actual) {
            (Some(with), None) if needed_now => with,
            (Some(with), Some(_)) if needed_now => with,
            // An earlier run may have added the devices: both forms are fine while nothing is made.
            (Some(with), Some(actual)) if same_spec(&actual.spec, with) => with,
            _ => plain,
        };
        let adds_devices = Some(wanted) == with_devices.as_ref();
        let added = devices.filter(|_| adds_devices).map(|(devices, _)| devices.as_slice());
        match actual {
            None => plan.actions.push(create(class, wanted, added)),
            Some(actual) => update(class, actual, wanted, added, plan),
        }
    }
}

fn create(class: &MachineClass, spec: &Value, added: Option<&[SlotGpu]>) -> Action {
    let mut resource = class.resource.clone();
    resource.spec.clone_from(spec);
    Action {
        id: format!("class/{}", class.id),
        reason: "Omni has no such machine class".to_owned(),
        effect: Effect::None,
        detail: added.map(|devices| differs_from_file(class, devices)).unwrap_or_default(),
        change: Change::CreateResource { resource },
    }
}

fn update(class: &MachineClass, actual: &Resource, wanted: &Value, added: Option<&[SlotGpu]>, plan: &mut Plan) {
    let metadata = merged_metadata(&actual.metadata, &class.resource.metadata);
    if same_spec(&actual.spec, wanted) && same_labels(&actual.metadata, &metadata) {
        return;
    }
    let matches_labels = |spec: &Value| spec["match_labels"].as_array().is_some_and(|labels| !labels.is_empty());
    if matches_labels(&actual.spec) && wanted["auto_provision"].is_object() {
        let error = Diagnostic::error(format!("the machine class {} matches labels in Omni; Omni cannot turn it into one that makes machines", class.id))
            .at(class.origin.clone())
            .hint("give the class in the file another id, or delete the one in Omni first");
        plan.blockers.push(Finding::of(System::Omni, error));
        return;
    }
    let mut detail = diff(&actual.spec, wanted);
    detail.extend(added.map(|devices| differs_from_file(class, devices)).unwrap_or_default());
    plan.actions.push(Action {
        id: format!("class/{}", class.id),
        reason: "it differs from its file; machines that exist keep what they were made with".to_owned(),
        effect: Effect::None,
        detail,
        change: Change::UpdateResource {
            resource: Resource { metadata, spec: wanted.clone() },
            seen: actual.spec.clone(),
        },
    });
}

fn same_labels(left: &Metadata, right: &Metadata) -> bool {
    left.labels == right.labels && left.annotations == right.annotations
}

/// The class's spec with `pci_devices` appended to the provider data's text, which stays as written.
fn add_devices(spec: &Value, devices: &[SlotGpu]) -> Value {
    let mut spec = spec.clone();
    if let Some(data) = spec["auto_provision"].get_mut("provider_data") {
        let mut text = data.as_str().unwrap_or_default().to_owned();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        for line in device_lines(devices) {
            text.push_str(&line);
            text.push('\n');
        }
        *data = Value::String(text);
    }
    spec
}

fn device_lines(devices: &[SlotGpu]) -> Vec<String> {
    let mut lines = vec!["pci_devices:".to_owned()];
    for device in devices {
        lines.push(format!("  - mapping: {}", device.mapping));
        if device.pcie {
            lines.push("    pcie: true".to_owned());
        }
        if device.primary {
            lines.push("    primary_gpu: true".to_owned());
        }
    }
    lines
}

fn differs_from_file(class: &MachineClass, devices: &[SlotGpu]) -> Vec<String> {
    let mut lines = vec![format!(
        "the class in Omni will have these lines more than {}; put them into its providerdata to make them the same:",
        class.origin.file.display()
    )];
    lines.extend(device_lines(devices).into_iter().map(|line| format!("+ {line}")));
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
    if let Some(data) = spec["auto_provision"].get_mut("provider_data")
        && let Some(parsed) = data.as_str().and_then(|text| serde_yaml::from_str::<Value>(text).ok())
    {
        *data = sorted(parsed);
    }
    serde_yaml::to_string(&sorted(spec)).unwrap_or_default()
}
