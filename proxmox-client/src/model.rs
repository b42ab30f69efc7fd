//! What Proxmox VE answers, as callers use it.

use std::collections::BTreeMap;

/// A cluster node (`GET /nodes`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Node name.
    pub name: String,
    /// `online`, `offline` or `unknown`.
    pub status: String,
}

/// A row of `GET /cluster/resources?type=vm`, QEMU guests only. Name and status may be up to ten
/// seconds old and those of an earlier VM of the same id; `lock` and `tags` are live. Never an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VmRow {
    /// VM id, unique in the cluster but reused.
    pub vmid: u32,
    /// Node it is on.
    pub node: String,
    /// Name, absent until the first broadcast.
    pub name: Option<String>,
    /// `running`, `stopped` or `unknown`.
    pub status: String,
    /// Whether it is a template.
    pub template: bool,
    /// Tags, lower case.
    pub tags: Vec<String>,
    /// `create`, `backup`, …
    pub lock: Option<String>,
    /// What the HA manager says of it (`started`, `stopped`, `error`, …), where the manager owns it.
    pub ha_state: Option<String>,
}

/// A VM's configuration: flat options as text, with the digest that guards a write.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VmConfig {
    /// SHA-1 of the file; send it back with a write.
    pub digest: String,
    /// All other keys, numbers as text.
    pub values: BTreeMap<String, String>,
}

/// One row of `GET …/pending`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Option name.
    pub key: String,
    /// What the running VM has.
    pub value: Option<String>,
    /// What it will have after a stop and start.
    pub pending: Option<String>,
    /// Whether it will be removed.
    pub delete: bool,
}

/// `GET …/status/current`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VmStatus {
    /// `running` or `stopped`.
    pub status: String,
    /// Lock, if any.
    pub lock: Option<String>,
    /// Whether the HA manager owns its state.
    pub ha_managed: bool,
    /// Seconds since start.
    pub uptime: u64,
}

/// A `hostpciN` property string. Unknown keys survive.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostPci {
    /// Resource mapping id.
    pub mapping: Option<String>,
    /// Raw address list.
    pub host: Option<String>,
    /// PCIe instead of PCI; needs q35.
    pub pcie: bool,
    /// `x-vga=1`.
    pub primary_gpu: bool,
    /// `rombar=0` when false.
    pub rombar: Option<bool>,
    /// Other keys verbatim, in order.
    pub other: Vec<(String, String)>,
}

/// A host PCI device (`GET /nodes/N/hardware/pci`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PciDevice {
    /// `0000:01:00.0`.
    pub address: String,
    /// Class without `0x`, e.g. `030000`.
    pub class: String,
    /// `vvvv:dddd`.
    pub id: String,
    /// `vvvv:dddd` of the subsystem.
    pub subsystem_id: Option<String>,
    /// IOMMU group; absent when the node has none (`-1`).
    pub iommu_group: Option<u32>,
    /// Vendor's name.
    pub vendor_name: Option<String>,
    /// Device's name.
    pub device_name: Option<String>,
    /// Mediated-device capable.
    pub mdev: bool,
}

/// One line of a PCI resource mapping.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MapEntry {
    /// Node.
    pub node: String,
    /// `0000:01:00.0`, or `0000:01:00` for all functions.
    pub path: String,
    /// `vvvv:dddd`.
    pub id: String,
    /// `vvvv:dddd`.
    pub subsystem_id: Option<String>,
    /// IOMMU group.
    pub iommu_group: Option<u32>,
    /// Other keys verbatim.
    pub other: Vec<(String, String)>,
}

/// A PCI resource mapping.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PciMapping {
    /// Mapping id.
    pub id: String,
    /// Entries; several for one node are alternatives.
    pub map: Vec<MapEntry>,
    /// Free text; our mark lives here.
    pub description: Option<String>,
    /// Digest of the whole mapping file.
    pub digest: Option<String>,
    /// Mediated devices.
    pub mdev: bool,
    /// Only from a list with `check-node`: severity and message.
    pub checks: Vec<(String, String)>,
}

/// The id of a task: which node to ask, and what it does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Upid(pub(crate) String);

/// `GET …/tasks/UPID/status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskStatus {
    /// Task id.
    pub upid: Upid,
    /// `qmcreate`, `qmstart`, …
    pub kind: String,
    /// What it works on, a VM id mostly.
    pub id: String,
    /// Start, Unix seconds.
    pub start_time: u64,
    /// `OK`, `WARNINGS: n` or the error; absent while it runs.
    pub exit_status: Option<String>,
}

/// A privilege check result (`GET /access/permissions?path=…`): path to granted privileges.
pub type Permissions = BTreeMap<String, Vec<String>>;

/// `GET /version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// `9.2.11`.
    pub version: String,
    /// `9.2`.
    pub release: String,
    /// Short commit id.
    pub repoid: String,
}

impl Version {
    /// Whether the version is at least `major.minor`. One that cannot be read is not.
    pub fn at_least(&self, major: u32, minor: u32) -> bool {
        let mut parts = self
            .version
            .split(['.', '-', '~'])
            .map(|part| part.parse::<u32>().ok());
        let found = (parts.next().flatten(), parts.next().flatten().or(Some(0)));
        found >= (Some(major), Some(minor))
    }
}

/// `GET /cluster/status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterStatus {
    /// Name of the cluster; absent for a node on its own.
    pub name: Option<String>,
    /// Whether it can be written to.
    pub quorate: bool,
    /// Its nodes.
    pub nodes: Vec<ClusterNode>,
}

/// A member of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterNode {
    /// Node name.
    pub name: String,
    /// Whether the cluster sees it.
    pub online: bool,
    /// Whether it is the one that answered.
    pub local: bool,
    /// Its address.
    pub ip: Option<String>,
}

/// Which tasks of a node to list. The default is what Proxmox lists unasked: the last 50 ended ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskQuery {
    /// Only those of one VM.
    pub vmid: Option<u32>,
    /// At most so many.
    pub limit: Option<u32>,
    /// Running ones, too.
    pub running_too: bool,
    /// Only failed ones.
    pub only_failed: bool,
    /// Only those that ended so: `ok`, `error`, `warning`, `unknown`, or several with commas.
    pub status: Option<String>,
}

/// Lines of a task's log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskLog {
    /// How many lines there are in all.
    pub total: u64,
    /// The lines asked for. The last of all is `TASK OK`, `TASK WARNINGS: n` or `TASK ERROR: text`.
    pub lines: Vec<String>,
}
