//! Gives a VM a graphics card by its resource mapping: found by the SMBIOS UUID, checked before, guarded by the digest,
//! read back. Twice changes nothing.
//!
//! The cluster is named by `PROXMOX_VE_ENDPOINT` and `PROXMOX_VE_API_TOKEN`, and by `PROXMOX_VE_TLS_SHA256`, the
//! fingerprint of the node's certificate, where the system does not know its CA.
//!
//! ```console
//! $ cargo run -p proxmox-client --example attach_gpu -- 0b7a3c1e-5d0f-4c67-9a1e-2f6f1f0d9a05 h100
//! ```
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    dead_code,
    unreachable_pub,
    reason = "an example is a program: it reads the environment and prints; tests take its `run`"
)]

use proxmox_client::{Client, Error, HostPci, Trust, VmConfig};

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has the device with the next start, or has it already.
    Attached,
    /// It runs: the device comes when it is stopped and started.
    AfterRestart,
    /// The start would fail, for this reason. Nothing was written.
    Refused(String),
}

/// Attaches a device of `mapping` to the VM with this UUID.
pub async fn run(client: &Client, uuid: &str, mapping: &str) -> Result<Outcome, Error> {
    let Some((node, vmid, config)) = find(client, uuid).await? else {
        return Ok(Outcome::Refused("there is no such VM".to_owned()));
    };
    let is_it = |device: &HostPci| device.mapping.as_deref() == Some(mapping);
    if !config.hostpci().values().any(is_it) {
        // Proxmox takes a mapping that does not fit, and fails at the start.
        if let Some(reason) = objection(client, &node, mapping, &config).await? {
            return Ok(Outcome::Refused(reason));
        }
        let Some(slot) = config.free_hostpci() else {
            return Ok(Outcome::Refused("all slots are in use".to_owned()));
        };
        let device = HostPci {
            pcie: config.is_q35(),
            ..HostPci::mapped(mapping)
        };
        let (key, value) = (format!("hostpci{slot}"), device.to_string());
        client
            .set_config(&node, vmid, &key, &value, &config.digest)
            .await?;
    }
    let rows = client.pending(&node, vmid).await?;
    let waits = rows.iter().any(|row| {
        let pending = row.pending.as_deref().map(HostPci::parse);
        row.key.starts_with("hostpci") && pending.as_ref().is_some_and(is_it)
    });
    Ok(if waits {
        Outcome::AfterRestart
    } else {
        Outcome::Attached
    })
}

/// Names are not unique, and ids are reused: the UUID is what a VM is known by.
async fn find(client: &Client, uuid: &str) -> Result<Option<(String, u32, VmConfig)>, Error> {
    for row in client.vms().await? {
        match client.vm_config(&row.node, row.vmid).await {
            Ok(config) if config.uuid().as_deref() == Some(uuid) => {
                return Ok(Some((row.node, row.vmid, config)));
            }
            Ok(_) => {}
            // It went, or was moved, since the list was made.
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

async fn objection(
    client: &Client,
    node: &str,
    mapping: &str,
    config: &VmConfig,
) -> Result<Option<String>, Error> {
    if let Some(lock) = config.lock() {
        return Ok(Some(format!("the VM is locked ({lock})")));
    }
    let mappings = client.pci_mappings(Some(node)).await?;
    let Some(found) = mappings.iter().find(|found| found.id == mapping) else {
        return Ok(Some(format!("there is no mapping {mapping}")));
    };
    if let Some(problem) = found.errors().next() {
        return Ok(Some(problem.to_owned()));
    }
    let mut free = found.entries_for(node).count();
    for row in client.vms().await?.iter().filter(|row| row.node == node) {
        let other = client.vm_config(node, row.vmid).await?;
        let used = other.hostpci().into_values();
        free = free.saturating_sub(
            used.filter(|device| device.mapping.as_deref() == Some(mapping))
                .count(),
        );
    }
    Ok((free == 0).then(|| format!("no device of {mapping} is free on {node}")))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(uuid), Some(mapping)) = (arguments.next(), arguments.next()) else {
        return Err("give the UUID of a VM and the name of a mapping".into());
    };
    let mut builder = Client::builder(std::env::var("PROXMOX_VE_ENDPOINT")?);
    if let Ok(pin) = std::env::var("PROXMOX_VE_TLS_SHA256") {
        builder = builder.trust(Trust::Pins(vec![pin.parse()?]));
    }
    let token = std::env::var("PROXMOX_VE_API_TOKEN")?;
    let client = builder.api_token(token.into()).build()?;
    println!("{:?}", run(&client, &uuid, &mapping).await?);
    Ok(())
}
