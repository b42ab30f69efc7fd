//! Keeps declared DNS records present: `keep_dns NAME=ADDRESS...`
//!
//! The gateway is named by `UNIFI_API` and `UNIFI_API_KEY`, and by `UNIFI_TLS_SHA256`, the fingerprint of its
//! certificate. Run it as often as you like: what is there is left alone.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    unreachable_pub,
    reason = "an example is a program: it reads the environment and prints; tests take its `run`"
)]

use std::error::Error;

use api_transport::Trust;
use unifi_client::{Client, NewDnsRecord, RecordType};

/// What became of a record.
#[derive(Debug, PartialEq, Eq)]
pub enum Kept {
    /// It was there, exactly so.
    Unchanged,
    /// It was made.
    Made,
    /// It had another value, which was replaced.
    Replaced,
    /// Something else has the name; it was left alone.
    Refused(String),
}

/// Makes or replaces each record that is not there as declared, one after the other: every write stops the gateway's
/// DNS for a second or two, so nothing is written that changes nothing.
pub async fn run(
    client: &Client,
    declared: &[NewDnsRecord],
) -> Result<Vec<(String, Kept)>, unifi_client::Error> {
    let mut report = Vec::new();
    for wanted in declared {
        let kept = match keep(client, wanted).await {
            Ok(kept) => kept,
            Err(error) if error.is_conflict() => Kept::Refused(error.to_string()),
            Err(error) => return Err(error),
        };
        report.push((wanted.name.clone(), kept));
    }
    Ok(report)
}

async fn keep(client: &Client, wanted: &NewDnsRecord) -> Result<Kept, unifi_client::Error> {
    let name = unifi_client::dns_name(&wanted.name)?;
    let listed = client.dns_records().await?;
    let same: Vec<_> = listed
        .iter()
        .filter(|record| record.name == name && record.record_type == wanted.record_type)
        .collect();
    if same
        .iter()
        .any(|record| record.value == wanted.value && record.enabled)
    {
        return Ok(Kept::Unchanged);
    }
    match same.as_slice() {
        [] => client.create_dns_record(wanted).await.map(|()| Kept::Made),
        [one] => client
            .update_dns_record(&one.id, wanted)
            .await
            .map(|()| Kept::Replaced),
        _ => Ok(Kept::Refused("several records have this name".to_owned())),
    }
}

#[allow(dead_code, reason = "tests take `run` alone")]
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let pin = std::env::var("UNIFI_TLS_SHA256")?;
    let client = Client::builder(std::env::var("UNIFI_API")?)
        .trust(Trust::Pins(vec![pin.parse()?]))
        .api_key(std::env::var("UNIFI_API_KEY")?.into())
        .build()?;
    let mut declared = Vec::new();
    for argument in std::env::args().skip(1) {
        let (name, address) = argument.split_once('=').ok_or("give NAME=ADDRESS")?;
        declared.push(NewDnsRecord {
            name: name.to_owned(),
            record_type: RecordType::A,
            value: address.to_owned(),
            ttl: 0,
        });
    }
    for (name, kept) in run(&client, &declared).await? {
        println!("{name}: {kept:?}");
    }
    Ok(())
}
