//! What was seen, a row a device and a row a mapping.

use std::collections::BTreeMap;

use proxmox_client::{HostPci, PciDevice, VmConfig};
use serde::Serialize;

use crate::devices::is_device;
use crate::observe::HypervisorView;

/// A PCI device and who uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceRow {
    /// Proxmox node.
    pub node: String,
    /// `0000:01:00.0`.
    pub address: String,
    /// `vga`, `display`, `3d`, `accelerator`; the class in hexadecimal for all others.
    pub kind: String,
    /// `vvvv:dddd`.
    pub id: String,
    /// Vendor's name.
    pub vendor: Option<String>,
    /// Device's name.
    pub name: Option<String>,
    /// IOMMU group; absent where the node has none, and then it cannot be passed through.
    pub iommu_group: Option<u32>,
    /// Other devices of the group, bridges left out: they leave the host together.
    pub shares_group_with: Vec<String>,
    /// Mappings with an entry for it.
    pub mappings: Vec<String>,
    /// VMs that have it, or may have it.
    pub users: Vec<User>,
}

/// A VM with a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct User {
    /// VM id.
    pub vmid: u32,
    /// Its name.
    pub name: Option<String>,
    /// `hostpci0`.
    pub option: String,
    /// How the option names the device.
    pub by: Via,
    /// Whether the VM runs; absent where its node does not tell.
    pub running: Option<bool>,
    /// Since when it counts.
    pub state: State,
    /// How many devices of the node the option could mean: Proxmox takes the first free one at start.
    pub one_of: usize,
}

/// How a VM names a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// By a mapping of this id.
    Mapping(String),
    /// By its address.
    Address(String),
}

/// Whether a running VM has the device already or still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is so.
    Applied,
    /// After the VM is stopped and started.
    Pending,
    /// Until the VM is stopped.
    Leaving,
}

/// A mapping and whether it fits the hardware.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MappingRow {
    /// Mapping id.
    pub mapping: String,
    /// Free text.
    pub description: Option<String>,
    /// Whether it gives mediated devices.
    pub mdev: bool,
    /// Entries; several for one node are alternatives.
    pub entries: Vec<EntryRow>,
}

/// One entry of a mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntryRow {
    /// Proxmox node.
    pub node: String,
    /// `0000:01:00.0`, or `0000:01:00` for all functions.
    pub address: String,
    /// `vvvv:dddd`.
    pub id: String,
    /// IOMMU group.
    pub iommu_group: Option<u32>,
    /// What Proxmox finds when it compares the mapping with the node's hardware.
    pub check: Check,
}

/// Outcome of a comparison with the hardware.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "message", rename_all = "lowercase")]
pub enum Check {
    /// A VM with it starts.
    Clean,
    /// A start fails with this.
    Wrong(String),
    /// The node could not be asked.
    Unknown,
}

/// Devices of the nodes that were looked at: GPUs and accelerators, or all.
pub fn device_rows(view: &HypervisorView, all: bool) -> Vec<DeviceRow> {
    let of_node = |(node, devices): (&String, &Vec<PciDevice>)| {
        let users = users_on(view, node);
        let wanted = devices.iter().filter(|device| all || is_gpu(device));
        wanted
            .map(|device| device_row(view, node, devices, device, &users))
            .collect::<Vec<_>>()
    };
    view.devices.iter().flat_map(of_node).collect()
}

/// Display controllers and processing accelerators, by the PCI class.
fn is_gpu(device: &PciDevice) -> bool {
    device.class.starts_with("03") || device.class.starts_with("12")
}

fn kind(class: &str) -> String {
    match class.get(..4) {
        Some("0300") => "vga",
        Some("0302") => "3d",
        Some(display) if display.starts_with("03") => "display",
        Some(other) if other.starts_with("12") => "accelerator",
        _ => class,
    }
    .to_owned()
}

