//! Reserves an address for a machine: `reserve MAC ADDRESS NAME`
//!
//! The gateway is named by `UNIFI_API` and `UNIFI_API_KEY`, and by `UNIFI_TLS_SHA256`, the fingerprint of its
//! certificate.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    unreachable_pub,
    reason = "an example is a program: it reads the environment and prints; tests take its `run`"
)]

use std::error::Error;
use std::net::Ipv4Addr;

use api_transport::Trust;
use unifi_client::{Client, ClientPatch, Mac, NewClient};

/// What became of a reservation.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was there.
    Unchanged,
    /// It is there now.
    Reserved,
    /// No network of the gateway has the address to give.
    NoNetwork,
    /// Somebody else has it, reserved or leased.
    Taken(Mac),
}

/// Looks who has the address, writes once, and reads back.
pub async fn run(
    client: &Client,
    mac: Mac,
    address: Ipv4Addr,
    name: &str,
) -> Result<Outcome, unifi_client::Error> {
    let networks = client.networks().await?;
    let Some(network) = networks
        .iter()
        .find(|network| network.is_assignable(address))
    else {
        return Ok(Outcome::NoNetwork);
    };
    // A reservation that is switched off still blocks its address.
    let records = client.client_records().await?;
    let reserved = records
        .iter()
        .filter(|record| record.fixed_ip == Some(address));
    let leases = client.leases().await?;
    let leased = leases.iter().filter(|lease| lease.ip == address);
    let mut holders = reserved
        .map(|record| record.mac)
        .chain(leased.map(|lease| lease.mac));
    if let Some(other) = holders.find(|holder| *holder != mac) {
        return Ok(Outcome::Taken(other));
    }
    match client.client_record(mac).await? {
        Some(record) if record.reserved() == Some(address) => return Ok(Outcome::Unchanged),
        Some(record) => {
            let patch = ClientPatch {
                fixed_ip: Some(Some(address)),
                network_id: Some(network.id.clone()),
                ..ClientPatch::default()
            };
            client.update_client(&record.id, mac, &patch).await?;
        }
        None => {
            let new = NewClient {
                mac,
                name: Some(name.to_owned()),
                note: None,
                fixed_ip: address,
                network_id: network.id.clone(),
                local_dns: None,
            };
            client.create_client(&new).await?;
        }
    }
    // The gateway takes some writes and does not carry them out.
    let stored = client.client_record(mac).await?;
    match stored.and_then(|record| record.reserved()) {
        Some(stored) if stored == address => Ok(Outcome::Reserved),
        _ => Ok(Outcome::NoNetwork),
    }
}

#[allow(dead_code, reason = "tests take `run` alone")]
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mac, address, name] = arguments.as_slice() else {
        return Err("give MAC ADDRESS NAME".into());
    };
    let pin = std::env::var("UNIFI_TLS_SHA256")?;
    let client = Client::builder(std::env::var("UNIFI_API")?)
        .trust(Trust::Pins(vec![pin.parse()?]))
        .api_key(std::env::var("UNIFI_API_KEY")?.into())
        .build()?;
    let outcome = run(&client, mac.parse()?, address.parse()?, name).await?;
    println!("{mac} {address}: {outcome:?}");
    Ok(())
}
