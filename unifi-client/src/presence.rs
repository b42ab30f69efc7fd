//! Who is there, who holds a lease, who was there: reads that conflicts are found in.

use crate::wire::legacy::StationRow;
use crate::wire::v2::{HistoryRow, LeaseRow, Leases};
use crate::{ActiveClient, Client, Error, Lease, Mac, PastClient};

impl Client {
    /// Clients that are online, then UniFi hardware.
    pub async fn active_clients(&self) -> Result<Vec<ActiveClient>, Error> {
        let (stations, devices) = (self.legacy("stat/sta"), self.legacy("stat/device"));
        let (stations, devices) = tokio::try_join!(
            self.rows::<StationRow>(&stations),
            self.rows::<StationRow>(&devices)
        )?;
        let stations = stations
            .into_iter()
            .filter_map(|row| row.into_client(false));
        Ok(stations
            .chain(devices.into_iter().filter_map(|row| row.into_client(true)))
            .collect())
    }

    /// One client, if it is online (`stat/sta/{mac}`); `None` otherwise.
    ///
    /// # Errors
    /// As for every read. Cancellation-safe.
    pub async fn active_client(&self, mac: Mac) -> Result<Option<ActiveClient>, Error> {
        // The colons stay as they are: the gateway does not decode them.
        let path = self.legacy(&format!("stat/sta/{mac}"));
        match self.rows::<StationRow>(&path).await {
            Ok(rows) => Ok(rows
                .into_iter()
                .filter_map(|row| row.into_client(false))
                .find(|client| client.mac == mac)),
            Err(error) if crate::records::is_unknown_client(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Live DHCP leases; empty where the gateway has no such list.
    pub async fn leases(&self) -> Result<Vec<Lease>, Error> {
        match self.json::<Leases>(&self.v2("active-leases")).await {
            Ok(leases) => Ok(leases
                .dhcp_lease_info
                .into_iter()
                .flatten()
                .filter_map(LeaseRow::into_lease)
                .collect()),
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Clients seen at any time, UniFi hardware and blocked ones included.
    pub async fn past_clients(&self) -> Result<Vec<PastClient>, Error> {
        let path =
            self.v2("clients/history?onlyNonBlocked=false&includeUnifiDevices=true&withinHours=0");
        let rows: Vec<HistoryRow> = self.json(&path).await?;
        Ok(rows.into_iter().filter_map(HistoryRow::into_past).collect())
    }
}
