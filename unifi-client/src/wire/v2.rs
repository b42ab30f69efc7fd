//! Rows of `v2/api/site/{site}/…`: bare, without an envelope. Leases are in an object of their own:
//! `{"dhcp_lease_info": [{"mac", "ip", "lease_expiration_time", …}]}`.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::lenient;
use super::network::NetworkRow;
use crate::parse::fold_name;
use crate::{DnsRecord, Lease, Mac, PastClient, RecordType, Wan};

/// An uplink: the row of `rest/networkconf`, and what the console found out.
#[derive(Deserialize)]
pub(crate) struct WanRow {
    pub(crate) configuration: NetworkRow,
    #[serde(default)]
    pub(crate) details: Option<WanDetails>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct WanDetails {
    pub(crate) service_provider: Option<ServiceProvider>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct ServiceProvider {
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) name: Option<String>,
}

impl WanRow {
    pub(crate) fn into_wan(self) -> Option<Wan> {
        let provider = self
            .details
            .and_then(|details| details.service_provider?.name);
        self.configuration.into_wan(provider)
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Leases {
    /// Null and absent mean none.
    pub(crate) dhcp_lease_info: Option<Vec<LeaseRow>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct LeaseRow {
    #[serde(deserialize_with = "lenient::mac")]
    mac: Option<Mac>,
    #[serde(deserialize_with = "lenient::ipv4")]
    ip: Option<Ipv4Addr>,
    #[serde(deserialize_with = "lenient::time")]
    lease_expiration_time: Option<u64>,
    #[serde(deserialize_with = "lenient::text")]
    name: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    display_name: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    hostname: Option<String>,
}

impl LeaseRow {
    pub(crate) fn into_lease(self) -> Option<Lease> {
        Some(Lease {
            mac: self.mac?,
            ip: self.ip?,
            expires: self.lease_expiration_time,
            name: self.name.or(self.display_name).or(self.hostname),
        })
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct HistoryRow {
    #[serde(deserialize_with = "lenient::mac")]
    mac: Option<Mac>,
    #[serde(deserialize_with = "lenient::ipv4")]
    last_ip: Option<Ipv4Addr>,
    #[serde(deserialize_with = "lenient::ipv4")]
    ip: Option<Ipv4Addr>,
    #[serde(deserialize_with = "lenient::time")]
    last_seen: Option<u64>,
    #[serde(deserialize_with = "lenient::text")]
    user_id: Option<String>,
}

impl HistoryRow {
    pub(crate) fn into_past(self) -> Option<PastClient> {
        Some(PastClient {
            mac: self.mac?,
            last_ip: self.last_ip.or(self.ip),
            last_seen: self.last_seen,
            record_id: self.user_id,
        })
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct StaticRow {
    #[serde(rename = "_id", deserialize_with = "lenient::text")]
    id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    key: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    record_type: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    value: Option<String>,
    #[serde(deserialize_with = "lenient::flag")]
    enabled: bool,
    #[serde(deserialize_with = "lenient::number")]
    ttl: Option<u64>,
}

impl StaticRow {
    pub(crate) fn into_record(self) -> Option<DnsRecord> {
        let record_type = RecordType::from(self.record_type?.as_str());
        let value = self.value.unwrap_or_default();
        Some(DnsRecord {
            id: self.id.unwrap_or_default(),
            name: fold_name(&self.key?),
            value: if record_type == RecordType::Cname {
                fold_name(&value)
            } else {
                value
            },
            record_type,
            ttl: self
                .ttl
                .and_then(|ttl| u32::try_from(ttl).ok())
                .unwrap_or_default(),
            enabled: self.enabled,
        })
    }
}

/// Body of `static-dns`. A PUT replaces: what is left out is cleared, `enabled` included.
#[derive(Serialize, Debug)]
pub(crate) struct StaticBody<'a> {
    /// Without it the server takes a PUT for a new record.
    #[serde(rename = "_id", skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<&'a str>,
    pub(crate) key: &'a str,
    pub(crate) record_type: &'a str,
    pub(crate) value: &'a str,
    pub(crate) enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ttl: Option<u32>,
}
