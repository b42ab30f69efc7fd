//! A plan: what will be done and why, as data. It is a pure function of the site and a snapshot.

use std::net::Ipv4Addr;

use omni_client::Resource;
use serde::{Deserialize, Serialize};

use crate::diagnostic::Diagnostic;
use crate::observe::{OmniView, Snapshot};
use crate::ports::System;
use crate::site::{ClusterIntent, Site};

mod addresses;
mod capacity;
mod checks;
mod classes;
mod diff;
mod dns;
mod foreseen;
mod gpus;
mod listed;
mod mappings;
mod redacted;
mod render;
mod resources;

pub use diff::{Compared, diff};
pub(crate) use dns::{same_name, same_value};
pub use foreseen::of_template as foreseen;
pub use render::{render, render_action, summary_of_resources};
pub use resources::{Rules, cluster_removal};
pub(crate) use resources::{has_template_id, three_way};

/// What will be done. Round-trips through JSON.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Plan {
    /// Site name.
    pub site: String,
    /// Known actions in the order of cause.
    pub actions: Vec<Action>,
    /// Work on single machines; those to come are "known after the VM is made".
    pub slots: Vec<Slot>,
    /// Checks that failed: nothing is written while there is one.
    pub blockers: Vec<Finding>,
    /// What only a person can decide: nothing is written either.
    pub needs_person: Vec<Finding>,
    /// What only a person can do and stops nothing else; an apply ends with exit code 3 for it.
    #[serde(default)]
    pub left_to_person: Vec<Finding>,
    /// What a person should know.
    pub warnings: Vec<Finding>,
}

/// A finding about a system or a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The system it is about, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub system: Option<System>,
    /// What, where in a file, and what to do.
    #[serde(flatten)]
    pub diagnostic: Diagnostic,
}

/// One write to one system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// Stable name, unique in a plan, e.g. `class/home-worker`.
    pub id: String,
    /// Why.
    pub reason: String,
    /// What it costs beyond the write.
    pub effect: Effect,
    /// Lines that explain the change, unified-diff style.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
    /// The write.
    pub change: Change,
}

/// What an action does beyond the write itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Nothing.
    None,
    /// Nodes take a new configuration, which may reboot them one after another.
    MayRebootNodes,
    /// Nodes are upgraded and rebooted one after another.
    RollingUpgrade,
    /// Omni destroys machines that exist.
    DestroysMachines,
}

/// A write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Change {
    /// Make a DNS record in the gateway.
    CreateDnsRecord {
        /// Name.
        name: String,
        /// Type as DNS spells it.
        record_type: String,
        /// Value.
        value: String,
        /// Seconds, 0 is automatic.
        ttl: u32,
    },
    /// Make an Omni resource.
    CreateResource {
        /// The resource.
        resource: Resource,
    },
    /// Change an Omni resource that still has the version seen.
    UpdateResource {
        /// The new state, with the version that was read.
        resource: Resource,
        /// What was read: another spec now means somebody else is at work.
        seen: Box<Resource>,
    },
    /// Take an Omni resource away and wait until it is gone.
    DeleteResource {
        /// What was read.
        seen: Resource,
    },
    /// Make a PCI resource mapping.
    CreateMapping {
        /// Provider id.
        provider: String,
        /// Mapping id.
        id: String,
        /// Entries as Proxmox writes them.
        entries: Vec<String>,
        /// Description with our mark.
        description: String,
        /// Whether the devices can be shared out as mediated ones: Proxmox compares that at the start.
        mdev: bool,
    },
    /// Clear a reservation of ours whose machine is gone.
    ReleaseReservation {
        /// Client record id.
        record: String,
        /// Hardware address.
        mac: String,
        /// Address reserved.
        address: Ipv4Addr,
    },
}

/// Work on one machine: an address to reserve, GPUs to attach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Cluster.
    pub cluster: String,
    /// Machine set id.
    pub machine_set: String,
    /// Counts from 1 within the set.
    pub number: u32,
    /// The machine request, once there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request: Option<String>,
    /// Provider that makes the VM.
    pub provider: String,
    /// Whether it is a control plane member.
    pub control_plane: bool,
    /// Address to reserve; absent when there is none to reserve.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<SlotAddress>,
    /// GPUs to attach to the VM; those in the class are not here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attach: Vec<SlotGpu>,
    /// GPUs the class gives it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_class: Vec<SlotGpu>,
}

/// An address for a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotAddress {
    /// Address.
    pub address: Ipv4Addr,
    /// Network it is in.
    pub network_id: String,
    /// NIC whose MAC gets it.
    pub nic: String,
    /// Why this one.
    pub reason: String,
}

/// A GPU for a machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SlotGpu {
    /// Mapping id.
    pub mapping: String,
    /// As PCIe.
    pub pcie: bool,
    /// As primary display.
    pub primary: bool,
}

