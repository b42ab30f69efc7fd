//! What a VM's configuration says.

use std::collections::BTreeMap;

use crate::hostpci::HOSTPCI_SLOTS;
use crate::model::{HostPci, Pending, VmConfig};
use crate::property::PropertyString;

impl VmConfig {
    /// One option's text.
    /// As it was written; numbers and booleans as text, `1` and `0`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// The VM's name; not unique.
    /// Unlike in [`VmRow`](crate::VmRow) it is never stale.
    pub fn name(&self) -> Option<&str> {
        self.get("name")
    }

    /// The SMBIOS UUID, lower case with hyphens. This is the id a Talos machine has in Omni.
    /// From the option `smbios1`, whatever the order of its keys; `None` where there is none or it is none.
    pub fn uuid(&self) -> Option<String> {
        let smbios = PropertyString::parse(self.get("smbios1")?);
        let uuid = uuid::Uuid::parse_str(smbios.get("uuid")?.trim()).ok()?;
        Some(uuid.hyphenated().to_string())
    }

    /// The MAC of a network device (`net0`), lower case with colons.
    /// From `virtio=MAC` as well as from `model=virtio,macaddr=MAC`. `None` while Proxmox has not made one up.
    pub fn mac(&self, nic: &str) -> Option<String> {
        let nic = PropertyString::with_default(self.get(nic)?, "model");
        // `virtio=MAC` names the model by its key; `macaddr=` is the long form.
        let long = nic.get("macaddr").filter(|mac| is_mac(mac));
        let short = || {
            nic.iter()
                .map(|(_, value)| value)
                .find(|value| is_mac(value))
        };
        long.or_else(short).map(str::to_ascii_lowercase)
    }

    /// The bridge of a network device.
    pub fn bridge(&self, nic: &str) -> Option<String> {
        PropertyString::parse(self.get(nic)?)
            .get("bridge")
            .map(str::to_owned)
    }

    /// Names of the network devices (`net0`, …).
    pub fn nics(&self) -> impl Iterator<Item = &str> {
        self.values
            .keys()
            .map(String::as_str)
            .filter(|key| index(key, "net").is_some())
    }

    /// Why the VM is locked (`create`, `backup`, …), if it is.
    /// Reads work while it is, writes and starts are refused ([`Error::Locked`](crate::Error::Locked)).
    pub fn lock(&self) -> Option<&str> {
        self.get("lock").filter(|lock| !lock.is_empty())
    }

    /// The machine type: `q35`, `pc-q35-9.2`, … Absent means Proxmox's default, i440fx.
    pub fn machine(&self) -> Option<String> {
        PropertyString::with_default(self.get("machine")?, "type")
            .get("type")
            .map(str::to_owned)
    }

    /// Whether the chipset is q35, which `pcie=1` needs.
    pub fn is_q35(&self) -> bool {
        self.machine()
            .is_some_and(|machine| machine.starts_with("q35") || machine.starts_with("pc-q35"))
    }

    /// Whether it is a template.
    pub fn is_template(&self) -> bool {
        self.get("template") == Some("1")
    }

    /// Its tags, lower case.
    /// In the file's order. Proxmox sorts them and makes capitals small unless the cluster's options say
    /// otherwise.
    pub fn tags(&self) -> Vec<String> {
        split_tags(self.get("tags").unwrap_or_default())
    }

    /// Passed-through devices by index.
    /// From 0 to 15. With [`vm_config`](crate::Client::vm_config) as they will be, with
    /// [`vm_config_current`](crate::Client::vm_config_current) as a running VM has them.
    pub fn hostpci(&self) -> BTreeMap<u8, HostPci> {
        self.values
            .iter()
            .filter_map(|(key, value)| Some((index(key, "hostpci")?, HostPci::parse(value))))
            .collect()
    }

    /// The lowest `hostpciN` that is not in use.
    /// `None` when all sixteen are.
    pub fn free_hostpci(&self) -> Option<u8> {
        let used = self.hostpci();
        (0..HOSTPCI_SLOTS).find(|slot| !used.contains_key(slot))
    }
}

impl Pending {
    /// Whether it waits for the VM to be stopped and started.
    pub fn is_waiting(&self) -> bool {
        self.delete || self.pending.is_some()
    }
}

