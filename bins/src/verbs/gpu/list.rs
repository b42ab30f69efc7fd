//! `list`: each device, and who uses it.

use bootstrap_core::passthrough::{DeviceRow, State, User, Via, device_rows};

use super::{or_dash, seen};
use crate::args::{Format, Output};
use crate::output::{Screen, table};
use crate::proxmox::Proxmox;
use crate::run::{Exit, Failure, block_on};

/// List GPUs of the cluster and who uses them
///
/// Graphics cards and processing accelerators of each node that is online, with the IOMMU group and what shares it (it
/// leaves the host together), the mappings that name the device, and the VMs that have it, by mapping or by address.
/// `pending` stands for what comes with the next stop and start, `leaving` for what goes with the next stop, `1 of 2`
/// for a mapping of which Proxmox takes the first free device.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  proxmox-gpu list
  proxmox-gpu list --all -o json | jq '.[] | select(.users == [])'

Exit codes: 0 shown (also where there are none), 1 no answer, 5 no cluster or token is named.")]
pub struct List {
    /// PCI devices of all classes
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    output: Output,
}

/// Shows.
///
/// # Errors
/// The cluster does not answer, or refuses.
pub fn run(arguments: &List, proxmox: &Proxmox, screen: &mut Screen) -> Result<Exit, Failure> {
    let seen = block_on(seen(proxmox, screen))?;
    let rows = device_rows(&seen.view, arguments.all);
    if arguments.output.format == Format::Table {
        print(&rows, screen);
    } else {
        screen.document(arguments.output.format, &rows)?;
    }
    Ok(Exit::Done)
}

fn print(rows: &[DeviceRow], screen: &mut Screen) {
    let cells = rows.iter().map(|row| {
        let names = [row.vendor.as_deref(), row.name.as_deref()];
        let names: Vec<&str> = names.into_iter().flatten().collect();
        let users: Vec<String> = row.users.iter().map(user).collect();
        vec![
            row.node.clone(),
            row.address.clone(),
            row.kind.clone(),
            row.id.clone(),
            or_dash(names.join(" ")),
            row.iommu_group
                .map_or_else(|| "-".to_owned(), |group| group.to_string()),
            or_dash(row.shares_group_with.join(",")),
            or_dash(row.mappings.join(",")),
            or_dash(users.join(", ")),
        ]
    });
    screen.print(&table(
        &[
            "node",
            "address",
            "kind",
            "id",
            "name",
            "group",
            "shared with",
            "mapping",
            "used by",
        ],
        cells,
    ));
}

fn user(user: &User) -> String {
    let mut notes = Vec::new();
    notes.push(match user.running {
        Some(true) => "running",
        Some(false) => "stopped",
        None => "state unknown",
    });
    match user.state {
        State::Applied => {}
        State::Pending => notes.push("pending"),
        State::Leaving => notes.push("leaving"),
    }
    if matches!(user.by, Via::Address(_)) {
        notes.push("by address");
    }
    let some = format!("1 of {}", user.one_of);
    if user.one_of > 1 {
        notes.push(&some);
    }
    let name = user.name.as_deref().unwrap_or("VM");
    format!("{name} {} ({})", user.vmid, notes.join(", "))
}
