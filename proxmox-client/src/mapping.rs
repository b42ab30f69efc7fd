//! PCI devices and the resource mappings that name them.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use crate::model::{MapEntry, PciDevice, PciMapping};
use crate::property::PropertyString;

impl PciDevice {
    /// The address without the function: `0000:01:00`.
    /// What a mapping's path is for all functions of a device.
    pub fn slot(&self) -> &str {
        self.address
            .rsplit_once('.')
            .map_or(self.address.as_str(), |(slot, _)| slot)
    }

    /// Whether `path`, with or without a function, names this device.
    pub fn is_at(&self, path: &str) -> bool {
        path == self.address || path == self.slot()
    }
}

impl MapEntry {
    /// The entry for a device as the node lists it, so that Proxmox finds nothing to object to at start.
    ///
    /// `path` is the device's address, or its slot for all functions (then `device` is function 0).
    pub fn for_device(
        node: impl Into<String>,
        path: impl Into<String>,
        device: &PciDevice,
    ) -> Self {
        Self {
            node: node.into(),
            path: path.into(),
            id: device.id.clone(),
            subsystem_id: device.subsystem_id.clone(),
            iommu_group: device.iommu_group,
            other: Vec::new(),
        }
    }

    /// Reads one line of a mapping. Never fails: absent fields are empty, unknown ones end in `other`.
    pub fn parse(text: &str) -> Self {
        let mut entry = Self::default();
        for (key, value) in PropertyString::parse(text).iter() {
            let key = key.unwrap_or_default();
            if !entry.take(key, value) {
                entry.other.push((key.to_owned(), value.to_owned()));
            }
        }
        entry
    }

    fn take(&mut self, key: &str, value: &str) -> bool {
        match (key, value.parse::<u32>()) {
            ("node", _) if self.node.is_empty() => value.clone_into(&mut self.node),
            ("path", _) if self.path.is_empty() => value.clone_into(&mut self.path),
            ("id", _) if self.id.is_empty() => value.clone_into(&mut self.id),
            ("subsystem-id", _) if self.subsystem_id.is_none() => {
                self.subsystem_id = Some(value.to_owned());
            }
            ("iommugroup", Ok(group)) if self.iommu_group.is_none() => {
                self.iommu_group = Some(group);
            }
            _ => return false,
        }
        true
    }
}

impl FromStr for MapEntry {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::parse(text))
    }
}

/// The line to write: `node=,path=,id=[,subsystem-id=][,iommugroup=]` and the other keys.
impl fmt::Display for MapEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let required = [("node", &self.node), ("path", &self.path), ("id", &self.id)];
        let mut separator = "";
        for (key, value) in required.into_iter().filter(|(_, value)| !value.is_empty()) {
            write!(f, "{separator}{key}={value}")?;
            separator = ",";
        }
        if let Some(id) = &self.subsystem_id {
            write!(f, "{separator}subsystem-id={id}")?;
            separator = ",";
        }
        if let Some(group) = self.iommu_group {
            write!(f, "{separator}iommugroup={group}")?;
            separator = ",";
        }
        for (key, value) in &self.other {
            write!(f, "{separator}{key}={value}")?;
            separator = ",";
        }
        Ok(())
    }
}

impl PciMapping {
    /// Entries for a node; several are alternatives, the first free one is taken at start.
    pub fn entries_for<'a>(&'a self, node: &'a str) -> impl Iterator<Item = &'a MapEntry> {
        self.map.iter().filter(move |entry| entry.node == node)
    }

    /// Whether a VM on `node` can use it.
    /// A VM with a mapping without one fails at start as if there were no such mapping.
    pub fn covers_node(&self, node: &str) -> bool {
        self.entries_for(node).next().is_some()
    }

    /// Nodes it has entries for, each once.
    pub fn nodes(&self) -> Vec<&str> {
        let mut nodes: Vec<&str> = self.map.iter().map(|entry| entry.node.as_str()).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    /// What a check against a node's hardware found wrong, in Proxmox's words.
    /// Empty also where nothing was checked: only [`pci_mappings`](crate::Client::pci_mappings) with a node
    /// does.
    pub fn errors(&self) -> impl Iterator<Item = &str> {
        self.checks
            .iter()
            .filter(|(severity, _)| severity == "error")
            .map(|(_, message)| message.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn entries() {
        let line = "node=pve1,path=0000:41:00,id=10de:2204,subsystem-id=1043:87b3,iommugroup=16,description=left";
        let entry = MapEntry::parse(line);
        assert_eq!((entry.node.as_str(), entry.iommu_group), ("pve1", Some(16)));
        assert_eq!(entry.other, [("description".to_owned(), "left".to_owned())]);
        assert_eq!(entry.to_string(), line);
        let odd = MapEntry::parse("iommugroup=-1,node=pve1");
        assert_eq!(
            (odd.iommu_group, odd.to_string().as_str()),
            (None, "node=pve1,iommugroup=-1")
        );
    }

    #[test]
    fn device_to_entry() {
        let device = PciDevice {
            address: "0000:03:00.0".into(),
            class: "030000".into(),
            id: "8086:56a6".into(),
            subsystem_id: None,
            iommu_group: None,
            vendor_name: None,
            device_name: None,
            mdev: false,
        };
        assert!(device.is_at("0000:03:00") && device.is_at("0000:03:00.0"));
        assert!(!device.is_at("0000:03:00.1") && !device.is_at("0000:03:0"));
        let entry = MapEntry::for_device("proxmox", device.slot(), &device);
        assert_eq!(
            entry.to_string(),
            "node=proxmox,path=0000:03:00,id=8086:56a6"
        );
        let mapping = PciMapping {
            map: vec![entry],
            ..PciMapping::default()
        };
        assert!(mapping.covers_node("proxmox") && !mapping.covers_node("proxmox2"));
    }

    proptest! {
        #[test]
        fn any_entry_reads_back_the_same(text in "((node|path|id|subsystem-id|iommugroup|zz)=[a-z0-9:.-]{0,6},?){0,7}|\\PC*") {
            let entry = MapEntry::parse(&text);
            prop_assert_eq!(MapEntry::parse(&entry.to_string()), entry);
        }
    }
}
