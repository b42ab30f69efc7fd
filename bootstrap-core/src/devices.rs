//! PCI devices: which VM has which, how many of a mapping are free on a node, and what speaks against one more.

use std::collections::{BTreeMap, BTreeSet};

use proxmox_client::{HostPci, VmConfig};

use crate::observe::HypervisorView;
use crate::site::GpuMapping;

/// Mappings that a site declares and that need not be there yet, by id.
pub type Declared = BTreeMap<String, GpuMapping>;

/// Devices of a mapping that are free on a node, and who has the others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FreeDevices {
    /// How many can be given away.
    pub free: usize,
    /// VMs that use one, as `name (vmid)`, or another device of its IOMMU group, which is said then.
    pub users: Vec<String>,
}

/// Whether two PCI addresses mean the same device: the domain may be left out, and an address without
/// function means all of them.
pub fn is_device(left: &str, right: &str) -> bool {
    let (left_slot, left_function) = split(left);
    let (right_slot, right_function) = split(right);
    left_slot == right_slot
        && match (left_function, right_function) {
            (Some(left), Some(right)) => left == right,
            _ => true,
        }
}

fn split(address: &str) -> (String, Option<&str>) {
    let (slot, function) = match address.split_once('.') {
        Some((slot, function)) => (slot, Some(function)),
        None => (address, None),
    };
    let slot = slot.to_lowercase();
    (
        if slot.matches(':').count() == 1 {
            format!("0000:{slot}")
        } else {
            slot
        },
        function,
    )
}

/// Addresses a mapping stands for on a node: what Proxmox has, else what the site declares.
pub fn addresses(
    declared: &Declared,
    view: &HypervisorView,
    node: &str,
    mapping: &str,
) -> Vec<String> {
    match view.mappings.get(mapping) {
        Some(found) => found
            .map
            .iter()
            .filter(|entry| entry.node == node)
            .map(|entry| entry.path.clone())
            .collect(),
        None => declared
            .get(mapping)
            .map(|mapping| {
                let devices = mapping.devices.iter().filter(|device| device.node == node);
                devices.map(|device| device.path.clone()).collect()
            })
            .unwrap_or_default(),
    }
}

/// Whether a VM has a device of the mapping, by the mapping, a raw address or another mapping of the
/// same device. `taken` holds the indexes that already count for another wish.
pub fn has_gpu(
    declared: &Declared,
    view: &HypervisorView,
    node: &str,
    config: &VmConfig,
    mapping: &str,
    taken: &mut BTreeSet<u8>,
) -> bool {
    let wanted = addresses(declared, view, node, mapping);
    let found = config.hostpci().into_iter().find(|(index, device)| {
        !taken.contains(index)
            && (device.mapping.as_deref() == Some(mapping)
                || overlaps(&device_addresses(declared, view, node, device), &wanted))
    });
    if let Some((index, _)) = found {
        taken.insert(index);
    }
    found.is_some()
}

fn device_addresses(
    declared: &Declared,
    view: &HypervisorView,
    node: &str,
    device: &HostPci,
) -> Vec<String> {
    match (&device.host, &device.mapping) {
        (Some(host), _) => host.split(';').map(str::to_owned).collect(),
        (None, Some(mapping)) => addresses(declared, view, node, mapping),
        (None, None) => Vec::new(),
    }
}

fn overlaps(left: &[String], right: &[String]) -> bool {
    left.iter()
        .any(|one| right.iter().any(|other| is_device(one, other)))
}

/// Counts what is free of a mapping on a node, every VM's configuration counted, stopped or running. An IOMMU group goes
/// to one VM as a whole: a device is not free while a VM has another one of its group.
pub fn free_devices(
    declared: &Declared,
    view: &HypervisorView,
    node: &str,
    mapping: &str,
) -> FreeDevices {
    let all = addresses(declared, view, node, mapping);
    let mut users = Vec::new();
    let mut taken = BTreeSet::new();
    let mut undecided = 0;
    if !all.is_empty() {
        for (vmid, _) in view.unreadable.iter().filter(|(_, at)| *at == node) {
            // Nothing is known of its devices, so none can be promised.
            undecided = all.len();
            users.push(format!("perhaps VM {vmid}, which cannot be read"));
        }
    }
    for (vmid, (at, config)) in &view.configs {
        if at != node {
            continue;
        }
        let mut devices: Vec<HostPci> = config.hostpci().into_values().collect();
        // A device whose removal waits for a restart is still in use.
        let applied = view
            .applied
            .get(vmid)
            .map(VmConfig::hostpci)
            .unwrap_or_default();
        devices.extend(
            applied
                .into_values()
                .filter(|device| !devices.contains(device))
                .collect::<Vec<_>>(),
        );
        for device in &devices {
            let held = device_addresses(declared, view, node, device);
            let concerned = |entry: &&String| held.iter().any(|one| meet(view, node, one, entry));
            let concerned: Vec<&String> = all.iter().filter(concerned).collect();
            let Some(first) = concerned.first() else {
                continue;
            };
            let user = format!("{} ({vmid})", config.name().unwrap_or("?"));
            users.push(if overlaps(&held, &all) {
                user
            } else {
                format!("{user}, which has another device of the IOMMU group of {first}")
            });
            // A mapping takes one of its entries, a raw address all it covers.
            if device.host.is_some() || held.len() == 1 {
                taken.extend(concerned);
            } else {
                undecided += 1;
            }
        }
    }
    FreeDevices {
        free: all.len().saturating_sub(taken.len() + undecided),
        users,
    }
}

