//! Rows of `rest/networkconf`, LANs and uplinks alike. Only what is needed is read: they carry PPPoE and VPN secrets.

use std::net::Ipv4Addr;

use serde::Deserialize;

use super::lenient;
use crate::{DhcpServer, Network, Wan};

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct NetworkRow {
    #[serde(rename = "_id", deserialize_with = "lenient::text")]
    id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    name: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    purpose: Option<String>,
    #[serde(deserialize_with = "lenient::maybe_flag")]
    enabled: Option<bool>,
    #[serde(deserialize_with = "lenient::text")]
    ip_subnet: Option<String>,
    #[serde(deserialize_with = "lenient::maybe_flag")]
    vlan_enabled: Option<bool>,
    #[serde(deserialize_with = "lenient::number")]
    vlan: Option<u64>,
    #[serde(deserialize_with = "lenient::text")]
    gateway_type: Option<String>,
    #[serde(deserialize_with = "lenient::flag")]
    dhcp_relay_enabled: bool,
    #[serde(deserialize_with = "lenient::flag")]
    dhcpd_enabled: bool,
    #[serde(deserialize_with = "lenient::ipv4")]
    dhcpd_start: Option<Ipv4Addr>,
    #[serde(deserialize_with = "lenient::ipv4")]
    dhcpd_stop: Option<Ipv4Addr>,
    #[serde(deserialize_with = "lenient::number")]
    dhcpd_leasetime: Option<u64>,
    #[serde(deserialize_with = "lenient::flag")]
    dhcpd_dns_enabled: bool,
    #[serde(deserialize_with = "lenient::ipv4")]
    dhcpd_dns_1: Option<Ipv4Addr>,
    #[serde(deserialize_with = "lenient::ipv4")]
    dhcpd_dns_2: Option<Ipv4Addr>,
    #[serde(deserialize_with = "lenient::ipv4")]
    dhcpd_dns_3: Option<Ipv4Addr>,
    #[serde(deserialize_with = "lenient::ipv4")]
    dhcpd_dns_4: Option<Ipv4Addr>,
    #[serde(deserialize_with = "lenient::text")]
    wan_dns_preference: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    wan_dns1: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    wan_dns2: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    wan_dns3: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    wan_dns4: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    wan_ipv6_dns_preference: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    wan_ipv6_dns1: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    wan_ipv6_dns2: Option<String>,
    #[serde(deserialize_with = "lenient::number")]
    pub(crate) wan_failover_priority: Option<u64>,
    #[serde(deserialize_with = "lenient::text")]
    wan_type: Option<String>,
}

impl NetworkRow {
    pub(crate) fn is_live_wan(&self) -> bool {
        self.purpose.as_deref() == Some("wan") && self.enabled != Some(false)
    }

    /// Resolvers set by hand, IPv4 first; `None` where the provider's are used.
    pub(crate) fn resolvers(self) -> Option<Vec<String>> {
        let manual = |preference: &Option<String>| preference.as_deref() == Some("manual");
        let (v4, v6) = (
            manual(&self.wan_dns_preference),
            manual(&self.wan_ipv6_dns_preference),
        );
        let v4_set = [self.wan_dns1, self.wan_dns2, self.wan_dns3, self.wan_dns4];
        let v6_set = [self.wan_ipv6_dns1, self.wan_ipv6_dns2];
        (v4 || v6).then(|| {
            // A value may linger after its preference went back to automatic.
            let v4_set = v4_set.into_iter().flatten().filter(|_| v4);
            v4_set
                .chain(v6_set.into_iter().flatten().filter(|_| v6))
                .collect()
        })
    }

    /// `None` for rows that are no uplink.
    pub(crate) fn into_wan(self, provider: Option<String>) -> Option<Wan> {
        if self.purpose.as_deref() != Some("wan") {
            return None;
        }
        Some(Wan {
            id: self.id.clone()?,
            name: self.name.clone().unwrap_or_default(),
            kind: self.wan_type.clone(),
            failover_priority: self.wan_failover_priority,
            resolvers: self.resolvers(),
            provider,
        })
    }

    /// `None` for WANs, VPNs and rows without an id.
    pub(crate) fn into_network(self) -> Option<Network> {
        let purpose = self.purpose?;
        if matches!(
            purpose.as_str(),
            "wan" | "vpn-client" | "site-vpn" | "remote-user-vpn"
        ) {
            return None;
        }
        let dns = [
            self.dhcpd_dns_1,
            self.dhcpd_dns_2,
            self.dhcpd_dns_3,
            self.dhcpd_dns_4,
        ];
        Some(Network {
            id: self.id?,
            name: self.name.unwrap_or_default(),
            subnet: self.ip_subnet.and_then(|subnet| subnet.parse().ok()),
            vlan: self
                .vlan
                .filter(|_| self.vlan_enabled != Some(false))
                .and_then(|vlan| u16::try_from(vlan).ok()),
            dhcp: DhcpServer {
                enabled: self.dhcpd_enabled
                    && self.enabled != Some(false)
                    && purpose != "vlan-only",
                start: self.dhcpd_start,
                stop: self.dhcpd_stop,
                lease_seconds: self.dhcpd_leasetime,
                dns: dns
                    .into_iter()
                    .flatten()
                    .filter(|_| self.dhcpd_dns_enabled)
                    .collect(),
            },
            dhcp_elsewhere: self.dhcp_relay_enabled
                || self.gateway_type.as_deref() == Some("switch"),
            purpose,
        })
    }
}
