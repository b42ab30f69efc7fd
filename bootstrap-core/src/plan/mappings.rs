//! PCI resource mappings: made where absent and about to be used, from what the hardware listing says.

use proxmox_client::{MapEntry, PciDevice};

use super::{Action, Change, Effect, Finding, Plan, checks};
use crate::devices::is_device;
use crate::diagnostic::Diagnostic;
use crate::mark;
use crate::observe::HypervisorView;
use crate::ports::System;
use crate::site::{GpuMapping, Site, WantedGpu};

/// Makes sure the mapping exists, or plans it from the hardware listing.
pub(super) fn ensure(
    site: &Site,
    view: &HypervisorView,
    (provider, gpu, user): (&str, &WantedGpu, &str),
    plan: &mut Plan,
) -> Option<Action> {
    let id = &gpu.mapping;
    if view.mappings.contains_key(id) {
        return None;
    }
    let system = System::Proxmox(provider.to_owned());
    let Some(declared) = site
        .gpu_mappings
        .get(id)
        .filter(|mapping| mapping.provider == provider)
    else {
        let error = Diagnostic::error(format!("the PCI mapping {id} does not exist in Proxmox"))
            .at(gpu.origin.clone())
            .hint("declare its devices under `gpuMappings`, or make it in Proxmox");
        plan.blockers.push(Finding::of(system, error));
        return None;
    };
    let granted = view
        .privileges
        .get("/mapping/pci")
        .map(Vec::as_slice)
        .unwrap_or_default();
    if !granted
        .iter()
        .any(|privilege| privilege == "Mapping.Modify")
    {
        checks::lacks(
            site,
            provider,
            &format!("Mapping.Modify on /mapping/pci (to make {id})"),
            plan,
        );
    }
    match entries(declared, view) {
        Ok((entries, mdev)) => Some(Action {
            id: format!("mapping/{provider}/{id}"),
            reason: format!("{user} is about to use it and Proxmox has no such mapping"),
            effect: Effect::None,
            detail: entries.iter().map(|entry| format!("+ {entry}")).collect(),
            change: Change::CreateMapping {
                provider: provider.to_owned(),
                id: id.clone(),
                entries: entries.iter().map(ToString::to_string).collect(),
                description: mark::mapping(&site.name),
                mdev,
            },
        }),
        Err(errors) => {
            plan.blockers.extend(
                errors
                    .into_iter()
                    .map(|error| Finding::of(system.clone(), error)),
            );
            None
        }
    }
}

/// Entries made from what the hardware listing says, and whether the devices are mediated ones: Proxmox
/// compares all of it at the start.
fn entries(
    declared: &GpuMapping,
    view: &HypervisorView,
) -> Result<(Vec<MapEntry>, bool), Vec<Diagnostic>> {
    let mut entries = Vec::new();
    let mut mdev = false;
    let mut errors = Vec::new();
    for wanted in &declared.devices {
        let listed = view
            .devices
            .get(&wanted.node)
            .map(Vec::as_slice)
            .unwrap_or_default();
        // A path without function means the whole device; Proxmox compares its first function.
        let device = listed
            .iter()
            .filter(|device| is_device(&device.address, &wanted.path))
            .min_by_key(|device| &device.address);
        let problem = match device {
            None => Some(format!(
                "{} has no PCI device at {}",
                wanted.node, wanted.path
            )),
            Some(device) if device.id != wanted.id => Some(format!(
                "the device at {} of {} is {}, not {}",
                wanted.path, wanted.node, device.id, wanted.id
            )),
            Some(device) if device.iommu_group.is_none() => Some(format!(
                "{} has no IOMMU group for {}: IOMMU is off",
                wanted.node, wanted.path
            )),
            Some(device) => {
                mdev |= device.mdev;
                entries.push(MapEntry {
                    node: wanted.node.clone(),
                    path: wanted.path.clone(),
                    id: device.id.clone(),
                    subsystem_id: device.subsystem_id.clone(),
                    iommu_group: device.iommu_group,
                    other: Vec::new(),
                });
                None
            }
        };
        if let Some(problem) = problem {
            errors.push(
                Diagnostic::error(problem)
                    .at(wanted.origin.clone())
                    .hint(display_devices(listed)),
            );
        }
    }
    if errors.is_empty() {
        Ok((entries, mdev))
    } else {
        Err(errors)
    }
}

fn display_devices(listed: &[PciDevice]) -> String {
    let shown: Vec<String> = listed
        .iter()
        .filter(|device| device.class.starts_with("03"))
        .map(|device| format!("{} {}", device.address, device.id))
        .collect();
    if shown.is_empty() {
        "that node lists no display devices".to_owned()
    } else {
        format!("its display devices: {}", shown.join(", "))
    }
}
