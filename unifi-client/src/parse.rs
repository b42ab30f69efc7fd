//! Reading and normalising what people type: hardware addresses, DNS names, record types, versions.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Error, Mac, RecordType, Version};

/// Longest name the integration API takes.
const NAME_MAX: usize = 127;
const LABEL_MAX: usize = 63;

impl Mac {
    /// Reads any of the usual forms without asking whether it can be a station's.
    ///
    /// Answers may name what a person may not: recorded client histories hold scrubbed addresses with the group bit.
    pub(crate) fn lenient(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let separators_fit = match bytes.len() {
            12 => true,
            14 => [4, 9].iter().all(|&at| bytes[at] == b'.'),
            17 => {
                let separator = bytes[2];
                matches!(separator, b':' | b'-')
                    && (2..17).step_by(3).all(|at| bytes[at] == separator)
            }
            _ => false,
        };
        if !separators_fit {
            return None;
        }
        let mut digits = bytes
            .iter()
            .filter(|byte| !matches!(byte, b':' | b'-' | b'.'))
            .map(|&byte| {
                char::from(byte)
                    .to_digit(16)
                    .and_then(|digit| u8::try_from(digit).ok())
            });
        let mut octets = [0; 6];
        for octet in &mut octets {
            *octet = digits.next()?? << 4 | digits.next()??;
        }
        digits.next().is_none().then_some(Self(octets))
    }

    /// Group addresses name no single station.
    pub fn is_multicast(self) -> bool {
        self.0[0] & 1 == 1
    }

    /// Not assigned by a vendor: made by a hypervisor, or a rotating private Wi-Fi address.
    pub fn is_local(self) -> bool {
        self.0[0] & 2 == 2
    }
}

/// Takes `aa:bb:cc:dd:ee:ff`, `AA-BB-…`, `aabb.ccdd.eeff` and `aabbccddeeff`; refuses group addresses and all zeroes.
///
/// ```
/// use unifi_client::Mac;
///
/// # fn run() -> Result<(), unifi_client::Error> {
/// let mac: Mac = "BC24.1100.0001".parse()?;
/// assert_eq!(mac.to_string(), "bc:24:11:00:00:01");
/// assert!("ff:ff:ff:ff:ff:ff".parse::<Mac>().is_err());
/// # Ok(())
/// # }
/// # run().unwrap();
/// ```
impl FromStr for Mac {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mac = Self::lenient(text).ok_or_else(|| {
            Error::invalid(
                "MAC address",
                "mac",
                "six octets in hexadecimal are expected",
            )
        })?;
        if mac.is_multicast() || mac.0 == [0; 6] {
            return Err(Error::invalid(
                "MAC address",
                "mac",
                format!("{mac} is no address of a single station"),
            ));
        }
        Ok(mac)
    }
}

impl Serialize for Mac {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mac {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl RecordType {
    /// The name in DNS, e.g. `AAAA`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Txt => "TXT",
            Self::Other(name) => name,
        }
    }
}

impl From<&str> for RecordType {
    fn from(name: &str) -> Self {
        match name.to_ascii_uppercase().as_str() {
            "A" => Self::A,
            "AAAA" => Self::Aaaa,
            "CNAME" => Self::Cname,
            "TXT" => Self::Txt,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RecordType {
    type Err = std::convert::Infallible;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(Self::from(name))
    }
}

/// A DNS name as this crate compares and sends it: lower case, no final dot.
///
/// ```
/// assert_eq!(unifi_client::dns_name("Omni.Home.Example.").unwrap(), "omni.home.example");
/// assert!(unifi_client::dns_name("no host").is_err());
/// ```
///
/// # Errors
/// [`Error::Invalid`] unless the labels are letters, digits, hyphens and underscores of at most 63 characters, in all
/// at most 127. The first label may be `*`.
pub fn dns_name(text: &str) -> Result<String, Error> {
    let name = fold_name(text);
    if name.is_empty() || name.len() > NAME_MAX {
        return Err(Error::invalid(
            "DNS name",
            "name",
            format!("a name has 1 to {NAME_MAX} characters"),
        ));
    }
    for (at, label) in name.split('.').enumerate() {
        let wildcard = at == 0 && label == "*" && name.len() > 2;
        let letters = label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        let ends = !label.starts_with('-') && !label.ends_with('-');
        if !wildcard && (label.is_empty() || label.len() > LABEL_MAX || !letters || !ends) {
            return Err(Error::invalid(
                "DNS name",
                "name",
                format!("label {} is not a host name's", at + 1),
            ));
        }
    }
    Ok(name)
}

/// Case and final dot only, for names that come from the gateway.
pub(crate) fn fold_name(text: &str) -> String {
    text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase()
}

impl Version {
    /// Whether this is `major.minor` or later.
    ///
    /// ```
    /// # fn run() -> Result<(), unifi_client::Error> {
    /// let version: unifi_client::Version = "10.1.68".parse()?;
    /// assert!(version.at_least(10, 1) && !version.at_least(10, 2));
    /// # Ok(())
    /// # }
    /// # run().unwrap();
    /// ```
    pub fn at_least(&self, major: u32, minor: u32) -> bool {
        (self.major, self.minor) >= (major, minor)
    }
}

impl FromStr for Version {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut parts = text.split(['.', '-', '+']).map(|part| part.parse().ok());
        match (parts.next().flatten(), parts.next().flatten()) {
            (Some(major), Some(minor)) => Ok(Self {
                text: api_transport::redact(text, 40),
                major,
                minor,
            }),
            _ => Err(Error::invalid(
                "version",
                "version",
                "two numbers joined by a dot are expected",
            )),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
