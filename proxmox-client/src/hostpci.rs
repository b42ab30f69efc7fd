//! `hostpciN` property strings.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use crate::model::HostPci;
use crate::property::{PropertyString, parse_flag};

/// How many `hostpciN` options a VM has, numbered from 0.
pub const HOSTPCI_SLOTS: u8 = 16;

impl HostPci {
    /// A device by the id of its resource mapping.
    /// ```
    /// use proxmox_client::HostPci;
    /// let device = HostPci { pcie: true, ..HostPci::mapped("h100") };
    /// assert_eq!(device.to_string(), "mapping=h100,pcie=1");
    /// ```
    pub fn mapped(mapping: impl Into<String>) -> Self {
        Self {
            mapping: Some(mapping.into()),
            ..Self::default()
        }
    }

    /// Reads the option's text. Never fails: what is not understood, booleans that are none included,
    /// ends in `other`.
    /// Booleans are taken as Proxmox takes them: `1`, `on`, `yes`, `true`, in any case.
    pub fn parse(text: &str) -> Self {
        let mut device = Self::default();
        for (key, value) in PropertyString::with_default(text, "host").iter() {
            let key = key.unwrap_or_default();
            if !device.take(key, value) {
                device.other.push((key.to_owned(), value.to_owned()));
            }
        }
        device
    }

    /// Whether the device's option ROM is shown to the guest (it is unless `rombar=0`).
    pub fn rom_is_visible(&self) -> bool {
        self.rombar != Some(false)
    }

    fn take(&mut self, key: &str, value: &str) -> bool {
        match (key, parse_flag(value)) {
            ("mapping", _) if self.mapping.is_none() => self.mapping = Some(value.to_owned()),
            ("host", _) if self.host.is_none() => self.host = Some(value.to_owned()),
            ("pcie", Some(flag)) => self.pcie = flag,
            ("x-vga", Some(flag)) => self.primary_gpu = flag,
            ("rombar", Some(flag)) => self.rombar = Some(flag),
            _ => return false,
        }
        true
    }
}

impl FromStr for HostPci {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::parse(text))
    }
}

/// The text to write: `mapping=ID[,pcie=1][,x-vga=1][,rombar=0]` and the other keys. Defaults are left out.
impl fmt::Display for HostPci {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = [
            ("host", self.host.as_deref()),
            ("mapping", self.mapping.as_deref()),
            ("pcie", self.pcie.then_some("1")),
            ("x-vga", self.primary_gpu.then_some("1")),
            ("rombar", (self.rombar == Some(false)).then_some("0")),
        ];
        let known = known
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)));
        let other = self
            .other
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()));
        for (i, (key, value)) in known.chain(other).enumerate() {
            let separator = if i == 0 { "" } else { "," };
            write!(f, "{separator}{key}={value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_and_meaning() {
        let check = |text: &str, want: &HostPci, written: &str| {
            let got = HostPci::parse(text);
            assert_eq!(&got, want, "{text}");
            assert_eq!(got.to_string(), written, "{text}");
        };
        let h100 = HostPci::mapped("h100");
        check("mapping=h100", &h100, "mapping=h100");
        for on in ["1", "on", "yes", "true", "True"] {
            let want = HostPci {
                pcie: true,
                ..h100.clone()
            };
            check(
                &format!("mapping=h100,pcie={on}"),
                &want,
                "mapping=h100,pcie=1",
            );
        }
        check("pcie=off,mapping=h100", &h100, "mapping=h100");
        check(
            "mapping=a310,x-vga=1,pcie=1,rombar=0",
            &HostPci {
                pcie: true,
                primary_gpu: true,
                rombar: Some(false),
                ..HostPci::mapped("a310")
            },
            "mapping=a310,pcie=1,x-vga=1,rombar=0",
        );
        check(
            "0000:03:00,pcie=1,mdev=i915-4,driver=keep",
            &HostPci {
                host: Some("0000:03:00".into()),
                pcie: true,
                other: vec![
                    ("mdev".into(), "i915-4".into()),
                    ("driver".into(), "keep".into()),
                ],
                ..HostPci::default()
            },
            "host=0000:03:00,pcie=1,mdev=i915-4,driver=keep",
        );
        check(
            "mapping=h100,rombar=1,pcie=maybe",
            &HostPci {
                rombar: Some(true),
                other: vec![("pcie".into(), "maybe".into())],
                ..h100.clone()
            },
            "mapping=h100,pcie=maybe",
        );
    }

    proptest! {
        #[test]
        fn writing_loses_only_defaults(text in "((mapping|host|pcie|x-vga|rombar|mdev|zz)=)?[a-z01:.]{0,6}(,(mapping|pcie|rombar|mdev|q)=[a-z01]{0,4}){0,5}|\\PC*") {
            let read = HostPci::parse(&text);
            let again = HostPci::parse(&read.to_string());
            prop_assert_eq!(again.rom_is_visible(), read.rom_is_visible());
            prop_assert_eq!(
                HostPci { rombar: None, ..again },
                HostPci { rombar: None, ..read }
            );
        }
    }
}
