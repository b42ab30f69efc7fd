//! Networks and where the gateway forwards DNS to. Read only.

use crate::wire::legacy::SettingRow;
use crate::wire::network::NetworkRow;
use crate::wire::v2::WanRow;
use crate::{Client, Error, Network, Upstream, Wan};

impl Client {
    /// LAN networks: corporate, guest and VLAN-only ones, switched off ones included.
    ///
    /// Path: legacy `rest/networkconf`, whose rows mix LANs, WANs and VPNs; the latter two are left out, and so are all
    /// secrets they carry. A subnet that cannot be read is absent. Cancellation-safe.
    ///
    /// # Errors
    /// [`Error::Unauthorized`], [`Error::Forbidden`], [`Error::Busy`] and [`Error::Transport`], as for every read.
    pub async fn networks(&self) -> Result<Vec<Network>, Error> {
        let rows: Vec<NetworkRow> = self.rows(&self.legacy("rest/networkconf")).await?;
        Ok(rows
            .into_iter()
            .filter_map(NetworkRow::into_network)
            .collect())
    }

    /// Uplinks, in the gateway's order (v2 `wan/enriched-configuration`).
    ///
    /// # Errors
    /// [`Error::Unsupported`] where there is no such list. Cancellation-safe.
    pub async fn wans(&self) -> Result<Vec<Wan>, Error> {
        match self
            .json::<Vec<WanRow>>(&self.v2("wan/enriched-configuration"))
            .await
        {
            Ok(rows) => Ok(rows.into_iter().filter_map(WanRow::into_wan).collect()),
            Err(Error::NotFound(refusal)) => Err(Error::Unsupported(refusal)),
            Err(error) => Err(error),
        }
    }

    /// What the gateway forwards DNS to: resolvers of the enabled WANs, by failover priority, IPv4 first within each;
    /// and whether encrypted DNS overrides them.
    ///
    /// Paths: legacy `rest/networkconf` and `get/setting`. A resolver that was set by hand and then left for the
    /// provider's lingers in the answer and is not told. Cancellation-safe.
    ///
    /// # Errors
    /// [`Error::Unauthorized`], [`Error::Forbidden`], [`Error::Busy`] and [`Error::Transport`], as for every read.
    pub async fn upstream(&self) -> Result<Upstream, Error> {
        let (networks, settings) = (self.legacy("rest/networkconf"), self.legacy("get/setting"));
        let (rows, settings) = tokio::try_join!(
            self.rows::<NetworkRow>(&networks),
            self.rows::<SettingRow>(&settings)
        )?;
        let mut wans: Vec<_> = rows.into_iter().filter(NetworkRow::is_live_wan).collect();
        wans.sort_by_key(|wan| wan.wan_failover_priority.unwrap_or(u64::MAX));
        let mut upstream = Upstream {
            servers: Vec::new(),
            automatic: true,
            encrypted: settings
                .into_iter()
                .find(|row| row.key.as_deref() == Some("doh"))
                .and_then(|row| row.state),
        };
        for servers in wans.into_iter().filter_map(NetworkRow::resolvers) {
            upstream.automatic = false;
            for server in servers {
                if !upstream.servers.contains(&server) {
                    upstream.servers.push(server);
                }
            }
        }
        Ok(upstream)
    }
}
