//! The `dns` section.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use unifi_client::RecordType;

use super::decode::{Reader, listed, suggest};
use super::endpoints::origin_of;
use super::model::{DnsIntent, WantedRecord};
use crate::yaml::Node;

pub(super) const DNS: &[&str] = &["records", "upstream", "nodeResolvers", "resolver"];
pub(super) const RECORD: &[&str] = &["name", "type", "value", "ttl"];
pub(super) const TYPES: &[&str] = &["A", "AAAA", "CNAME"];

impl Reader {
    pub(super) fn dns(&mut self, node: &Node) -> DnsIntent {
        let Some(fields) = self.fields(node, "dns", DNS) else {
            return DnsIntent::default();
        };
        let records = fields
            .get("records")
            .map(|node| self.records(node))
            .unwrap_or_default();
        let upstream = fields
            .get("upstream")
            .map(|node| self.ips(node, "upstream"))
            .unwrap_or_default();
        let node_resolvers = fields
            .get("nodeResolvers")
            .map(|node| self.ips(node, "nodeResolvers"))
            .unwrap_or_default();
        let resolver = fields.get("resolver").and_then(|node| self.resolver(node));
        let node_resolvers_origin = origin_of(self, fields.get("nodeResolvers"));
        DnsIntent {
            records,
            upstream,
            node_resolvers,
            resolver,
            node_resolvers_origin,
        }
    }

    fn records(&mut self, node: &Node) -> Vec<WantedRecord> {
        let mut records: Vec<WantedRecord> = Vec::new();
        for entry in self.entries(node, "records") {
            let Some(record) = self.record(entry) else {
                continue;
            };
            if let Some(other) = records.iter().find(|other| clash(other, &record)) {
                let (name, line) = (&record.name, other.origin.line);
                let message = if other.record_type == record.record_type
                    && other.value == record.value
                {
                    format!("the record of `{name}` is given twice, first on line {line}")
                } else {
                    format!(
                        "`{name}` has a record on line {line}, and a CNAME must be the only one of its name"
                    )
                };
                self.error(entry, message);
                continue;
            }
            records.push(record);
        }
        records
    }

    fn record(&mut self, node: &Node) -> Option<WantedRecord> {
        let fields = self.fields(node, "records", RECORD)?;
        let name = self
            .required(&fields, "name")
            .and_then(|node| self.host(node, "name"));
        let record_type = self
            .required(&fields, "type")
            .and_then(|node| self.record_type(node));
        let value_node = self.required(&fields, "value");
        let ttl = fields.get("ttl").map_or(Some(0), |node| {
            let seconds = node
                .as_i64()
                .and_then(|seconds| u32::try_from(seconds).ok())
                .filter(|seconds| *seconds <= 86_400);
            if seconds.is_none() {
                self.error_hint(
                    node,
                    "`ttl` must be seconds from 0 to 86400",
                    "0 lets the gateway choose",
                );
            }
            seconds
        });
        let (name, record_type, value_node) = (name?, record_type?, value_node?);
        let value = self.record_value(value_node, &record_type)?;
        if record_type == RecordType::Cname && value == name {
            self.error(value_node, format!("`{name}` is an alias of itself"));
            return None;
        }
        Some(WantedRecord {
            name,
            record_type,
            value,
            ttl: ttl?,
            origin: self.origin(node),
        })
    }

    fn record_type(&mut self, node: &Node) -> Option<RecordType> {
        let text = self.string(node, "type")?;
        match text.to_ascii_uppercase().as_str() {
            "A" => Some(RecordType::A),
            "AAAA" => Some(RecordType::Aaaa),
            "CNAME" => Some(RecordType::Cname),
            _ => {
                let hint = match suggest(text, TYPES.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the types are {}", listed(TYPES)),
                };
                self.error_hint(node, format!("unknown record type `{text}`"), hint);
                None
            }
        }
    }

    fn record_value(&mut self, node: &Node, record_type: &RecordType) -> Option<String> {
        let text = self.string(node, "value")?;
        let (value, wanted) = match record_type {
            RecordType::A => (
                text.parse::<Ipv4Addr>()
                    .ok()
                    .map(|address| address.to_string()),
                "an IPv4 address",
            ),
            RecordType::Aaaa => (
                text.parse::<Ipv6Addr>()
                    .ok()
                    .map(|address| address.to_string()),
                "an IPv6 address",
            ),
            _ => return self.host(node, "value"),
        };
        if value.is_none() {
            self.error(node, format!("`value` must be {wanted}, not `{text}`"));
        }
        value
    }

    /// A host name, lower case without the final dot.
    fn host(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = self.string(node, what)?;
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        if name.len() > 253 || !name.split('.').all(label) || name.parse::<Ipv4Addr>().is_ok() {
            self.error(node, format!("`{what}` must be a host name, not `{text}`"));
            return None;
        }
        Some(name)
    }

    fn ips(&mut self, node: &Node, what: &str) -> Vec<IpAddr> {
        let mut addresses = Vec::new();
        for item in self.items(node, what) {
            let Some(text) = self.string(item, what) else {
                continue;
            };
            match text.parse() {
                Ok(address) if addresses.contains(&address) => {
                    self.error(item, format!("`{what}` names {address} twice"));
                }
                Ok(address) => addresses.push(address),
                Err(_) => self.error(
                    item,
                    format!("`{what}` must hold IP addresses, not `{text}`"),
                ),
            }
        }
        addresses
    }

    fn resolver(&mut self, node: &Node) -> Option<SocketAddr> {
        let text = self.string(node, "resolver")?;
        let resolver = text
            .parse()
            .ok()
            .or_else(|| Some(SocketAddr::new(text.parse::<IpAddr>().ok()?, 53)));
        if resolver.is_none() {
            self.error_hint(
                node,
                format!("`resolver` must be an address, not `{text}`"),
                "write 172.16.8.1 or 172.16.8.1:53",
            );
        }
        resolver
    }
}

/// The same record twice, or a CNAME beside another record of its name.
fn clash(one: &WantedRecord, other: &WantedRecord) -> bool {
    let alias = one.record_type == RecordType::Cname || other.record_type == RecordType::Cname;
    one.name == other.name
        && (alias || (one.record_type == other.record_type && one.value == other.value))
}