/// Tags may be separated by any of three characters on input; a policy can keep capitals.
pub(crate) fn split_tags(text: &str) -> Vec<String> {
    text.split([';', ',', ' '])
        .filter(|tag| !tag.is_empty())
        .map(str::to_lowercase)
        .collect()
}

fn index(key: &str, prefix: &str) -> Option<u8> {
    let digits = key.strip_prefix(prefix)?;
    let canonical = digits == "0" || !digits.starts_with('0');
    if canonical && digits.bytes().all(|b| b.is_ascii_digit()) {
        digits.parse().ok()
    } else {
        None
    }
}

fn is_mac(text: &str) -> bool {
    text.len() == 17
        && text.bytes().enumerate().all(|(i, b)| {
            if i % 3 == 2 {
                b == b':'
            } else {
                b.is_ascii_hexdigit()
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> VmConfig {
        VmConfig {
            digest: String::new(),
            values: pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn uuid_in_any_form() {
        let want = Some("0b7a3c1e-5d0f-4c67-9a1e-2f6f1f0d9a05".to_owned());
        for smbios in [
            "uuid=0b7a3c1e-5d0f-4c67-9a1e-2f6f1f0d9a05",
            "base64=1,serial=YWJj,uuid=0B7A3C1E-5D0F-4C67-9A1E-2F6F1F0D9A05",
        ] {
            assert_eq!(config(&[("smbios1", smbios)]).uuid(), want, "{smbios}");
        }
        for smbios in ["uuid=nope", "serial=x", ""] {
            assert_eq!(config(&[("smbios1", smbios)]).uuid(), None, "{smbios}");
        }
        assert_eq!(config(&[]).uuid(), None);
    }

    #[test]
    fn mac_in_any_form() {
        for (nic, want) in [
            (
                "virtio=BC:24:11:78:46:B9,bridge=vmbr0,firewall=1",
                Some("bc:24:11:78:46:b9"),
            ),
            (
                "e1000=bc:24:11:aa:bb:cc,bridge=vmbr0",
                Some("bc:24:11:aa:bb:cc"),
            ),
            (
                "model=virtio,macaddr=BC:24:11:78:46:B9,bridge=vmbr0",
                Some("bc:24:11:78:46:b9"),
            ),
            (
                "bridge=vmbr0,virtio=BC:24:11:78:46:B9",
                Some("bc:24:11:78:46:b9"),
            ),
            (
                "virtio,macaddr=BC:24:11:78:46:B9",
                Some("bc:24:11:78:46:b9"),
            ),
            ("virtio,bridge=vmbr0", None),
            ("", None),
        ] {
            assert_eq!(
                config(&[("net0", nic)]).mac("net0").as_deref(),
                want,
                "{nic}"
            );
        }
        assert_eq!(config(&[]).mac("net0"), None);
    }

    #[test]
    fn machine_type() {
        for (machine, q35) in [
            ("q35", true),
            ("pc-q35-9.2", true),
            ("q35,viommu=intel", true),
            ("viommu=intel,type=q35", true),
            ("pc-i440fx-9.2", false),
        ] {
            assert_eq!(config(&[("machine", machine)]).is_q35(), q35, "{machine}");
        }
        assert!(!config(&[]).is_q35());
    }

    #[test]
    fn devices_and_flags() {
        let vm = config(&[
            ("hostpci0", "mapping=h100,pcie=1"),
            ("hostpci2", "0000:41:00.0"),
            ("hostpci01", "mapping=x"),
            ("net0", "virtio"),
            ("net10", "virtio"),
            ("network", "x"),
            ("lock", "create"),
            ("template", "1"),
            ("tags", "b;Machine-Request.X a"),
        ]);
        assert_eq!(vm.hostpci().keys().copied().collect::<Vec<_>>(), [0, 2]);
        assert_eq!(vm.hostpci()[&2].host.as_deref(), Some("0000:41:00.0"));
        assert_eq!(vm.free_hostpci(), Some(1));
        assert_eq!(vm.nics().collect::<Vec<_>>(), ["net0", "net10"]);
        assert_eq!((vm.lock(), vm.is_template()), (Some("create"), true));
        assert_eq!(vm.tags(), ["b", "machine-request.x", "a"]);
    }
}
