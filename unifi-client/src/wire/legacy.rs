//! Rows of `api/…` but networks. Only what is needed is read.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::lenient;
use crate::{Account, ActiveClient, ClientPatch, ClientRecord, Mac, NewClient, Site, UserGroup};

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(crate) struct SiteRow {
    #[serde(deserialize_with = "lenient::text")]
    name: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    desc: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    role: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    external_id: Option<String>,
}

impl SiteRow {
    pub(crate) fn into_site(self) -> Option<Site> {
        let name = self.name?;
        let description = self.desc.unwrap_or_else(|| name.clone());
        Some(Site {
            name,
            description,
            role: self.role,
            uuid: self.external_id,
        })
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct AccountRow {
    #[serde(deserialize_with = "lenient::text")]
    name: Option<String>,
    #[serde(deserialize_with = "lenient::flag")]
    is_super: bool,
    #[serde(deserialize_with = "lenient::flag")]
    is_owner: bool,
}

impl AccountRow {
    pub(crate) fn into_account(self) -> Option<Account> {
        Some(Account {
            name: self.name?,
            is_super: self.is_super,
            is_owner: self.is_owner,
        })
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct UserGroupRow {
    #[serde(rename = "_id", deserialize_with = "lenient::text")]
    id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    name: Option<String>,
    /// -1, which is no number here, is no limit.
    #[serde(deserialize_with = "lenient::number")]
    qos_rate_max_down: Option<u64>,
    #[serde(deserialize_with = "lenient::number")]
    qos_rate_max_up: Option<u64>,
}

impl UserGroupRow {
    pub(crate) fn into_group(self) -> Option<UserGroup> {
        Some(UserGroup {
            id: self.id?,
            name: self.name.unwrap_or_default(),
            download: self.qos_rate_max_down,
            upload: self.qos_rate_max_up,
        })
    }
}

/// The part of `/status` that anybody may read.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct StatusMeta {
    #[serde(deserialize_with = "lenient::maybe_flag")]
    pub(crate) up: Option<bool>,
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) server_version: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct SystemRow {
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) version: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct SettingRow {
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) key: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) state: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct UserRow {
    #[serde(rename = "_id", deserialize_with = "lenient::text")]
    id: Option<String>,
    #[serde(deserialize_with = "lenient::mac")]
    pub(crate) mac: Option<Mac>,
    #[serde(deserialize_with = "lenient::text")]
    name: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    hostname: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    note: Option<String>,
    #[serde(deserialize_with = "lenient::flag")]
    use_fixedip: bool,
    #[serde(deserialize_with = "lenient::ipv4")]
    fixed_ip: Option<Ipv4Addr>,
    #[serde(deserialize_with = "lenient::text")]
    network_id: Option<String>,
    #[serde(deserialize_with = "lenient::flag")]
    local_dns_record_enabled: bool,
    #[serde(deserialize_with = "lenient::text")]
    local_dns_record: Option<String>,
    #[serde(deserialize_with = "lenient::time")]
    last_seen: Option<u64>,
    #[serde(deserialize_with = "lenient::ipv4")]
    last_ip: Option<Ipv4Addr>,
    #[serde(deserialize_with = "lenient::ipv4")]
    ip: Option<Ipv4Addr>,
}

impl UserRow {
    /// `None` for a row without id or MAC.
    pub(crate) fn into_record(self) -> Option<ClientRecord> {
        Some(ClientRecord {
            id: self.id?,
            mac: self.mac?,
            name: self.name,
            hostname: self.hostname,
            note: self.note,
            use_fixed_ip: self.use_fixedip,
            fixed_ip: self.fixed_ip,
            network_id: self.network_id,
            local_dns: self
                .local_dns_record
                .filter(|_| self.local_dns_record_enabled)
                .map(|name| crate::parse::fold_name(&name)),
            last_seen: self.last_seen,
            last_ip: self.last_ip.or(self.ip),
        })
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct StationRow {
    #[serde(deserialize_with = "lenient::mac")]
    mac: Option<Mac>,
    #[serde(deserialize_with = "lenient::ipv4")]
    ip: Option<Ipv4Addr>,
    #[serde(deserialize_with = "lenient::text")]
    name: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    hostname: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    network_id: Option<String>,
}

impl StationRow {
    pub(crate) fn into_client(self, device: bool) -> Option<ActiveClient> {
        Some(ActiveClient {
            mac: self.mac?,
            ip: self.ip,
            name: self.name.or(self.hostname),
            network_id: self.network_id,
            device,
        })
    }
}

/// Body of `POST rest/user` and `PUT rest/user/{id}`: a merge, so only what we own is in it.
#[derive(Serialize, Default, Debug, PartialEq, Eq)]
pub(crate) struct UserBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mac: Option<Mac>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    noted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    use_fixedip: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fixed_ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_dns_record_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_dns_record: Option<&'a str>,
}

/// The flag goes with a note that says something; one that is cleared leaves it as it is.
fn noted(note: Option<&str>) -> Option<bool> {
    note.filter(|note| !note.is_empty()).map(|_| true)
}

impl<'a> From<&'a NewClient> for UserBody<'a> {
    fn from(client: &'a NewClient) -> Self {
        Self {
            mac: Some(client.mac),
            name: client.name.as_deref(),
            note: client.note.as_deref(),
            noted: noted(client.note.as_deref()),
            use_fixedip: Some(true),
            fixed_ip: Some(client.fixed_ip.to_string()),
            network_id: Some(&client.network_id),
            local_dns_record_enabled: client.local_dns.as_ref().map(|_| true),
            local_dns_record: client.local_dns.as_deref(),
        }
    }
}

impl<'a> From<&'a ClientPatch> for UserBody<'a> {
    fn from(patch: &'a ClientPatch) -> Self {
        Self {
            mac: None,
            name: patch.name.as_deref(),
            note: patch.note.as_deref(),
            noted: noted(patch.note.as_deref()),
            use_fixedip: patch.fixed_ip.map(|address| address.is_some()),
            // Switch and address go together: an address left behind still blocks others.
            fixed_ip: patch.fixed_ip.map(|address| {
                address
                    .map(|address| address.to_string())
                    .unwrap_or_default()
            }),
            network_id: patch.network_id.as_deref(),
            // Switch and name go together as well: the name alone is echoed and not served.
            local_dns_record_enabled: patch.local_dns.as_ref().map(Option::is_some),
            local_dns_record: patch
                .local_dns
                .as_ref()
                .map(|name| name.as_deref().unwrap_or_default()),
        }
    }
}
