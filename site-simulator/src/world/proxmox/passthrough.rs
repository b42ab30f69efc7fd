//! What a start does about PCI devices, with the checks it makes and the texts it fails with.

use super::grammar::{self, Properties};
use super::{Cluster, mapping, no_such_vm};
use crate::blueprint::Faults;

const Q35_MISSING: &str =
    "q35 machine model is not enabled at /usr/share/perl5/PVE/QemuServer/PCI.pm line 510.";

/// A device picked for a start.
pub(super) struct Pick {
    pub(super) label: String,
    pub(super) addresses: Vec<String>,
}

/// Why a start failed: exit status and the lines logged before it.
pub(super) struct Failed {
    pub(super) exit: String,
    pub(super) lines: Vec<String>,
}

impl From<String> for Failed {
    fn from(exit: String) -> Self {
        Self {
            exit,
            lines: Vec::new(),
        }
    }
}

impl Cluster {
    /// What a start does about `hostpciN`: look the mapping up, compare it with the hardware, want q35 for PCIe,
    /// take the first free alternative, bind it.
    pub(super) fn pick_devices(&self, vmid: u32, faults: &Faults) -> Result<Vec<Pick>, Failed> {
        let Some(vm) = self.vms.get(&vmid) else {
            return Err(no_such_vm("", vmid).message.into());
        };
        let q35 = vm
            .config
            .get("machine")
            .is_some_and(|m| m.starts_with("q35") || m.starts_with("pc-q35"));
        let hostpci =
            |key: &String| grammar::family(key).is_some_and(|(name, _)| name == "hostpci");
        let mut picks: Vec<Pick> = Vec::new();
        for (key, value) in vm.config.iter().filter(|(key, _)| hostpci(key)) {
            let wanted = grammar::properties(value, "host").map_err(Failed::from)?;
            let alternatives = self.alternatives(&vm.node, &wanted)?;
            if grammar::is_on(&wanted, "pcie") && !q35 {
                return Err(Q35_MISSING.to_owned().into());
            }
            let pick = self.choose(vmid, &vm.node, key, alternatives, &picks)?;
            let taken =
                |address: &&String| picks.iter().any(|pick| pick.addresses.contains(address));
            if let Some(address) = pick.addresses.iter().find(taken) {
                return Err(format!("device '{address}' assigned more than once").into());
            }
            picks.push(pick);
        }
        if let Some(address) = picks.iter().find_map(|pick| pick.addresses.first())
            && faults.vfio_bind_fails
        {
            return Err(format!("Cannot bind {address} to vfio").into());
        }
        Ok(picks)
    }

    fn alternatives(&self, node: &str, wanted: &Properties) -> Result<Vec<Pick>, Failed> {
        let devices = self.devices_of(node);
        let Some(id) = grammar::property(wanted, "mapping") else {
            let host = grammar::property(wanted, "host").unwrap_or_default();
            let addresses = host
                .split(';')
                .flat_map(|path| raw_addresses(path, devices))
                .collect();
            return Ok(vec![Pick {
                label: format!("host={host}"),
                addresses,
            }]);
        };
        let mapping = self.mappings.get(id);
        let entries = mapping
            .map(|mapping| mapping::entries_of(mapping, node))
            .unwrap_or_default();
        if entries.is_empty() {
            let exit = format!("PCI device mapping not found for '{id}'");
            return Err(Failed {
                lines: vec![exit.clone()],
                exit,
            });
        }
        let mdev = mapping.is_some_and(|mapping| mapping.mdev);
        for entry in &entries {
            mapping::validate(id, entry, mdev, devices).map_err(|text| {
                let exit =
                    format!("PCI device mapping invalid (hardware probably changed): {text}");
                Failed {
                    lines: vec![exit.clone(), String::new()],
                    exit: format!("{exit} "),
                }
            })?;
        }
        let pick = |entry: &Properties| Pick {
            label: id.to_owned(),
            addresses: mapping::addresses_of(entry, devices),
        };
        Ok(entries.iter().map(pick).collect())
    }

    fn choose(
        &self,
        vmid: u32,
        node: &str,
        key: &str,
        alternatives: Vec<Pick>,
        picks: &[Pick],
    ) -> Result<Pick, Failed> {
        let holder = |address: &String| {
            let others = self
                .vms
                .values()
                .filter(|vm| vm.node == node && vm.vmid != vmid && vm.running);
            others
                .filter(|vm| vm.held_addresses.contains(address))
                .map(|vm| vm.vmid)
                .next()
        };
        let several = alternatives.len() > 1;
        for pick in alternatives {
            let busy = pick
                .addresses
                .iter()
                .find_map(|address| Some((address.clone(), holder(address)?)));
            match busy {
                None if several
                    && pick
                        .addresses
                        .iter()
                        .any(|a| picks.iter().any(|p| p.addresses.contains(a))) => {}
                None => return Ok(pick),
                Some((address, holder)) if !several => {
                    let text = format!("PCI device '{address}' already in use by VMID '{holder}'");
                    return Err(text.into());
                }
                Some(_) => {}
            }
        }
        Err(format!("could not find a free device for '{key}'").into())
    }
}

/// A raw `host=` path, with or without domain and function.
fn raw_addresses(path: &str, devices: &[proxmox_client::PciDevice]) -> Vec<String> {
    let full = if path.matches(':').count() == 1 {
        format!("0000:{path}")
    } else {
        path.to_owned()
    };
    mapping::addresses_of(&vec![("path".to_owned(), full)], devices)
}
