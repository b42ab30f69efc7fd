//! PCI resource mappings and the hardware they name.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proxmox_client::PciDevice;

use super::Cluster;
use super::access::{Caller, Refusal};
use super::grammar::{self, Properties};
use super::vm::sha1;

/// A mapping as `mapping/pci.cfg` has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping {
    /// Entries, verbatim.
    pub map: Vec<String>,
    /// Free text.
    pub description: Option<String>,
    /// Mediated devices.
    pub mdev: bool,
}

/// What one entry came to on its node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// `warning` or `error`.
    pub severity: &'static str,
    /// Text, with the final newline the API sends.
    pub message: String,
}

const FAMILY: [&str; 3] = ["Mapping.Modify", "Mapping.Use", "Mapping.Audit"];

impl Cluster {
    /// Digest of the whole mapping file.
    pub fn mapping_digest(&self) -> String {
        let mut text = String::new();
        for (id, mapping) in &self.mappings {
            let _ = writeln!(text, "{id} {:?} {}", mapping.description, mapping.mdev);
            for entry in &mapping.map {
                let _ = writeln!(text, "\tmap {entry}");
            }
        }
        sha1(&text)
    }

    /// Mappings the caller may see.
    pub fn mappings(&self, caller: &Caller) -> Vec<(&str, &Mapping)> {
        self.mappings
            .iter()
            .filter(|(id, _)| caller.may(&format!("/mapping/pci/{id}"), &FAMILY))
            .map(|(id, mapping)| (id.as_str(), mapping))
            .collect()
    }

    /// One mapping.
    pub fn mapping(&self, caller: &Caller, id: &str) -> Result<&Mapping, Refusal> {
        caller.require(&format!("/mapping/pci/{id}"), &FAMILY)?;
        self.mappings
            .get(id)
            .ok_or_else(|| Refusal::new(500, format!("mapping '{id}' not found")))
    }

    /// What is wrong with a mapping on a node.
    pub fn mapping_checks(&self, id: &str, mapping: &Mapping, node: &str) -> Vec<Check> {
        let entries = entries_of(mapping, node);
        if entries.is_empty() {
            return vec![Check {
                severity: "warning",
                message: format!("No mapping for node {node}."),
            }];
        }
        let devices = self.devices_of(node);
        entries
            .iter()
            .filter_map(|entry| validate(id, entry, mapping.mdev, devices).err())
            .map(|text| Check {
                severity: "error",
                message: format!("Invalid configuration: {text}\n"),
            })
            .collect()
    }

    /// Makes a mapping; its content is not compared with any hardware.
    pub fn create_mapping(
        &mut self,
        caller: &Caller,
        id: &str,
        mapping: Mapping,
    ) -> Result<(), Refusal> {
        caller.require("/mapping/pci", &["Mapping.Modify"])?;
        if !grammar::is_config_id(id) {
            let text = format!("invalid format - invalid configuration ID '{id}'\n");
            return Err(Refusal::parameter("id", text));
        }
        if mapping.map.is_empty() {
            return Err(Refusal::parameter(
                "map",
                "property is missing and it is not optional",
            ));
        }
        check_entries(&mapping.map)?;
        if self.mappings.contains_key(id) {
            let text = format!("create hardware mapping failed: pci ID '{id}' already defined");
            return Err(Refusal::new(500, text));
        }
        self.mappings.insert(id.to_owned(), mapping);
        Ok(())
    }

    /// Replaces a mapping's entries and, where given, its description.
    pub fn update_mapping(
        &mut self,
        caller: &Caller,
        id: &str,
        mapping: Mapping,
        digest: Option<&str>,
    ) -> Result<(), Refusal> {
        caller.require(&format!("/mapping/pci/{id}"), &["Mapping.Modify"])?;
        check_entries(&mapping.map)?;
        let refuse = |text: &str| {
            Err(Refusal::new(
                500,
                format!("update hardware mapping failed: {text}"),
            ))
        };
        if digest.is_some_and(|digest| !digest.is_empty() && digest != self.mapping_digest()) {
            return refuse(
                "detected modified configuration - file changed by other user? Try again.",
            );
        }
        let Some(known) = self.mappings.get_mut(id) else {
            return refuse(&format!("pci ID '{id}' does not exist"));
        };
        if mapping.map.is_empty() {
            return refuse("missing value for required option 'map'");
        }
        known.map = mapping.map;
        if mapping.description.is_some() {
            known.description = mapping.description;
        }
        Ok(())
    }

