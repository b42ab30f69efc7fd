//! Reads of the integration API beside DNS: who is connected, and networks as it names them.

use crate::client::segment;
use crate::pages::pages;
use crate::wire::integration::{ConnectedRow, OverviewRow, SiteRow};
use crate::{Client, ConnectedClient, Error, Filter, NetworkOverview, Refusal};

impl Client {
    /// Clients that are connected now, all pages (`sites/{id}/clients`). It knows no reservations and no addresses of
    /// clients that are away; for conflicts use [`Client::active_clients`] and [`Client::leases`].
    ///
    /// # Errors
    /// [`Error::Unsupported`] without an integration API (classic consoles, Network before 9.0);
    /// [`Error::NotFound`] when it does not show the site; [`Error::Busy`] when the list kept changing while it was
    /// read. Cancellation-safe.
    pub async fn connected_clients(
        &self,
        filter: Option<&Filter>,
    ) -> Result<Vec<ConnectedClient>, Error> {
        let path = self.integration_path("clients").await?;
        let rows: Vec<ConnectedRow> = pages(self, &path, filter).await?;
        Ok(rows
            .into_iter()
            .filter_map(ConnectedRow::into_client)
            .collect())
    }

    /// One connected client by its id in the integration API; `None` when it is not connected.
    ///
    /// # Errors
    /// As for [`Client::connected_clients`], and [`Error::Invalid`] for an id that is no path segment.
    pub async fn connected_client(&self, id: &str) -> Result<Option<ConnectedClient>, Error> {
        segment("id", id)?;
        let path = self.integration_path(&format!("clients/{id}")).await?;
        match self.json::<ConnectedRow>(&path).await {
            Ok(row) => Ok(row.into_client()),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Networks as the integration API lists them (`sites/{id}/networks`, Network 10.0 and later): ids to give to
    /// other calls of that API. Subnets and DHCP are in [`Client::networks`].
    ///
    /// # Errors
    /// As for [`Client::connected_clients`].
    pub async fn network_overviews(
        &self,
        filter: Option<&Filter>,
    ) -> Result<Vec<NetworkOverview>, Error> {
        let path = self.integration_path("networks").await?;
        let rows: Vec<OverviewRow> = pages(self, &path, filter).await?;
        Ok(rows
            .into_iter()
            .filter_map(OverviewRow::into_network)
            .collect())
    }

    async fn integration_path(&self, rest: &str) -> Result<String, Error> {
        let refusal = |message: &str| {
            Box::new(Refusal {
                call: format!("integration/v1/sites/{}/{rest}", self.site_name()),
                message: Some(message.to_owned()),
                ..Refusal::default()
            })
        };
        if !self.platform().await?.has_integration() {
            return Err(Error::Unsupported(refusal(
                "a classic console has no integration API",
            )));
        }
        match site_id(self).await? {
            Some(site) => Ok(format!("/integration/v1/sites/{site}/{rest}")),
            None => Err(Error::NotFound(refusal(
                "the integration API does not show this site",
            ))),
        }
    }
}

/// The integration id of the configured site, `None` when that API does not show it.
pub(crate) async fn site_id(client: &Client) -> Result<Option<String>, Error> {
    let sites: Vec<SiteRow> = pages(client, "/integration/v1/sites", None).await?;
    let site = sites
        .into_iter()
        .find(|site| site.internal_reference.as_deref() == Some(client.site_name()));
    Ok(site
        .and_then(|site| site.id)
        .filter(|id| segment("site", id).is_ok()))
}
