//! `integration/v1/sites/{id}/dns/policies`.

use api_transport::Method;
use serde::de::DeserializeOwned;

use super::request::Checked;
use crate::wire::integration::{Page, PolicyBody, PolicyRow, SiteRow};
use crate::{Client, DnsRecord, Error, RecordType, Refusal};

/// Most rows a page may have.
const LIMIT: usize = 200;
/// Times a list that changed while it was read is read again.
const RESTARTS: u32 = 3;

/// The integration id of the configured site, `None` when that API does not show it.
pub(super) async fn site_id(client: &Client) -> Result<Option<String>, Error> {
    let sites: Vec<SiteRow> = pages(client, "/integration/v1/sites").await?;
    let site = sites
        .into_iter()
        .find(|site| site.internal_reference.as_deref() == Some(client.site_name()));
    Ok(site
        .and_then(|site| site.id)
        .filter(|id| crate::client::segment("site", id).is_ok()))
}

pub(super) async fn list(client: &Client, site: &str) -> Result<Vec<DnsRecord>, Error> {
    let rows: Vec<PolicyRow> = pages(client, &collection(site)).await?;
    Ok(rows
        .into_iter()
        .filter_map(PolicyRow::into_record)
        .collect())
}

pub(super) async fn create(client: &Client, site: &str, record: &Checked<'_>) -> Result<(), Error> {
    let answer = client
        .send(Method::POST, &collection(site), Some(&body(record)?))
        .await?;
    answer.json::<PolicyRow>().map(drop)
}

pub(super) async fn update(
    client: &Client,
    site: &str,
    id: &str,
    record: &Checked<'_>,
) -> Result<(), Error> {
    let path = format!("{}/{id}", collection(site));
    client
        .send(Method::PUT, &path, Some(&body(record)?))
        .await?
        .json::<PolicyRow>()
        .map(drop)
}

pub(super) async fn delete(client: &Client, site: &str, id: &str) -> Result<(), Error> {
    client
        .send::<()>(Method::DELETE, &format!("{}/{id}", collection(site)), None)
        .await
        .map(drop)
}

fn collection(site: &str) -> String {
    format!("/integration/v1/sites/{site}/dns/policies")
}

fn body<'a>(record: &'a Checked<'_>) -> Result<PolicyBody<'a>, Error> {
    let (enabled, domain, ttl_seconds) = (true, record.name.as_str(), record.ttl);
    Ok(match record.record_type {
        RecordType::A => PolicyBody::A {
            enabled,
            domain,
            ipv4_address: &record.value,
            ttl_seconds,
        },
        RecordType::Aaaa => PolicyBody::Aaaa {
            enabled,
            domain,
            ipv6_address: &record.value,
            ttl_seconds,
        },
        RecordType::Cname => PolicyBody::Cname {
            enabled,
            domain,
            target_domain: &record.value,
            ttl_seconds,
        },
        RecordType::Txt => PolicyBody::Txt {
            enabled,
            domain,
            text: record.quoted(),
        },
        RecordType::Other(_) => {
            return Err(Error::invalid(
                "DNS record",
                "type",
                "this type is not written",
            ));
        }
    })
}

/// All pages of a list. One that changes while it is read is read again from its start.
async fn pages<T: DeserializeOwned>(client: &Client, collection: &str) -> Result<Vec<T>, Error> {
    for _ in 0..=RESTARTS {
        if let Some(rows) = pass(client, collection).await? {
            return Ok(rows);
        }
    }
    Err(Error::Busy(Box::new(Refusal {
        call: format!("GET {collection}"),
        message: Some("the list changed each time it was read".to_owned()),
        ..Refusal::default()
    })))
}

/// `None` when the list changed between two pages.
async fn pass<T: DeserializeOwned>(
    client: &Client,
    collection: &str,
) -> Result<Option<Vec<T>>, Error> {
    let mut rows = Vec::new();
    let mut total = None;
    loop {
        let page: Page<T> = client
            .json(&format!("{collection}?offset={}&limit={LIMIT}", rows.len()))
            .await?;
        let consistent = *total.get_or_insert(page.total_count) == page.total_count
            && page.offset == rows.len() as u64;
        let last = page.data.is_empty();
        rows.extend(page.data);
        let complete = rows.len() as u64 >= page.total_count;
        match (consistent, complete) {
            (true, true) => return Ok(Some(rows)),
            (true, false) if !last => {}
            _ => return Ok(None),
        }
    }
}
