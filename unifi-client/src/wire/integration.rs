//! Bodies of `integration/v1/…`, after the vendor's OpenAPI documents (compared with 9.5, 10.0, 10.1 and 10.5).
//!
//! Requests are strict: one property too many is refused, `ttlSeconds` of a text record among them, so each type has a
//! body of its own.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::lenient;
use crate::parse::fold_name;
use crate::{ConnectedClient, DnsRecord, Mac, NetworkOverview, RecordType};

#[derive(Deserialize)]
pub(crate) struct Info {
    #[serde(rename = "applicationVersion")]
    pub(crate) application_version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Page<T> {
    pub(crate) offset: u64,
    pub(crate) total_count: u64,
    pub(crate) data: Vec<T>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct SiteRow {
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) internal_reference: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ConnectedRow {
    #[serde(deserialize_with = "lenient::text")]
    id: Option<String>,
    #[serde(rename = "type", deserialize_with = "lenient::text")]
    kind: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    name: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    connected_at: Option<String>,
    #[serde(deserialize_with = "lenient::ipv4")]
    ip_address: Option<Ipv4Addr>,
    #[serde(deserialize_with = "lenient::mac")]
    mac_address: Option<Mac>,
}

impl ConnectedRow {
    pub(crate) fn into_client(self) -> Option<ConnectedClient> {
        Some(ConnectedClient {
            id: self.id?,
            kind: self.kind?,
            name: self.name,
            mac: self.mac_address,
            ip: self.ip_address,
            connected_at: self.connected_at,
        })
    }
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct OverviewRow {
    #[serde(deserialize_with = "lenient::text")]
    id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    name: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    management: Option<String>,
    #[serde(deserialize_with = "lenient::flag")]
    enabled: bool,
    #[serde(rename = "default", deserialize_with = "lenient::flag")]
    is_default: bool,
    #[serde(deserialize_with = "lenient::number")]
    vlan_id: Option<u64>,
}

impl OverviewRow {
    pub(crate) fn into_network(self) -> Option<NetworkOverview> {
        Some(NetworkOverview {
            id: self.id?,
            name: self.name.unwrap_or_default(),
            management: self.management.unwrap_or_default(),
            enabled: self.enabled,
            is_default: self.is_default,
            vlan: self.vlan_id.and_then(|vlan| u16::try_from(vlan).ok()),
        })
    }
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct PolicyRow {
    #[serde(deserialize_with = "lenient::text")]
    id: Option<String>,
    #[serde(rename = "type", deserialize_with = "lenient::text")]
    kind: Option<String>,
    #[serde(deserialize_with = "lenient::flag")]
    enabled: bool,
    #[serde(deserialize_with = "lenient::text")]
    domain: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    ipv4_address: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    ipv6_address: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    target_domain: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    text: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    mail_server_domain: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    server_domain: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    ip_address: Option<String>,
    #[serde(deserialize_with = "lenient::number")]
    ttl_seconds: Option<u64>,
}

impl PolicyRow {
    pub(crate) fn into_record(self) -> Option<DnsRecord> {
        let kind = self.kind?;
        let record_type = RecordType::from(kind.strip_suffix("_RECORD").unwrap_or(&kind));
        let value = match &record_type {
            RecordType::A => self.ipv4_address,
            RecordType::Aaaa => self.ipv6_address,
            RecordType::Cname => self.target_domain.map(|target| fold_name(&target)),
            RecordType::Txt => self.text.map(|text| unquoted(&text).to_owned()),
            RecordType::Other(_) => self
                .mail_server_domain
                .or(self.server_domain)
                .or(self.ip_address),
        };
        Some(DnsRecord {
            id: self.id.unwrap_or_default(),
            name: fold_name(&self.domain?),
            record_type,
            value: value.unwrap_or_default(),
            ttl: self
                .ttl_seconds
                .and_then(|ttl| u32::try_from(ttl).ok())
                .unwrap_or_default(),
            enabled: self.enabled,
        })
    }
}

fn unquoted(text: &str) -> &str {
    text.strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text)
}

/// Body of `dns/policies`, for POST and for PUT, which replaces.
#[derive(Serialize, Debug)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub(crate) enum PolicyBody<'a> {
    #[serde(rename = "A_RECORD")]
    A {
        enabled: bool,
        domain: &'a str,
        ipv4_address: &'a str,
        ttl_seconds: u32,
    },
    #[serde(rename = "AAAA_RECORD")]
    Aaaa {
        enabled: bool,
        domain: &'a str,
        ipv6_address: &'a str,
        ttl_seconds: u32,
    },
    #[serde(rename = "CNAME_RECORD")]
    Cname {
        enabled: bool,
        domain: &'a str,
        target_domain: &'a str,
        ttl_seconds: u32,
    },
    #[serde(rename = "TXT_RECORD")]
    Txt {
        enabled: bool,
        domain: &'a str,
        text: String,
    },
}
