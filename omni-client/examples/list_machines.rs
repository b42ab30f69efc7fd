//! Lists machines that labels select: `list_machines 'omni.sidero.dev/available,omni.sidero.dev/mem >= 16GiB'`
//!
//! Omni is named by `OMNI_ENDPOINT` and `OMNI_SERVICE_ACCOUNT_KEY` (a Reader's will do), and by `OMNI_CA_FILE` where a
//! private authority vouches for it.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    unreachable_pub,
    reason = "an example is a program: it reads the environment and prints; tests take its `run`"
)]

use std::error::Error;

use omni_client::specs::MachineStatus;
use omni_client::{Client, ClientBuilder, ListOptions, Selector, Trust};

/// What there is to say of a machine.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// Its UUID.
    pub id: String,
    /// Its host name, where it told one.
    pub hostname: String,
    /// The cluster it is in.
    pub cluster: Option<String>,
    /// Whether it is connected.
    pub connected: bool,
    /// Bytes of all its disks.
    pub storage: u64,
}

/// Machines that the selector matches, by id.
pub async fn run(client: &Client, selector: Selector) -> Result<Vec<Row>, omni_client::Error> {
    // One answer is one moment; where there are thousands, ask for pages with `.page_size(500)`.
    let options = ListOptions::selector(selector);
    let machines = client.list_as::<MachineStatus>(&options).await?;
    let row = |machine: omni_client::Typed<MachineStatus>| {
        let hardware = machine.spec.hardware.unwrap_or_default();
        Row {
            id: machine.metadata.id,
            hostname: machine.spec.network.unwrap_or_default().hostname,
            cluster: Some(machine.spec.cluster).filter(|name| !name.is_empty()),
            connected: machine.spec.connected,
            storage: hardware.blockdevices.iter().map(|disk| disk.size).sum(),
        }
    };
    Ok(machines.into_iter().map(row).collect())
}

#[allow(dead_code, reason = "tests take `run` alone")]
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut builder = ClientBuilder::new(std::env::var("OMNI_ENDPOINT")?)
        .service_account_key(std::env::var("OMNI_SERVICE_ACCOUNT_KEY")?);
    if let Ok(file) = std::env::var("OMNI_CA_FILE") {
        builder = builder.trust(Trust::CaPem(std::fs::read(file)?));
    }
    let selector = std::env::args().nth(1).unwrap_or_default().parse()?;
    for row in run(&builder.build()?, selector).await? {
        let place = row.cluster.as_deref().unwrap_or("in no cluster");
        let state = if row.connected { "connected" } else { "away" };
        println!("{}  {}  {place}  {state}", row.id, row.hostname);
    }
    Ok(())
}