    /// Removes a mapping; an absent one is removed already.
    pub fn delete_mapping(&mut self, caller: &Caller, id: &str) -> Result<(), Refusal> {
        caller.require("/mapping/pci", &["Mapping.Modify"])?;
        self.mappings.remove(id);
        Ok(())
    }

    /// PCI devices of a node.
    pub fn pci_devices(&self, caller: &Caller, node: &str) -> Result<&[PciDevice], Refusal> {
        caller.require("/", &["Sys.Audit", "Sys.Modify"])?;
        self.reach(node).map(|node| node.pci.as_slice())
    }

    pub(super) fn devices_of(&self, node: &str) -> &[PciDevice] {
        self.nodes
            .iter()
            .find(|known| known.name == node)
            .map_or(&[], |node| node.pci.as_slice())
    }
}

/// All mappings by id.
pub(super) type Mappings = BTreeMap<String, Mapping>;

/// The entries of a mapping for one node, parsed.
pub(super) fn entries_of(mapping: &Mapping, node: &str) -> Vec<Properties> {
    mapping
        .map
        .iter()
        .filter_map(|entry| grammar::properties(entry, "node").ok())
        .filter(|entry| grammar::property(entry, "node") == Some(node))
        .collect()
}

/// The PCI addresses an entry stands for: all functions where the path names none.
pub(super) fn addresses_of(entry: &Properties, devices: &[PciDevice]) -> Vec<String> {
    let path = grammar::property(entry, "path").unwrap_or_default();
    if path.contains('.') {
        return vec![path.to_owned()];
    }
    let prefix = format!("{path}.");
    devices
        .iter()
        .map(|device| device.address.clone())
        .filter(|a| a.starts_with(&prefix))
        .collect()
}

/// Compares an entry with the hardware; the error is the API's own text.
pub(super) fn validate(
    id: &str,
    entry: &Properties,
    mdev: bool,
    devices: &[PciDevice],
) -> Result<(), String> {
    let path = grammar::property(entry, "path").unwrap_or_default();
    let address = if path.contains('.') {
        path.to_owned()
    } else {
        format!("{path}.0")
    };
    let Some(device) = devices.iter().find(|device| device.address == address) else {
        return Err(format!("pci device '{address}' not found"));
    };
    let expected = [
        ("id", Some(device.id.clone())),
        (
            "iommugroup",
            device.iommu_group.map(|group| group.to_string()),
        ),
        ("subsystem-id", device.subsystem_id.clone()),
    ];
    for (name, expected) in expected {
        match (expected, grammar::property(entry, name)) {
            (Some(expected), Some(found)) if !expected.eq_ignore_ascii_case(found) => {
                return Err(format!(
                    "'{name}' does not match for '{id}' ({expected} != {found})"
                ));
            }
            (Some(_), None) => {
                return Err(format!(
                    "missing expected property '{name}' for device '{address}'"
                ));
            }
            (None, Some(_)) => {
                return Err(format!(
                    "unexpected property '{name}' configured for device '{address}'"
                ));
            }
            _ => {}
        }
    }
    if mdev && !device.mdev {
        return Err(format!("'mdev' does not match for '{id}' (0 != 1)"));
    }
    Ok(())
}

fn check_entries(map: &[String]) -> Result<(), Refusal> {
    for (index, entry) in map.iter().enumerate() {
        let name = format!("map[{index}]");
        let entry =
            grammar::properties(entry, "node").map_err(|text| Refusal::parameter(&name, text))?;
        let bad = |key: &str, text: &str| {
            let text = format!("invalid format - format error\n{name}.{key}: {text}\n");
            Refusal::parameter(&name, text)
        };
        for key in ["node", "path", "id"] {
            if grammar::property(&entry, key).is_none() {
                return Err(bad(key, "property is missing and it is not optional"));
            }
        }
        for (key, value) in &entry {
            let fits = match key.as_str() {
                "path" => value.split(';').all(grammar::is_full_address),
                "id" | "subsystem-id" => grammar::is_device_id(value),
                "iommugroup" => value.parse::<u32>().is_ok(),
                "node" | "description" => true,
                _ => {
                    let text = "property is not defined in schema and the schema does not allow additional properties";
                    return Err(bad(key, text));
                }
            };
            if !fits {
                return Err(bad(key, "value does not match the regex pattern"));
            }
        }
    }
    Ok(())
}
