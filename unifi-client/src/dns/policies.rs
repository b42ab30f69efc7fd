//! `integration/v1/sites/{id}/dns/policies`.

use api_transport::Method;

use super::request::Checked;
use crate::pages::pages;
use crate::wire::integration::{PolicyBody, PolicyRow};
use crate::{Client, DnsRecord, Error, RecordType};

pub(super) async fn list(client: &Client, site: &str) -> Result<Vec<DnsRecord>, Error> {
    let rows: Vec<PolicyRow> = pages(client, &collection(site), None).await?;
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
