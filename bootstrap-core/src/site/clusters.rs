//! The `clusters` section: what the file says, before it meets the template.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use unifi_client::Mac;

use super::addresses::Pool;
use super::decode::{Fields, Reader, listed};
use super::model::{Attach, PinKey, WantedGpu};
use crate::diagnostic::Origin;
use crate::yaml::Node;

pub(super) const CLUSTER: &[&str] = &["template", "network", "machineSets"];
pub(super) const MACHINE_SET: &[&str] = &["addresses", "pins", "network", "nic", "gpu"];
pub(super) const GPU: &[&str] = &["mapping", "pcie", "primary", "attach"];

/// A cluster as written.
#[derive(Debug)]
pub(super) struct ClusterDraft {
    pub(super) template: Option<PathBuf>,
    pub(super) template_origin: Origin,
    pub(super) network: Option<String>,
    pub(super) sets: Vec<SetDraft>,
    pub(super) origin: Origin,
}

/// A machine set as written.
#[derive(Debug)]
pub(super) struct SetDraft {
    pub(super) name: String,
    pub(super) pool: Pool,
    pub(super) addresses_origin: Origin,
    pub(super) pins: BTreeMap<PinKey, Ipv4Addr>,
    pub(super) pin_origins: BTreeMap<Ipv4Addr, Origin>,
    pub(super) network: Option<String>,
    pub(super) nic: String,
    pub(super) gpus: Vec<WantedGpu>,
    pub(super) origin: Origin,
}

impl Reader {
    pub(super) fn clusters(&mut self, node: &Node) -> Vec<ClusterDraft> {
        self.entries(node, "clusters")
            .iter()
            .filter_map(|entry| self.cluster(entry))
            .collect()
    }

    fn cluster(&mut self, node: &Node) -> Option<ClusterDraft> {
        let fields = self.fields(node, "clusters", CLUSTER)?;
        let template = self
            .required_string(&fields, "template")
            .map(|path| self.resolve(path));
        let template_origin = self.origin(fields.get("template").unwrap_or(node));
        let network = self.optional_string(&fields, "network");
        let sets = fields
            .get("machineSets")
            .map(|node| self.machine_sets(node))
            .unwrap_or_default();
        Some(ClusterDraft {
            template,
            template_origin,
            network,
            sets,
            origin: self.origin(node),
        })
    }

    fn optional_string(&mut self, fields: &Fields<'_>, key: &str) -> Option<String> {
        fields
            .get(key)
            .and_then(|node| self.string(node, key))
            .map(str::to_owned)
    }

    fn machine_sets(&mut self, node: &Node) -> Vec<SetDraft> {
        let Some(pairs) = node.as_mapping() else {
            self.error_hint(
                node,
                format!("`machineSets` must be a mapping, not {}", node.kind()),
                "its keys are `control-planes` and the names of the template's Workers",
            );
            return Vec::new();
        };
        pairs
            .iter()
            .filter_map(|(key, value)| self.machine_set(key, value))
            .collect()
    }

    fn machine_set(&mut self, key: &Node, node: &Node) -> Option<SetDraft> {
        let name = self.string(key, "machineSets")?;
        let fields = self.fields(node, name, MACHINE_SET)?;
        let pool = fields
            .get("addresses")
            .map(|node| self.pool(node))
            .unwrap_or_default();
        let addresses_origin = self.origin(fields.get("addresses").unwrap_or(key));
        let (pins, pin_origins) = fields
            .get("pins")
            .map(|node| self.pins(node))
            .unwrap_or_default();
        let network = self.optional_string(&fields, "network");
        let nic = fields
            .get("nic")
            .and_then(|node| self.nic(node))
            .unwrap_or_else(|| "net0".to_owned());
        let gpus = fields
            .get("gpu")
            .map(|node| self.gpus(node))
            .unwrap_or_default();
        let origin = self.origin(key);
        Some(SetDraft {
            name: name.to_owned(),
            pool,
            addresses_origin,
            pins,
            pin_origins,
            network,
            nic,
            gpus,
            origin,
        })
    }

