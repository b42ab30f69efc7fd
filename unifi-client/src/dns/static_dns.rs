//! `v2/api/site/{site}/static-dns`.

use api_transport::Method;

use super::request::Checked;
use crate::wire::v2::{StaticBody, StaticRow};
use crate::{Client, DnsRecord, Error, RecordType};

/// Longest value this API takes.
const VALUE_MAX: usize = 256;

pub(super) async fn list(client: &Client) -> Result<Vec<DnsRecord>, Error> {
    match client
        .json::<Vec<StaticRow>>(&client.v2("static-dns"))
        .await
    {
        Ok(rows) => Ok(rows
            .into_iter()
            .filter_map(StaticRow::into_record)
            .collect()),
        // A list has no id that could be unknown: the gateway is too old, or no UniFi OS device.
        Err(Error::NotFound(refusal)) => Err(Error::Unsupported(refusal)),
        Err(error) => Err(error),
    }
}

pub(super) async fn create(client: &Client, record: &Checked<'_>) -> Result<(), Error> {
    let answer = client
        .send(
            Method::POST,
            &client.v2("static-dns"),
            Some(&body(None, record)?),
        )
        .await?;
    answer.json::<StaticRow>().map(drop)
}

pub(super) async fn update(client: &Client, id: &str, record: &Checked<'_>) -> Result<(), Error> {
    let path = client.v2(&format!("static-dns/{id}"));
    client
        .send(Method::PUT, &path, Some(&body(Some(id), record)?))
        .await?
        .json::<StaticRow>()
        .map(drop)
}

pub(super) async fn delete(client: &Client, id: &str) -> Result<(), Error> {
    client
        .send::<()>(
            Method::DELETE,
            &client.v2(&format!("static-dns/{id}")),
            None,
        )
        .await
        .map(drop)
}

fn body<'a>(id: Option<&'a str>, record: &'a Checked<'_>) -> Result<StaticBody<'a>, Error> {
    if record.value.len() > VALUE_MAX {
        return Err(Error::invalid(
            "DNS record",
            "value",
            format!("at most {VALUE_MAX} characters on this version"),
        ));
    }
    Ok(StaticBody {
        id,
        key: &record.name,
        record_type: record.record_type.as_str(),
        value: &record.value,
        enabled: true,
        // Some versions refuse fields that do not belong to the type.
        ttl: (*record.record_type != RecordType::Txt).then_some(record.ttl),
    })
}
