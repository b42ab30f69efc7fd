//! Lists the graphics cards of each node that is up, with the mappings that name them and the VMs that use those.
//!
//! The cluster is named by `PROXMOX_VE_ENDPOINT` and `PROXMOX_VE_API_TOKEN`, and by `PROXMOX_VE_TLS_SHA256`, the
//! fingerprint of the node's certificate, where the system does not know its CA.
//!
//! ```console
//! $ cargo run -p proxmox-client --example list_gpus
//! ```
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    dead_code,
    unreachable_pub,
    reason = "an example is a program: it reads the environment and prints; tests take its `run`"
)]

use proxmox_client::{Client, Error, PciMapping, Trust, VmConfig};

/// One line for each graphics card.
pub async fn run(client: &Client) -> Result<Vec<String>, Error> {
    // A list that is empty may be one that the token may not see.
    let granted = client.permissions("/vms").await?;
    let sees_vms = granted
        .values()
        .flatten()
        .any(|privilege| privilege == "VM.Audit");
    let mappings = client.pci_mappings(None).await?;
    let vms = client.vms().await?;
    let mut lines = Vec::new();
    for node in client.nodes().await? {
        if node.status != "online" {
            lines.push(format!("{}: {}", node.name, node.status));
            continue;
        }
        // Who uses a device is in no list: only the configurations tell.
        let mut configs = Vec::new();
        for row in vms.iter().filter(|row| row.node == node.name) {
            configs.push(client.vm_config(&node.name, row.vmid).await?);
        }
        let devices = client.pci_devices(&node.name).await?;
        for device in devices
            .iter()
            .filter(|device| device.class.starts_with("03"))
        {
            let named = mappings.iter().filter(|mapping| {
                let mut entries = mapping.entries_for(&node.name);
                entries.any(|entry| device.is_at(&entry.path))
            });
            let named: Vec<&PciMapping> = named.collect();
            let users: Vec<&str> = configs
                .iter()
                .filter(|config| uses_one(config, &named))
                .map(|config| config.name().unwrap_or("?"))
                .collect();
            lines.push(format!(
                "{} {} {}: mappings {:?}, used by {users:?}{}",
                node.name,
                device.address,
                device.device_name.as_deref().unwrap_or(&device.id),
                named.iter().map(|mapping| &mapping.id).collect::<Vec<_>>(),
                if sees_vms { "" } else { " and perhaps others" },
            ));
        }
    }
    Ok(lines)
}

fn uses_one(config: &VmConfig, mappings: &[&PciMapping]) -> bool {
    config.hostpci().values().any(|device| {
        let mut ids = mappings.iter().map(|mapping| &mapping.id);
        ids.any(|id| device.mapping.as_ref() == Some(id))
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut builder = Client::builder(std::env::var("PROXMOX_VE_ENDPOINT")?);
    if let Ok(pin) = std::env::var("PROXMOX_VE_TLS_SHA256") {
        builder = builder.trust(Trust::Pins(vec![pin.parse()?]));
    }
    let token = std::env::var("PROXMOX_VE_API_TOKEN")?;
    let client = builder.api_token(token.into()).build()?;
    for line in run(&client).await? {
        println!("{line}");
    }
    Ok(())
}
