//! `attach`: a device for a VM.

use bootstrap_core::passthrough::{self, Device};
use clap::ValueEnum;

use super::{failed, tell};
use crate::args::Output;
use crate::output::Screen;
use crate::proxmox::Proxmox;
use crate::run::{Exit, Failure, block_on};

/// Attach a GPU to a VM
///
/// Only where the next start is certain to work: the mapping has an entry for the VM's node and fits its hardware, no
/// other VM of the node has the device (stopped ones and pending changes count), the machine type allows what is asked
/// for, the VM is no template, not locked and not managed by HA. A VM that has the device by any means is left alone.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  proxmox-gpu attach worker-1 --mapping h100 --dry-run
  proxmox-gpu attach 105 --device pve1:0000:41:00.0 --primary
  proxmox-gpu attach 0b7a3c1e-5d0f-4c67-9a1e-2f6f1f0d9a05 --mapping h100 --pending

Exit codes: 0 attached (also where it was already), 1 a write failed or was taken back, 5 something speaks against it and
nothing was written.")]
pub struct Attach {
    /// A VM's name, id or SMBIOS UUID (its machine id in Omni)
    #[arg(value_name = "VM")]
    vm: String,
    /// The resource mapping
    #[arg(long, value_name = "NAME", required_unless_present = "device")]
    mapping: Option<String>,
    /// The device by node and address, `pve1:0000:41:00.0`; a mapping must stand for it alone
    #[arg(long, value_name = "NODE:ADDRESS", conflicts_with = "mapping", value_parser = device)]
    device: Option<Device>,
    /// As a PCIe device, which the machine type must allow (q35)
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    pcie: Pcie,
    /// As the guest's first graphics card (`x-vga`)
    #[arg(long)]
    primary: bool,
    /// Also on a VM that runs: it counts after the next stop and start
    #[arg(long)]
    pending: bool,
    /// Check everything, write nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: Output,
}

/// When to attach as a PCIe device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Pcie {
    /// Where the machine type is q35
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// `NODE:ADDRESS`; node names have no colon, addresses do.
fn device(text: &str) -> Result<Device, String> {
    let wrong = || "write the node and the address, as in pve1:0000:41:00.0".to_owned();
    let (node, address) = text.split_once(':').ok_or_else(wrong)?;
    let (slot, function) = address.split_once('.').unwrap_or((address, "0"));
    let hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let parts: Vec<&str> = slot.split(':').collect();
    let is_slot = match parts.as_slice() {
        [bus, device] => hex(bus, 2) && hex(device, 2),
        [domain, bus, device] => hex(domain, 4) && hex(bus, 2) && hex(device, 2),
        _ => false,
    };
    if node.is_empty() || !is_slot || !hex(function, 1) {
        return Err(wrong());
    }
    Ok(Device::At {
        node: node.to_owned(),
        address: address.to_ascii_lowercase(),
    })
}

/// Attaches.
///
/// # Errors
/// What speaks against it, or what failed.
pub fn run(arguments: &Attach, proxmox: &Proxmox, screen: &mut Screen) -> Result<Exit, Failure> {
    let by_mapping = arguments.mapping.clone().map(Device::Mapping);
    let Some(device) = by_mapping.or_else(|| arguments.device.clone()) else {
        return Err(Failure::message(Exit::Usage, "give --mapping or --device"));
    };
    let wish = passthrough::Attach {
        vm: arguments.vm.clone(),
        device,
        pcie: match arguments.pcie {
            Pcie::Auto => None,
            Pcie::Always => Some(true),
            Pcie::Never => Some(false),
        },
        primary: arguments.primary,
        pending: arguments.pending,
        dry_run: arguments.dry_run,
    };
    let outcome = block_on(async {
        let connected = proxmox.connect().await?;
        passthrough::attach(connected.port.as_ref(), connected.clock.as_ref(), &wish)
            .await
            .map_err(failed)
    })?;
    tell(&outcome, true, arguments.output, screen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_a_node_and_an_address() {
        for text in ["pve1:0000:41:00.0", "pve1:41:00", "pve-2:0000:41:00"] {
            assert!(device(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "pve1",
            ":41:00",
            "pve1:41:00.x",
            "pve1:041:00",
            "pve1:41",
        ] {
            assert!(device(text).is_err(), "{text}");
        }
        let Ok(Device::At { node, address }) = device("pve1:0000:4A:00.0") else {
            panic!("it is one")
        };
        assert_eq!((node.as_str(), address.as_str()), ("pve1", "0000:4a:00.0"));
    }
}
