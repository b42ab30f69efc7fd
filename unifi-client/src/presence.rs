//! Who is there, who holds a lease, who was there: reads that conflicts are found in.

use crate::wire::legacy::StationRow;
use crate::wire::v2::{HistoryRow, LeaseRow, Leases};
use crate::{ActiveClient, Client, Error, Lease, Mac, PastClient};

impl Client {
    /// Clients that are online, then adopted UniFi hardware.
    ///
    /// Paths: legacy `stat/sta` and `stat/device`, read side by side. Being listed is being online. Rows without a
    /// readable MAC are left out. Cancellation-safe.
    ///
    /// # Errors
    /// [`Error::Unauthorized`], [`Error::Forbidden`], [`Error::Busy`] and [`Error::Transport`], as for every read.
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

    /// Live DHCP leases, expired ones as far as the gateway still lists them; empty where it has no such list, as on
    /// classic consoles.
    ///
    /// Path: v2 `active-leases`, known from the code of other clients only. Times are Unix seconds; a gateway that sends
    /// milliseconds is read as well. Cancellation-safe.
    ///
    /// # Errors
    /// [`Error::Unauthorized`], [`Error::Forbidden`], [`Error::Busy`] and [`Error::Transport`], as for every read.
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

    /// Clients seen at any time that are not online, UniFi hardware and blocked ones included.
    ///
    /// Path: v2 `clients/history`, without a limit in time. It names the id of the client record, which some versions
    /// tell nowhere else. Cancellation-safe.
    ///
    /// # Errors
    /// [`Error::Unauthorized`], [`Error::Forbidden`], [`Error::Busy`] and [`Error::Transport`], as for every read.
    pub async fn past_clients(&self) -> Result<Vec<PastClient>, Error> {
        let path =
            self.v2("clients/history?onlyNonBlocked=false&includeUnifiDevices=true&withinHours=0");
        let rows: Vec<HistoryRow> = self.json(&path).await?;
        Ok(rows.into_iter().filter_map(HistoryRow::into_past).collect())
    }
}
