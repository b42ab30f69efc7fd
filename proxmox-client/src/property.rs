//! Property strings: `key=value,key=value`, where one value may stand without its key.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// A property string as it was written, so that what is not understood survives a rewrite.
///
/// Parsing never fails and [`Display`](fmt::Display) gives back exactly the text that was parsed.
///
/// ```
/// use proxmox_client::PropertyString;
/// let nic = PropertyString::parse("virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1");
/// assert_eq!(nic.get("bridge"), Some("vmbr0"));
/// assert_eq!(nic.flag("firewall"), Some(true));
/// let machine = PropertyString::with_default("q35,viommu=intel", "type");
/// assert_eq!(machine.get("type"), Some("q35"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PropertyString {
    pairs: Vec<(Option<String>, String)>,
    default_key: Option<&'static str>,
}

impl PropertyString {
    /// Parses a string whose values all have keys.
    pub fn parse(text: &str) -> Self {
        Self {
            pairs: text.split(',').map(pair).collect(),
            default_key: None,
        }
    }

    /// Parses a string where a value without a key belongs to `default_key`.
    pub fn with_default(text: &str, default_key: &'static str) -> Self {
        Self {
            default_key: Some(default_key),
            ..Self::parse(text)
        }
    }

    /// The first value of `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter()
            .find(|(name, _)| *name == Some(key))
            .map(|(_, value)| value)
    }

    /// The value of `key` as a boolean, `None` when absent or not one; see [`parse_flag`].
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.get(key).and_then(parse_flag)
    }

    /// Sets `key` where it stands, or appends it.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        let default_key = self.default_key;
        let found = self.pairs.iter_mut().find(|(name, text)| match name {
            Some(name) => name == key,
            None => default_key == Some(key) && !text.is_empty(),
        });
        if let Some((_, text)) = found {
            *text = value.into();
        } else {
            self.pairs
                .retain(|(name, text)| name.is_some() || !text.is_empty());
            self.pairs.push((Some(key.to_owned()), value.into()));
        }
    }

    /// Keys and values in order. The key is `None` for a value that has none and no default either.
    pub fn iter(&self) -> impl Iterator<Item = (Option<&str>, &str)> {
        self.pairs
            .iter()
            .filter(|(key, value)| key.is_some() || !value.is_empty())
            .map(|(key, value)| (key.as_deref().or(self.default_key), value.as_str()))
    }
}

fn pair(piece: &str) -> (Option<String>, String) {
    match piece.split_once('=') {
        Some((key, value)) => (Some(key.to_owned()), value.to_owned()),
        None => (None, piece.to_owned()),
    }
}

/// Reads a boolean as Proxmox takes it inside property strings: `1|on|yes|true`, `0|off|no|false`, any case.
pub fn parse_flag(text: &str) -> Option<bool> {
    let is_one_of = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_one_of(&["1", "on", "yes", "true"]) {
        Some(true)
    } else if is_one_of(&["0", "off", "no", "false"]) {
        Some(false)
    } else {
        None
    }
}

impl fmt::Display for PropertyString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (key, value)) in self.pairs.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            match key {
                Some(key) => write!(f, "{key}={value}")?,
                None => f.write_str(value)?,
            }
        }
        Ok(())
    }
}

impl FromStr for PropertyString {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::parse(text))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_round_trips(text in "\\PC*") {
            prop_assert_eq!(PropertyString::parse(&text).to_string(), text.clone());
            prop_assert_eq!(PropertyString::with_default(&text, "host").to_string(), text);
        }

        #[test]
        fn setting_one_key_leaves_the_others(
            pairs in proptest::collection::btree_map("[a-y]{1,5}", "[a-z0-9:.=]{0,8}", 0..6),
            value in "[a-z0-9]{0,5}",
        ) {
            let text: Vec<String> = pairs.iter().map(|(k, v)| format!("{k}={v}")).collect();
            let mut string = PropertyString::parse(&text.join(","));
            string.set("zz", value.clone());
            let again = PropertyString::parse(&string.to_string());
            prop_assert_eq!(again.get("zz"), Some(value.as_str()));
            for (k, v) in &pairs {
                prop_assert_eq!(again.get(k), Some(v.as_str()));
            }
        }
    }

    #[test]
    fn booleans_are_read_as_they_may_be_written() {
        for (text, want) in [
            ("1", Some(true)),
            ("On", Some(true)),
            ("YES", Some(true)),
            ("true", Some(true)),
            ("0", Some(false)),
            ("off", Some(false)),
            ("No", Some(false)),
            ("FALSE", Some(false)),
            ("maybe", None),
            ("", None),
        ] {
            assert_eq!(parse_flag(text), want, "{text}");
        }
    }

    #[test]
    fn a_value_without_key_belongs_to_the_default() {
        let mut string = PropertyString::with_default("0000:01:00.0,pcie=1", "host");
        assert_eq!(string.get("host"), Some("0000:01:00.0"));
        string.set("host", "0000:02:00.0");
        assert_eq!(string.to_string(), "0000:02:00.0,pcie=1");
        assert_eq!(PropertyString::parse("0000:01:00.0").get("host"), None);
    }
}
