//! A record to write, checked against what both APIs take.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::{Error, NewDnsRecord, RecordType, dns_name};

/// Network 10.1.78 lowered the limit for addresses from a week to a day.
const ADDRESS_TTL_MAX: u32 = 86_400;
const ALIAS_TTL_MAX: u32 = 604_800;
const TEXT_MAX: usize = 1_024;

/// Normalised and known to be acceptable.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Checked<'a> {
    pub(crate) name: String,
    pub(crate) record_type: &'a RecordType,
    pub(crate) value: String,
    pub(crate) ttl: u32,
}

impl<'a> Checked<'a> {
    pub(crate) fn new(record: &'a NewDnsRecord) -> Result<Self, Error> {
        let invalid = |field: &str, why: &str| Error::invalid("DNS record", field, why);
        let name = dns_name(&record.name)?;
        let value = record.value.trim();
        let (value, ttl_max) = match &record.record_type {
            RecordType::A => {
                let address: Ipv4Addr = value
                    .parse()
                    .map_err(|_| invalid("value", "an A record holds an IPv4 address"))?;
                (address.to_string(), ADDRESS_TTL_MAX)
            }
            RecordType::Aaaa => {
                let address: Ipv6Addr = value
                    .parse()
                    .map_err(|_| invalid("value", "an AAAA record holds an IPv6 address"))?;
                (address.to_string(), ADDRESS_TTL_MAX)
            }
            RecordType::Cname if name.starts_with("*.") => {
                return Err(invalid(
                    "name",
                    "the gateway refuses an alias for a wildcard",
                ));
            }
            RecordType::Cname => (dns_name(value)?, ALIAS_TTL_MAX),
            RecordType::Txt => (text(&record.value)?, 0),
            RecordType::Other(_) => {
                return Err(invalid(
                    "type",
                    "only A, AAAA, CNAME and TXT records are written",
                ));
            }
        };
        if record.ttl > ttl_max {
            return Err(invalid(
                "ttl",
                &format!("at most {ttl_max} seconds for this type"),
            ));
        }
        Ok(Self {
            name,
            record_type: &record.record_type,
            value,
            ttl: record.ttl,
        })
    }

    /// The integration API wants a text with commas in quotes.
    pub(crate) fn quoted(&self) -> String {
        if self.value.contains(',') {
            format!("\"{}\"", self.value)
        } else {
            self.value.clone()
        }
    }
}

impl NewDnsRecord {
    /// The record as it is compared and sent: the name in lower case without a final dot, addresses in their shortest
    /// spelling.
    ///
    /// ```
    /// use unifi_client::{NewDnsRecord, RecordType};
    ///
    /// let record = NewDnsRecord {
    ///     name: "Omni.Home.Example.".into(),
    ///     record_type: RecordType::Aaaa,
    ///     value: "2001:DB8:0::5".into(),
    ///     ttl: 300,
    /// };
    /// let record = record.normalized().unwrap();
    /// assert_eq!((record.name.as_str(), record.value.as_str()), ("omni.home.example", "2001:db8::5"));
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`] for names, values, types and TTLs that no API takes, as
    /// [`create_dns_record`](crate::Client::create_dns_record) would say.
    pub fn normalized(&self) -> Result<Self, Error> {
        let Checked {
            name, value, ttl, ..
        } = Checked::new(self)?;
        Ok(Self {
            name,
            record_type: self.record_type.clone(),
            value,
            ttl,
        })
    }
}

fn text(text: &str) -> Result<String, Error> {
    let fits = !text.is_empty() && text.len() + 2 <= TEXT_MAX && !text.contains('"');
    if !fits || text.chars().any(char::is_control) {
        return Err(Error::invalid(
            "DNS record",
            "value",
            "a text is short, in one line and without double quotes",
        ));
    }
    Ok(text.to_owned())
}
