//! Static DNS records, by whichever API the gateway has.

mod policies;
mod request;
mod static_dns;

use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Mutex;

use self::request::Checked;
use crate::client::segment;
use crate::{Client, DnsRecord, Error, Family, NewDnsRecord, RecordType, Refusal};

/// What is known of the gateway's DNS APIs.
#[derive(Debug, Default)]
pub(crate) struct Dns {
    /// Site id of the integration API, once it was found to have DNS. "Not there" is never kept: firmware is updated.
    site: Mutex<Option<String>>,
    served: AtomicU8,
}

/// The first version whose integration API has DNS.
const POLICIES_SINCE: (u32, u32) = (10, 1);

impl Client {
    /// Which DNS API answered last: [`Family::Integration`] or [`Family::V2`]; `None` before the first DNS call. Ids
    /// belong to the API that listed them.
    pub fn dns_family(&self) -> Option<Family> {
        match self.dns().served.load(Ordering::Relaxed) {
            1 => Some(Family::Integration),
            2 => Some(Family::V2),
            _ => None,
        }
    }

    /// Static DNS records. Names made from client records (`local_dns`) are not among them, though they resolve too.
    ///
    /// Paths: `dns/policies` of the integration API from Network 10.1 on, all pages; v2 `static-dns` before and on
    /// classic consoles. Both are views of one store. Names come in lower case without a final dot, TTLs in seconds with
    /// 0 for automatic. Types this crate does not write come as [`RecordType::Other`]. Cancellation-safe.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where there is neither (Network before 8.2.93, or a gateway without UniFi OS);
    /// [`Error::Busy`] when the list kept changing while it was read; and as for every read.
    pub async fn dns_records(&self) -> Result<Vec<DnsRecord>, Error> {
        Ok(self.list_dns().await?.1)
    }

    /// Makes a DNS record, after a look at those that exist. Sent once. The gateway's DNS is away for a second or two
    /// afterwards, so judge by a query only after some ten seconds.
    ///
    /// Several address records of one name are allowed and answered in turn. Not idempotent: after a lost answer list
    /// first. Writes of all clones go one after the other.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] for the same name, type and value, [`Error::Conflict`] for an alias beside any other
    /// record of its name (which stops DNS and DHCP on some firmware) or a name a client record holds,
    /// [`Error::Invalid`] for names, values, types and TTLs that no API takes.
    pub async fn create_dns_record(&self, record: &NewDnsRecord) -> Result<(), Error> {
        let checked = Checked::new(record)?;
        let _turn = self.write_turn().await;
        let (site, records) = self.list_dns().await?;
        beside(&checked, &records, None)?;
        match site {
            Some(site) => policies::create(self, &site, &checked).await,
            None => static_dns::create(self, &checked).await,
        }
    }

    /// Replaces the record of an id that [`Client::dns_records`] gave; it is enabled afterwards.
    ///
    /// Everything is sent: both APIs replace and do not merge. The id stays. Idempotent.
    ///
    /// # Errors
    /// As for [`Client::create_dns_record`], and [`Error::NotFound`].
    pub async fn update_dns_record(&self, id: &str, record: &NewDnsRecord) -> Result<(), Error> {
        segment("id", id)?;
        let checked = Checked::new(record)?;
        let _turn = self.write_turn().await;
        let (site, records) = self.list_dns().await?;
        if !records.iter().any(|existing| existing.id == id) {
            return Err(Error::NotFound(Box::new(Refusal {
                call: format!("DNS record {id}"),
                message: Some(
                    "no record has this id; the two DNS APIs number differently".to_owned(),
                ),
                ..Refusal::default()
            })));
        }
        beside(&checked, &records, Some(id))?;
        match site {
            Some(site) => policies::update(self, &site, id, &checked).await,
            None => static_dns::update(self, id, &checked).await,
        }
    }

    /// Deletes the record of an id that [`Client::dns_records`] gave; one that is gone already is success. Idempotent.
    ///
    /// What else has the name is not looked at: records carry no mark of who made them, so compare before deleting.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an id that is no path segment, [`Error::Forbidden`] for a role that only reads.
    pub async fn delete_dns_record(&self, id: &str) -> Result<(), Error> {
        segment("id", id)?;
        let _turn = self.write_turn().await;
        let deleted = match self.policies_site().await? {
            // The v2 ids are 24 hexadecimal digits; they stay valid where the integration API is preferred.
            Some(site) if id.contains('-') => policies::delete(self, &site, id).await,
            _ => static_dns::delete(self, id).await,
        };
        deleted.or_else(|error| {
            if error.is_not_found() {
                Ok(())
            } else {
                Err(error)
            }
        })
    }

    /// Records, with the integration site id when that API served them.
    async fn list_dns(&self) -> Result<(Option<String>, Vec<DnsRecord>), Error> {
        if let Some(site) = self.policies_site().await? {
            match policies::list(self, &site).await {
                Ok(records) => {
                    self.dns().served.store(1, Ordering::Relaxed);
                    return Ok((Some(site), records));
                }
                Err(error) if error.is_not_found() => *self.dns().site.lock().await = None,
                Err(error) => return Err(error),
            }
        }
        let records = static_dns::list(self).await?;
        self.dns().served.store(2, Ordering::Relaxed);
        Ok((None, records))
    }

    async fn policies_site(&self) -> Result<Option<String>, Error> {
        let mut known = self.dns().site.lock().await;
        if known.is_none() {
            let version = self.integration_version().await?;
            if version.is_some_and(|version| version.at_least(POLICIES_SINCE.0, POLICIES_SINCE.1)) {
                *known = crate::integration::site_id(self).await?;
            }
        }
        Ok(known.clone())
    }
}

/// Refuses what would double a record or put an alias beside another one.
fn beside(new: &Checked<'_>, existing: &[DnsRecord], replaced: Option<&str>) -> Result<(), Error> {
    let same_name = existing
        .iter()
        .filter(|record| record.name == new.name && Some(record.id.as_str()) != replaced);
    for record in same_name {
        let same = record.record_type == *new.record_type && record.value == new.value;
        let alias = [&record.record_type, new.record_type].contains(&&RecordType::Cname);
        if !same && !alias {
            continue;
        }
        let state = if record.enabled { "" } else { ", disabled" };
        let refusal = Box::new(Refusal {
            call: format!("DNS record {} {}", new.name, new.record_type),
            message: Some(api_transport::redact(
                &format!(
                    "there is {} {} (id {}{state})",
                    record.record_type, record.value, record.id
                ),
                300,
            )),
            ..Refusal::default()
        });
        return Err(if same {
            Error::AlreadyExists(refusal)
        } else {
            Error::Conflict(refusal)
        });
    }
    Ok(())
}