    fn nic(&mut self, node: &Node) -> Option<String> {
        let text = self.string(node, "nic")?;
        let index = text.strip_prefix("net").and_then(|index| {
            index
                .parse::<u8>()
                .ok()
                .filter(|known| known.to_string() == index)
        });
        if index.is_none_or(|index| index > 31) {
            self.error_hint(
                node,
                format!("`nic` must be net0 to net31, not `{text}`"),
                "it is the key in the VM's configuration",
            );
            return None;
        }
        Some(text.to_owned())
    }

    fn pins(&mut self, node: &Node) -> (BTreeMap<PinKey, Ipv4Addr>, BTreeMap<Ipv4Addr, Origin>) {
        let (mut pins, mut origins) = (BTreeMap::new(), BTreeMap::<Ipv4Addr, Origin>::new());
        let Some(pairs) = node.as_mapping() else {
            self.error_hint(
                node,
                format!("`pins` must be a mapping, not {}", node.kind()),
                "machine UUID or MAC: address",
            );
            return (pins, origins);
        };
        for (key, value) in pairs {
            let pin = self.pin_key(key);
            let address = self
                .string(value, "pins")
                .and_then(|text| self.address(value, text, None));
            let (Some(pin), Some(address)) = (pin, address) else {
                continue;
            };
            if let Some(other) = origins.get(&address) {
                let message = format!("{address} is pinned twice, first on line {}", other.line);
                self.error(value, message);
                continue;
            }
            if pins.insert(pin, address).is_some() {
                self.error(key, "this machine is pinned twice, in another spelling");
                continue;
            }
            origins.insert(address, self.origin(value));
        }
        (pins, origins)
    }

    fn pin_key(&mut self, node: &Node) -> Option<PinKey> {
        let text = self.string(node, "pins")?;
        if let Some(mac) = parse_mac(text) {
            return Some(PinKey::Mac(mac));
        }
        if let Ok(uuid) = uuid::Uuid::try_parse(text)
            && text.len() == 36
        {
            return Some(PinKey::Uuid(uuid.hyphenated().to_string()));
        }
        self.error_hint(
            node,
            format!("`{text}` is neither a machine UUID nor a MAC address"),
            "a pin binds a machine that exists: use its Omni machine id, or its NIC's address as bc:24:11:00:00:01",
        );
        None
    }

    fn gpus(&mut self, node: &Node) -> Vec<WantedGpu> {
        let mut gpus = Vec::new();
        for entry in self.entries(node, "gpu") {
            gpus.extend(self.gpu(entry));
        }
        if let Some(second) = gpus.iter().filter(|gpu: &&WantedGpu| gpu.primary).nth(1) {
            let message = "a machine has one primary display, and two GPUs claim it";
            self.findings
                .push(crate::diagnostic::Diagnostic::error(message).at(second.origin.clone()));
        }
        gpus
    }

    fn gpu(&mut self, node: &Node) -> Option<WantedGpu> {
        let fields = self.fields(node, "gpu", GPU)?;
        let mapping = self.required_string(&fields, "mapping");
        let (pcie, primary) = (self.flag(&fields, "pcie"), self.flag(&fields, "primary"));
        let attach = fields
            .get("attach")
            .map_or(Some(Attach::Auto), |node| self.attach(node));
        Some(WantedGpu {
            mapping: mapping?.to_owned(),
            pcie,
            primary,
            attach: attach?,
            origin: self.origin(node),
        })
    }

    fn attach(&mut self, node: &Node) -> Option<Attach> {
        match self.string(node, "attach")? {
            "auto" => Some(Attach::Auto),
            "class" => Some(Attach::Class),
            "vm" => Some(Attach::Vm),
            other => {
                let hint = format!("the ways are {}", listed(&["auto", "class", "vm"]));
                self.error_hint(node, format!("unknown way to attach, `{other}`"), hint);
                None
            }
        }
    }
}

/// Six bytes in hexadecimal, with `:` or `-` between them.
fn parse_mac(text: &str) -> Option<Mac> {
    let mut bytes = [0_u8; 6];
    let mut parts = text.split([':', '-']);
    for byte in &mut bytes {
        let part = parts.next().filter(|part| {
            part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_hexdigit())
        })?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(Mac(bytes))
}