/// Whether two mappings can come into each other's way on a node: by a device, or by an IOMMU group.
pub fn interfere(
    declared: &Declared,
    view: &HypervisorView,
    node: &str,
    (left, right): (&str, &str),
) -> bool {
    let [ours, theirs] = [left, right].map(|mapping| addresses(declared, view, node, mapping));
    left == right
        || ours
            .iter()
            .any(|one| theirs.iter().any(|other| meet(view, node, one, other)))
}

/// Whether two addresses mean the same device, or devices of one IOMMU group.
fn meet(view: &HypervisorView, node: &str, left: &str, right: &str) -> bool {
    let group = || iommu_group(view, node, left);
    is_device(left, right)
        || group().is_some_and(|group| iommu_group(view, node, right) == Some(group))
}

/// The group of a device: as its node lists it, or else as a mapping has it.
fn iommu_group(view: &HypervisorView, node: &str, address: &str) -> Option<u32> {
    let mut listed = view.devices.get(node).into_iter().flatten();
    let mut mapped = view.mappings.values().flat_map(|mapping| &mapping.map);
    match listed.find(|device| is_device(&device.address, address)) {
        Some(device) => device.iommu_group,
        None => mapped
            .find(|entry| entry.node == node && is_device(&entry.path, address))
            .and_then(|entry| entry.iommu_group),
    }
}

/// Why the start of a VM would not be certain to work with one more device of the mapping, where that is so.
/// A start that fails is never tried again by the provider. The view must not hold the VM itself.
pub fn objection(
    declared: &Declared,
    view: &HypervisorView,
    node: &str,
    config: &VmConfig,
    (mapping, pcie): (&str, bool),
) -> Option<String> {
    if pcie && !config.is_q35() {
        return Some(format!(
            "{mapping} is to be PCIe, but the VM is not of machine type q35"
        ));
    }
    let key = (mapping.to_owned(), node.to_owned());
    let findings = view.mapping_findings.get(&key);
    if let Some(problem) = findings.and_then(|found| found.first()) {
        return Some(format!(
            "the mapping {mapping} does not fit {node}: {problem}"
        ));
    }
    let free = free_devices(declared, view, node, mapping);
    if free.free > 0 {
        return None;
    }
    let users = if free.users.is_empty() {
        "the mapping has no entry for it".to_owned()
    } else {
        format!("in use by {}", free.users.join(", "))
    };
    Some(format!("no device of {mapping} is free on {node}: {users}"))
}

#[cfg(test)]
mod tests {
    use proxmox_client::{MapEntry, PciMapping};

    use super::*;

    fn mapping(id: &str, entries: &[(&str, u32)]) -> (String, PciMapping) {
        let entry = |(path, group): &(&str, u32)| MapEntry {
            node: "pve".to_owned(),
            path: (*path).to_owned(),
            id: "10de:2204".to_owned(),
            subsystem_id: None,
            iommu_group: Some(*group),
            other: Vec::new(),
        };
        let mapping = PciMapping {
            id: id.to_owned(),
            map: entries.iter().map(entry).collect(),
            description: None,
            digest: None,
            mdev: false,
            checks: Vec::new(),
        };
        (id.to_owned(), mapping)
    }

    fn view(configs: &[(u32, &str)]) -> HypervisorView {
        let config = |(vmid, device): &(u32, &str)| {
            let values = [("name", "vm"), ("hostpci0", *device)];
            let values = values.map(|(key, value)| (key.to_owned(), value.to_owned()));
            let digest = String::new();
            let values = values.into();
            (*vmid, ("pve".to_owned(), VmConfig { digest, values }))
        };
        HypervisorView {
            mappings: BTreeMap::from([
                mapping("gpu", &[("0000:01:00.0", 1), ("0000:02:00.0", 2)]),
                mapping("audio", &[("0000:01:00.1", 1), ("0000:02:00.1", 2)]),
                mapping("nic", &[("0000:05:00.0", 5)]),
            ]),
            configs: configs.iter().map(config).collect(),
            ..HypervisorView::default()
        }
    }

    #[test]
    fn a_group_goes_to_one_vm() {
        let none = Declared::new();
        for (configs, free) in [
            (&[][..], 2),
            (&[(1, "mapping=nic")], 2),
            (&[(1, "mapping=audio")], 1),
            (&[(1, "mapping=audio"), (2, "mapping=gpu")], 0),
            (&[(1, "0000:01:00.1")], 1),
            (&[(1, "0000:01:00")], 1),
            (&[(1, "0000:01:00.0;0000:01:00.1")], 1),
            (&[(1, "0000:01:00.1"), (2, "0000:02:00")], 0),
        ] {
            let found = free_devices(&none, &view(configs), "pve", "gpu");
            assert_eq!(found.free, free, "{configs:?}: {:?}", found.users);
        }
        let found = free_devices(&none, &view(&[(1, "0000:02:00.1")]), "pve", "gpu");
        let told = "vm (1), which has another device of the IOMMU group of 0000:02:00.0";
        assert_eq!(found.users, [told]);
        let meet = |pair| interfere(&none, &view(&[]), "pve", pair);
        assert!(meet(("gpu", "audio")) && meet(("nic", "nic")) && !meet(("gpu", "nic")));
    }

    #[test]
    fn addresses_are_compared_as_proxmox_reads_them() {
        assert!(is_device("0000:03:00.0", "0000:03:00"));
        assert!(is_device("03:00.0", "0000:03:00.0"));
        assert!(!is_device("0000:03:00.1", "0000:03:00.0"));
        assert!(!is_device("0000:04:00", "0000:03:00"));
        assert!(!is_device("0001:03:00", "03:00"));
    }
}
