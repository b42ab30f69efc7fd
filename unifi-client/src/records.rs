//! Client records (`rest/user`), which hold the reservations. Only the legacy API has them.

use std::collections::BTreeMap;

use api_transport::Method;

use crate::client::segment;
use crate::wire::legacy::{UserBody, UserRow};
use crate::{Client, ClientPatch, ClientRecord, Error, Mac, NewClient, Refusal, dns_name};

/// `rest/user` answers at most this many rows and does not say that more exist.
const CAP: usize = 3_000;

impl Client {
    /// All client records, by MAC.
    ///
    /// The gateway lists at most 3,000. When that many come, those with a reservation are asked for once more by
    /// themselves, so that no reserved address is missed; a record without one may then be absent here and is still
    /// found by [`Client::client_record`].
    ///
    /// Path: legacy `rest/user`. Newer versions list configured clients only, so a MAC that is absent here may still
    /// have a record. One or two calls. Cancellation-safe.
    ///
    /// # Errors
    /// [`Error::Unauthorized`], [`Error::Forbidden`], [`Error::Busy`] and [`Error::Transport`], as for every read;
    /// [`Error::NotFound`] for a site that is not there.
    pub async fn client_records(&self) -> Result<Vec<ClientRecord>, Error> {
        let rows: Vec<UserRow> = self.rows(&self.legacy("rest/user")).await?;
        let capped = rows.len() >= CAP;
        let mut records: BTreeMap<_, _> = by_mac(rows);
        if capped {
            tracing::warn!(
                rows = CAP,
                "the list of client records is cut, reading reservations by themselves"
            );
            records.extend(by_mac(
                self.rows(&self.legacy("rest/user?use_fixedip=true"))
                    .await?,
            ));
        }
        Ok(records.into_values().collect())
    }

    /// The client record of one MAC, also where the list leaves it out; `None` for a client the gateway never heard of.
    ///
    /// Paths: legacy `rest/user?mac=`, then `stat/user/{mac}`, which tells the truth for one MAC on all versions. A
    /// gateway that ignores the filter is noticed: a row of another MAC is never returned. One or two calls.
    /// Cancellation-safe.
    ///
    /// # Errors
    /// As for [`Client::client_records`]; [`Error::AlreadyExists`] with `api.err.IdRequired` on versions that know the
    /// client under an id only: take the `record_id` of [`Client::past_clients`].
    pub async fn client_record(&self, mac: Mac) -> Result<Option<ClientRecord>, Error> {
        // The colons stay as they are: the gateway does not decode them.
        for path in [format!("rest/user?mac={mac}"), format!("stat/user/{mac}")] {
            match self.rows::<UserRow>(&self.legacy(&path)).await {
                Ok(rows) => {
                    let found = rows
                        .into_iter()
                        .filter(|row| row.mac == Some(mac))
                        .find_map(UserRow::into_record);
                    if found.is_some() {
                        return Ok(found);
                    }
                }
                Err(error) if is_unknown_client(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Makes a client record with a reservation. Sent once: after a lost answer look before trying again.
    ///
    /// Path: `POST rest/user`. The switch and the address go together, a note is flagged as one, and only what is set is
    /// sent. The client need not have been seen. It takes the address up at its next DHCP exchange. Not idempotent; a
    /// dropped call may have been carried out.
    ///
    /// # Errors
    /// [`Error::Invalid`] before anything is sent for a network id or a DNS name that is none, and after that when the
    /// address lies in no network (`api.err.InvalidFixedIP`) or the network does not exist.
    /// [`Error::AlreadyExists`] when the gateway knows the MAC: find the record by [`Client::client_record`], else by
    /// the `record_id` of [`Client::past_clients`], and change that. [`Error::AddressTaken`] when another record, a
    /// live client or UniFi hardware has the address.
    pub async fn create_client(&self, client: &NewClient) -> Result<(), Error> {
        segment("network_id", &client.network_id)?;
        client.local_dns.as_deref().map(dns_name).transpose()?;
        let _turn = self.write_turn().await;
        let answer = self
            .send(
                Method::POST,
                &self.legacy("rest/user"),
                Some(&UserBody::from(client)),
            )
            .await?;
        expect_mac(&answer.call, &answer.rows()?, client.mac)
    }

    /// Changes a client record, only what is named. A patch without changes is not sent.
    ///
    /// The gateway may drop the record of a client that never connected and make another with a new id: when `id` is
    /// gone, the record is looked up by `mac` and changed there. Read the record back to see what was stored: the
    /// answer to a change may be empty.
    ///
    /// Path: `PUT rest/user/{id}`, a merge. Idempotent, so it is repeated after a lost answer. There is no version to
    /// guard it with: the last of two writers wins.
    ///
    /// # Errors
    /// [`Error::Invalid`] for ids and names that are none, and for what the gateway does not take;
    /// [`Error::AddressTaken`] and [`Error::NotFound`], as they say; [`Error::Conflict`] when the record of this id
    /// turns out to be another client's.
    pub async fn update_client(
        &self,
        id: &str,
        mac: Mac,
        patch: &ClientPatch,
    ) -> Result<(), Error> {
        if patch.is_empty() {
            return Ok(());
        }
        segment("id", id)?;
        if let Some(network) = &patch.network_id {
            segment("network_id", network)?;
        }
        if let Some(Some(name)) = &patch.local_dns {
            dns_name(name)?;
        }
        let mut body = UserBody::from(patch);
        let _turn = self.write_turn().await;
        let gone = match self.put_user(id, mac, &body).await {
            Err(error) if error.is_not_found() || error.code() == Some("api.err.IdRequired") => {
                error
            }
            other => return other,
        };
        let Some(record) = self.client_record(mac).await? else {
            return Err(gone);
        };
        body.mac = Some(mac);
        self.put_user(&record.id, mac, &body).await
    }

    async fn put_user(&self, id: &str, mac: Mac, body: &UserBody<'_>) -> Result<(), Error> {
        let answer = self
            .send(
                Method::PUT,
                &self.legacy(&format!("rest/user/{id}")),
                Some(body),
            )
            .await?;
        expect_mac(&answer.call, &answer.rows()?, mac)
    }
}

fn by_mac(rows: Vec<UserRow>) -> BTreeMap<Mac, ClientRecord> {
    rows.into_iter()
        .filter_map(UserRow::into_record)
        .map(|record| (record.mac, record))
        .collect()
}

/// No rows is a normal answer to a change; rows of another client are not.
fn expect_mac(call: &str, rows: &[UserRow], mac: Mac) -> Result<(), Error> {
    match rows
        .iter()
        .filter_map(|row| row.mac)
        .find(|answered| *answered != mac)
    {
        None => Ok(()),
        Some(other) => Err(Error::Conflict(Box::new(Refusal {
            call: call.to_owned(),
            message: Some(format!("the record belongs to {other}, not to {mac}")),
            fields: vec!["mac".to_owned()],
            ..Refusal::default()
        }))),
    }
}

/// `stat/user/{mac}` answers 400 for a client it never saw, with a code that versions do not agree on.
pub(crate) fn is_unknown_client(error: &Error) -> bool {
    let unnamed = matches!(error, Error::Invalid(refusal) if refusal.status == Some(400) && refusal.code.is_none());
    (error.is_not_found() && error.code() != Some("api.err.NoSiteContext")) || unnamed
}