impl Action {
    /// The deletion of a resource that a person named.
    pub fn deletion(seen: Resource) -> Self {
        Self {
            id: resources::action_id(&seen),
            reason: "it was named".to_owned(),
            effect: Effect::None,
            detail: Vec::new(),
            change: Change::DeleteResource { seen },
        }
    }
}

impl Change {
    /// The Omni resource it is about.
    pub fn resource(&self) -> Option<&Resource> {
        match self {
            Self::CreateResource { resource } | Self::UpdateResource { resource, .. } => {
                Some(resource)
            }
            Self::DeleteResource { seen } => Some(seen),
            _ => None,
        }
    }
}

/// A type without its domain, `ConfigPatches`.
fn short(kind: &str) -> &str {
    kind.split('.').next().unwrap_or_default()
}

impl Finding {
    pub(crate) fn of(system: System, diagnostic: Diagnostic) -> Self {
        Self {
            system: Some(system),
            diagnostic,
        }
    }

    pub(crate) fn in_file(diagnostic: Diagnostic) -> Self {
        Self {
            system: None,
            diagnostic,
        }
    }
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty() && self.slots.is_empty()
    }

    /// Whether a check failed or a person is needed before anything may be written.
    pub fn is_blocked(&self) -> bool {
        !self.blockers.is_empty() || !self.needs_person.is_empty()
    }
}

/// Makes the plan that takes the site from what was observed to what is wanted.
pub fn plan(site: &Site, snapshot: &Snapshot) -> Plan {
    let mut plan = Plan {
        site: site.name.clone(),
        ..Plan::default()
    };
    plan.warnings
        .extend(site.warnings.iter().cloned().map(Finding::in_file));
    checks::check(site, snapshot, &mut plan);
    listed::check(site, snapshot, &mut plan);
    dns::plan(site, snapshot, &mut plan);
    let gpus = gpus::plan(site, snapshot, &mut plan);
    classes::plan(site, snapshot, &gpus, &mut plan);
    plan.actions.extend(gpus.mappings.iter().cloned());
    resources::plan(site, &snapshot.omni, &mut plan);
    let addresses = addresses::plan(site, snapshot, &mut plan);
    plan.slots = slots(site, snapshot, &gpus, &addresses);
    checks::check_work(site, snapshot, &gpus, &mut plan);
    plan
}

/// Makes the plan for one cluster template alone, from what Omni has.
pub fn plan_cluster(cluster: &ClusterIntent, omni: &OmniView, rules: Rules) -> Plan {
    let mut plan = Plan {
        site: cluster.name.clone(),
        ..Plan::default()
    };
    resources::work(cluster, omni, rules, &mut plan);
    // omnictl leaves it to the server to refuse, in the middle of the work.
    if !rules.exact {
        checks::check_cluster(cluster, omni, &mut plan);
    }
    plan
}

fn slots(
    site: &Site,
    snapshot: &Snapshot,
    gpus: &gpus::GpuPlan,
    addresses: &addresses::AddressPlan,
) -> Vec<Slot> {
    let machines = crate::machines::machines(site, snapshot);
    let missing = crate::machines::missing(site, snapshot);
    let mut slots = Vec::new();
    for cluster in &site.clusters {
        for set in &cluster.machine_sets {
            let empty = |number: u32, request: Option<String>| Slot {
                cluster: cluster.name.clone(),
                machine_set: set.id.clone(),
                number,
                request,
                provider: crate::machines::provider_of(site, set)
                    .unwrap_or_default()
                    .to_owned(),
                control_plane: set.control_plane,
                address: None,
                attach: Vec::new(),
                by_class: Vec::new(),
            };
            let mut number = 0;
            for machine in machines.iter().filter(|machine| machine.set.id == set.id) {
                number += 1;
                let mut slot = empty(number, Some(machine.id.to_owned()));
                if let Some(request) = machine.request {
                    slot.provider.clone_from(&request.provider);
                }
                slot.address = addresses.of_machine.get(machine.id).cloned();
                slot.attach = gpus.attach.get(machine.id).cloned().unwrap_or_default();
                if slot.address.is_some() || !slot.attach.is_empty() {
                    slots.push(slot);
                }
            }
            for index in 0..missing.get(&set.id).copied().unwrap_or(0) {
                let mut slot = empty(number + index + 1, None);
                let key = (set.id.clone(), index);
                slot.address = addresses.of_new.get(&key).cloned();
                slot.attach = gpus.attach_new.get(&set.id).cloned().unwrap_or_default();
                slot.by_class = gpus.by_class.get(&set.id).cloned().unwrap_or_default();
                slots.push(slot);
            }
        }
    }
    slots
}
