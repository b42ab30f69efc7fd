//! The `gpuMappings` section.

use std::collections::BTreeMap;

use super::decode::{Reader, listed, suggest};
use super::model::{GpuDevice, GpuMapping, ProxmoxEndpoint};
use crate::yaml::Node;

pub(super) const MAPPING: &[&str] = &["provider", "devices"];
pub(super) const DEVICE: &[&str] = &["node", "path", "id"];

impl Reader {
    pub(super) fn mappings(
        &mut self,
        node: &Node,
        proxmox: &[ProxmoxEndpoint],
    ) -> BTreeMap<String, GpuMapping> {
        let Some(pairs) = node.as_mapping() else {
            self.error(
                node,
                format!("`gpuMappings` must be a mapping, not {}", node.kind()),
            );
            return BTreeMap::new();
        };
        let mut mappings = BTreeMap::new();
        for (key, value) in pairs {
            let Some(id) = self.string(key, "gpuMappings") else {
                continue;
            };
            self.mapping_id(key, id);
            if let Some(mapping) = self.gpu_mapping(key, id, value, proxmox) {
                self.shared_devices(&mapping, &mappings);
                mappings.insert(id.to_owned(), mapping);
            }
        }
        mappings
    }

    pub(super) fn mapping_id(&mut self, node: &Node, id: &str) {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if id.len() < 2
            || !id.bytes().all(known)
            || !id.starts_with(|first: char| first.is_ascii_alphabetic())
        {
            self.error_hint(
                node,
                format!("`{id}` is no name for a PCI mapping"),
                "two or more letters, digits, `-` and `_`, a letter first",
            );
        }
    }

    fn gpu_mapping(
        &mut self,
        key: &Node,
        id: &str,
        node: &Node,
        proxmox: &[ProxmoxEndpoint],
    ) -> Option<GpuMapping> {
        let fields = self.fields(node, "gpuMappings", MAPPING)?;
        let provider_node = self.required(&fields, "provider");
        let provider =
            provider_node.and_then(|node| self.string(node, "provider").map(|text| (node, text)));
        if let Some((node, provider)) = provider {
            self.known_provider(node, provider, proxmox);
        }
        let devices = self
            .required(&fields, "devices")
            .map(|node| self.devices(node))?;
        Some(GpuMapping {
            id: id.to_owned(),
            provider: provider?.1.to_owned(),
            devices,
            origin: self.origin(key),
        })
    }

    fn known_provider(&mut self, node: &Node, provider: &str, proxmox: &[ProxmoxEndpoint]) {
        let known: Vec<&str> = proxmox
            .iter()
            .map(|cluster| cluster.provider.as_str())
            .collect();
        if known.contains(&provider) {
            return;
        }
        let hint = match suggest(provider, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "add the `proxmox` section with this provider".to_owned(),
            None => format!("`proxmox` has {}", listed(&known)),
        };
        self.error_hint(
            node,
            format!("provider `{provider}` is not in `proxmox`"),
            hint,
        );
    }

    fn devices(&mut self, node: &Node) -> Vec<GpuDevice> {
        let mut devices: Vec<GpuDevice> = Vec::new();
        let entries = self.entries(node, "devices");
        if entries.is_empty() && node.as_sequence().is_some() {
            self.error(node, "`devices` is empty");
        }
        for entry in entries {
            let Some(device) = self.device(entry) else {
                continue;
            };
            if devices
                .iter()
                .any(|known| known.node == device.node && same_device(&known.path, &device.path))
            {
                self.error(
                    entry,
                    format!(
                        "device {} of node `{}` is given twice",
                        device.path, device.node
                    ),
                );
                continue;
            }
            devices.push(device);
        }
        devices
    }

    fn device(&mut self, node: &Node) -> Option<GpuDevice> {
        let fields = self.fields(node, "devices", DEVICE)?;
        let host = self.required_string(&fields, "node");
        let path = self
            .required(&fields, "path")
            .and_then(|node| self.pci_path(node));
        let id = self
            .required(&fields, "id")
            .and_then(|node| self.pci_id(node));
        Some(GpuDevice {
            node: host?.to_owned(),
            path: path?,
            id: id?,
            origin: self.origin(node),
        })
    }

    fn pci_path(&mut self, node: &Node) -> Option<String> {
        let text = self.string(node, "path")?.to_ascii_lowercase();
        if is_pci_path(&text) {
            return Some(text);
        }
        let full = format!("0000:{text}");
        let hint = if is_pci_path(&full) {
            format!("with the domain it is \"{full}\"")
        } else {
            "write it as \"0000:03:00\" (the whole device) or \"0000:03:00.0\" (one function)"
                .to_owned()
        };
        self.error_hint(
            node,
            format!("`path` must be a PCI address, not `{text}`"),
            hint,
        );
        None
    }

    fn pci_id(&mut self, node: &Node) -> Option<String> {
        let text = self
            .string(node, "id")?
            .to_ascii_lowercase()
            .replace("0x", "");
        let digits =
            |part: &str| part.len() == 4 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        if text
            .split_once(':')
            .is_some_and(|(vendor, device)| digits(vendor) && digits(device))
        {
            return Some(text);
        }
        self.error_hint(
            node,
            format!("`id` must be vendor and device, not `{text}`"),
            "write it quoted, as \"8086:56a6\"; `lspci -nn` shows it in brackets",
        );
        None
    }

    /// One device in two mappings can be given out twice.
    fn shared_devices(&mut self, mapping: &GpuMapping, others: &BTreeMap<String, GpuMapping>) {
        for device in &mapping.devices {
            let twin = others.values().find(|other| {
                other.provider == mapping.provider
                    && other.devices.iter().any(|known| {
                        known.node == device.node && same_device(&known.path, &device.path)
                    })
            });
            if let Some(other) = twin {
                self.findings.push(
                    crate::diagnostic::Diagnostic::warning(format!(
                        "device {} of node `{}` is in mapping `{}` too",
                        device.path, device.node, other.id
                    ))
                    .at(device.origin.clone())
                    .hint("whichever machine starts first gets it; the other cannot start"),
                );
            }
        }
    }
}

/// A function belongs to its device.
fn same_device(one: &str, other: &str) -> bool {
    let split = |path: &str| {
        path.split_once('.')
            .map_or((path.to_owned(), None), |(device, function)| {
                (device.to_owned(), Some(function.to_owned()))
            })
    };
    let ((one, first), (other, second)) = (split(one), split(other));
    one == other && (first.is_none() || second.is_none() || first == second)
}

fn is_pci_path(text: &str) -> bool {
    let hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let mut parts = text.split(':');
    let (Some(domain), Some(bus), Some(slot), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let (device, function) = slot.split_once('.').unwrap_or((slot, "0"));
    hex(domain, 4) && hex(bus, 2) && hex(device, 2) && hex(function, 1)
}
