//! `detach`: a device from a VM.

use bootstrap_core::passthrough::{self, Which};

use super::{failed, tell};
use crate::args::Output;
use crate::output::Screen;
use crate::proxmox::Proxmox;
use crate::run::{Exit, Failure, block_on};

/// Detach a GPU from a VM
///
/// A device that is not there counts as detached, and one that only waits for a start is taken back. A device by its
/// address is left: Proxmox lets `root@pam` with a password alone change it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  proxmox-gpu detach worker-1 --mapping h100
  proxmox-gpu detach 105 --slot 1 --pending

Exit codes: 0 detached (also where it was not there), 1 a write failed, 5 something speaks against it and nothing was
written.")]
pub struct Detach {
    /// A VM's name, id or SMBIOS UUID (its machine id in Omni)
    #[arg(value_name = "VM")]
    vm: String,
    /// The device by its mapping
    #[arg(long, value_name = "NAME", required_unless_present = "slot")]
    mapping: Option<String>,
    /// The device by its option's number: 0 for `hostpci0`
    #[arg(long, value_name = "N", conflicts_with = "mapping", value_parser = clap::value_parser!(u8).range(..16))]
    slot: Option<u8>,
    /// Also from a VM that runs: it goes with the next stop
    #[arg(long)]
    pending: bool,
    /// Check everything, write nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: Output,
}

/// Detaches.
///
/// # Errors
/// What speaks against it, or what failed.
pub fn run(arguments: &Detach, proxmox: &Proxmox, screen: &mut Screen) -> Result<Exit, Failure> {
    let by_mapping = arguments.mapping.clone().map(Which::Mapping);
    let Some(which) = by_mapping.or_else(|| arguments.slot.map(Which::Slot)) else {
        return Err(Failure::message(Exit::Usage, "give --mapping or --slot"));
    };
    let wish = passthrough::Detach {
        vm: arguments.vm.clone(),
        which,
        pending: arguments.pending,
        dry_run: arguments.dry_run,
    };
    let outcome = block_on(async {
        let connected = proxmox.connect().await?;
        passthrough::detach(connected.port.as_ref(), connected.clock.as_ref(), &wish)
            .await
            .map_err(failed)
    })?;
    tell(&outcome, false, arguments.output, screen)
}
