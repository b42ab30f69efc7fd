//! Ranges of addresses that nobody is to get.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use ipnet::Ipv4Net;

/// Addresses from the first to the last: `172.16.8.1-172.16.8.9`, `172.16.8.0/28`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRange {
    first: Ipv4Addr,
    last: Ipv4Addr,
}

impl AddressRange {
    /// Whether an address is in it.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        (self.first..=self.last).contains(&address)
    }
}

impl From<Ipv4Addr> for AddressRange {
    fn from(address: Ipv4Addr) -> Self {
        Self {
            first: address,
            last: address,
        }
    }
}

impl FromStr for AddressRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write FIRST-LAST, NETWORK/PREFIX or one IPv4 address".to_owned();
        if let Ok(net) = text.parse::<Ipv4Net>() {
            return Ok(Self {
                first: net.network(),
                last: net.broadcast(),
            });
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let parse = |text: &str| text.trim().parse::<Ipv4Addr>().map_err(|_| wrong());
        let (first, last) = (parse(first)?, parse(last)?);
        if first > last {
            return Err("the range ends before it begins".to_owned());
        }
        Ok(Self { first, last })
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_three_spellings() {
        for (text, expected) in [
            ("10.0.0.1", Some("10.0.0.1")),
            ("10.0.0.1-10.0.0.9", Some("10.0.0.1-10.0.0.9")),
            ("10.0.0.1 - 10.0.0.9", Some("10.0.0.1-10.0.0.9")),
            ("10.0.0.17/30", Some("10.0.0.16-10.0.0.19")),
            ("10.0.0.9-10.0.0.1", None),
            ("10.0.0.1-9", None),
            ("10.0.0.0/33", None),
            ("", None),
        ] {
            let range = text.parse::<AddressRange>().ok();
            let shown = range.map(|range| range.to_string());
            assert_eq!(shown.as_deref(), expected, "{text}");
        }
        let range: AddressRange = "10.0.0.16/30".parse().unwrap();
        assert!(range.contains([10, 0, 0, 19].into()) && !range.contains([10, 0, 0, 20].into()));
    }
}
