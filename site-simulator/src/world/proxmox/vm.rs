//! A VM as its configuration file and its QEMU process have it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use unifi_client::Mac;

use super::grammar::{self, Properties};

/// A change that waits for a stop and start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Will have this value.
    Set(String),
    /// Will be gone.
    Delete,
}

/// A VM.
#[derive(Debug, Clone, Default)]
pub struct Vm {
    /// Id.
    pub vmid: u32,
    /// Node it is on.
    pub node: String,
    /// Name: the machine request id for the provider's.
    pub name: String,
    /// SMBIOS UUID, lower case.
    pub uuid: String,
    /// NIC (`net0`), hardware address, and where it leads: `vmbr0`, or `vmbr0.20` with a VLAN tag.
    pub macs: Vec<(String, Mac, String)>,
    /// Whether QEMU runs.
    pub running: bool,
    /// What the running QEMU holds: mapping ids, or `host=…`.
    pub running_devices: Vec<String>,
    /// PCI addresses the running QEMU holds.
    pub held_addresses: Vec<String>,
    /// Options in force (of a stopped VM: all).
    pub config: BTreeMap<String, String>,
    /// Options that wait for a stop and start.
    pub pending: BTreeMap<String, Change>,
    /// `create`, `backup`, …
    pub lock: Option<String>,
    /// When its configuration file appeared.
    pub created: Duration,
    /// When QEMU started.
    pub started: Option<Duration>,
    /// Requested state, when the HA manager owns it.
    pub ha_state: Option<String>,
    /// Task that holds the configuration's lock file.
    pub held_by: Option<String>,
}

impl Vm {
    /// SHA-1 of the configuration as a file would have it: options, pending section, lock.
    pub fn digest(&self) -> String {
        let mut text = String::new();
        for (key, value) in &self.config {
            let _ = writeln!(text, "{key}: {value}");
        }
        if let Some(lock) = &self.lock {
            let _ = writeln!(text, "lock: {lock}");
        }
        if !self.pending.is_empty() {
            text.push_str("[PENDING]\n");
        }
        for (key, change) in &self.pending {
            let _ = match change {
                Change::Set(value) => writeln!(text, "{key}: {value}"),
                Change::Delete => writeln!(text, "delete: {key}"),
            };
        }
        sha1(&text)
    }

    /// Options as they will be after a stop and start.
    pub fn intended(&self) -> BTreeMap<String, String> {
        let mut config = self.config.clone();
        for (key, change) in &self.pending {
            match change {
                Change::Set(value) => config.insert(key.clone(), value.clone()),
                Change::Delete => config.remove(key),
            };
        }
        config
    }

    /// Makes what waits real.
    pub fn apply_pending(&mut self) {
        self.config = self.intended();
        self.pending.clear();
        self.refresh();
    }

    /// Notes that QEMU ended.
    pub fn went_off(&mut self) {
        self.running = false;
        self.started = None;
        self.running_devices.clear();
        self.held_addresses.clear();
    }

    /// Reads what is kept in typed form from the options.
    pub fn refresh(&mut self) {
        if let Some(name) = self.config.get("name") {
            self.name.clone_from(name);
        }
        if let Some(smbios) = self.config.get("smbios1") {
            let found = grammar::properties(smbios, "uuid").unwrap_or_default();
            self.uuid = grammar::property(&found, "uuid")
                .unwrap_or_default()
                .to_ascii_lowercase();
        }
        self.macs = self
            .config
            .iter()
            .filter(|(key, _)| grammar::family(key).is_some_and(|(name, _)| name == "net"))
            .filter_map(|(key, value)| {
                let net = grammar::properties(value, "model").unwrap_or_default();
                Some((key.clone(), net_mac(&net)?, net_bridge(&net)))
            })
            .collect();
    }

    /// The number of an option, or a default.
    pub fn number(&self, key: &str, default: u64) -> u64 {
        self.config
            .get(key)
            .and_then(|v| v.parse().ok())
            .unwrap_or(default)
    }
}

fn net_bridge(net: &Properties) -> String {
    let bridge = grammar::property(net, "bridge").unwrap_or_default();
    match grammar::property(net, "tag") {
        Some(tag) => format!("{bridge}.{tag}"),
        None => bridge.to_owned(),
    }
}

/// The address of a NIC: the value of its model, or of `macaddr`.
pub(super) fn net_mac(net: &Properties) -> Option<Mac> {
    let text = grammar::property(net, "macaddr").or_else(|| {
        let (key, value) = net.first()?;
        (key != "model").then_some(value.as_str())
    })?;
    parse_mac(text)
}

/// `aa:bb:cc:dd:ee:ff` in any case.
pub fn parse_mac(text: &str) -> Option<Mac> {
    let mut bytes = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut bytes {
        let part = parts.next().filter(|part| part.len() == 2)?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(Mac(bytes))
}

/// Lower-case hex SHA-1.
pub(super) fn sha1(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    digest.as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