fn device_row(
    view: &HypervisorView,
    node: &str,
    devices: &[PciDevice],
    device: &PciDevice,
    users: &[(Vec<String>, User)],
) -> DeviceRow {
    let shares = |other: &&PciDevice| {
        let is_bridge = other.class.starts_with("06");
        other.iommu_group.is_some()
            && other.iommu_group == device.iommu_group
            && other.address != device.address
            && !is_bridge
    };
    let names_it = |path: &str| is_device(path, &device.address);
    let mappings = view.mappings.values().filter(|mapping| {
        let mut entries = mapping.entries_for(node);
        entries.any(|entry| names_it(&entry.path))
    });
    let users = users
        .iter()
        .filter(|(addresses, _)| addresses.iter().any(|address| names_it(address)));
    DeviceRow {
        node: node.to_owned(),
        address: device.address.clone(),
        kind: kind(&device.class),
        id: device.id.clone(),
        vendor: device.vendor_name.clone(),
        name: device.device_name.clone(),
        iommu_group: device.iommu_group,
        shares_group_with: devices
            .iter()
            .filter(shares)
            .map(|other| other.address.clone())
            .collect(),
        mappings: mappings.map(|mapping| mapping.id.clone()).collect(),
        users: users.map(|(_, user)| user.clone()).collect(),
    }
}

/// Each passed-through device of each VM of a node, with the addresses it may mean.
fn users_on(view: &HypervisorView, node: &str) -> Vec<(Vec<String>, User)> {
    let mut users = Vec::new();
    for (vmid, (at, config)) in &view.configs {
        if at != node {
            continue;
        }
        for (index, device, state) in passed_through(config, view.applied.get(vmid)) {
            let addresses = super::attach::addresses_of(view, node, &device);
            let by = match (&device.host, &device.mapping) {
                (Some(address), _) => Via::Address(address.clone()),
                (None, Some(mapping)) => Via::Mapping(mapping.clone()),
                (None, None) => continue,
            };
            let alternatives = if device.host.is_some() {
                1
            } else {
                addresses.len()
            };
            let user = User {
                vmid: *vmid,
                name: config.name().map(str::to_owned),
                option: format!("hostpci{index}"),
                by,
                running: running(view, *vmid),
                state,
                one_of: alternatives,
            };
            users.push((addresses, user));
        }
    }
    users
}

fn running(view: &HypervisorView, vmid: u32) -> Option<bool> {
    let row = view.rows.iter().find(|row| row.vmid == vmid)?;
    match row.status.as_str() {
        "running" => Some(true),
        "stopped" => Some(false),
        _ => None,
    }
}

/// Devices by index: as they will be, and those that a running VM has until it is stopped.
fn passed_through(config: &VmConfig, applied: Option<&VmConfig>) -> Vec<(u8, HostPci, State)> {
    let wanted = config.hostpci();
    let has = applied.map_or_else(|| wanted.clone(), VmConfig::hostpci);
    let mut all = BTreeMap::new();
    for (index, device) in &wanted {
        let state = if has.get(index) == Some(device) {
            State::Applied
        } else {
            State::Pending
        };
        all.insert((*index, state), device.clone());
    }
    for (index, device) in has {
        if wanted.get(&index) != Some(&device) {
            all.insert((index, State::Leaving), device);
        }
    }
    all.into_iter()
        .map(|((index, state), device)| (index, device, state))
        .collect()
}

/// Mappings with what each node says of its entries.
pub fn mapping_rows(view: &HypervisorView) -> Vec<MappingRow> {
    let rows = view.mappings.values().map(|mapping| MappingRow {
        mapping: mapping.id.clone(),
        description: mapping.description.clone(),
        mdev: mapping.mdev,
        entries: mapping
            .map
            .iter()
            .map(|entry| EntryRow {
                node: entry.node.clone(),
                address: entry.path.clone(),
                id: entry.id.clone(),
                iommu_group: entry.iommu_group,
                check: check(view, &mapping.id, &entry.node),
            })
            .collect(),
    });
    rows.collect()
}

fn check(view: &HypervisorView, mapping: &str, node: &str) -> Check {
    let key = (mapping.to_owned(), node.to_owned());
    match view.mapping_findings.get(&key) {
        Some(found) if found.is_empty() => Check::Clean,
        Some(found) => Check::Wrong(found.join("; ")),
        None => Check::Unknown,
    }
}
