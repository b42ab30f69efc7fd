//! `mappings`: each PCI resource mapping, and whether it fits the hardware.

use bootstrap_core::passthrough::{Check, MappingRow, mapping_rows};

use super::seen;
use crate::args::{Format, Output};
use crate::output::{Screen, table};
use crate::proxmox::Proxmox;
use crate::run::{Exit, Failure, block_on};

/// List PCI resource mappings and whether they fit the hardware
///
/// Each entry is compared by Proxmox with the hardware of its node. A VM with a mapping that does not fit does not
/// start. Several entries for one node are alternatives: the first free one is taken.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  proxmox-gpu mappings
  proxmox-gpu mappings -o json

Exit codes: 0 all fit (also where there are none), 1 no answer, 3 one does not fit, 5 no cluster or token is named.")]
pub struct Mappings {
    #[command(flatten)]
    output: Output,
}

/// Shows.
///
/// # Errors
/// The cluster does not answer, or refuses.
pub fn run(arguments: &Mappings, proxmox: &Proxmox, screen: &mut Screen) -> Result<Exit, Failure> {
    let seen = block_on(seen(proxmox, screen))?;
    let rows = mapping_rows(&seen.view);
    if arguments.output.format == Format::Table {
        print(&rows, screen);
    } else {
        screen.document(arguments.output.format, &rows)?;
    }
    let mut entries = rows.iter().flat_map(|row| &row.entries);
    let one_is_wrong = entries.any(|entry| matches!(entry.check, Check::Wrong(_)));
    Ok(if one_is_wrong {
        Exit::Person
    } else {
        Exit::Done
    })
}

fn print(rows: &[MappingRow], screen: &mut Screen) {
    let dash = || "-".to_owned();
    let cells = rows.iter().flat_map(|row| {
        let description = row.description.clone().unwrap_or_else(dash);
        let mut cells: Vec<Vec<String>> = row
            .entries
            .iter()
            .map(|entry| {
                vec![
                    row.mapping.clone(),
                    entry.node.clone(),
                    entry.address.clone(),
                    entry.id.clone(),
                    entry
                        .iommu_group
                        .map_or_else(dash, |group| group.to_string()),
                    match &entry.check {
                        Check::Clean => "fits".to_owned(),
                        Check::Wrong(text) => text.clone(),
                        Check::Unknown => "not known".to_owned(),
                    },
                    description.clone(),
                ]
            })
            .collect();
        if cells.is_empty() {
            let mut empty = vec![dash(); 7];
            empty[0].clone_from(&row.mapping);
            empty[6].clone_from(&description);
            cells.push(empty);
        }
        cells
    });
    screen.print(&table(
        &[
            "mapping",
            "node",
            "address",
            "id",
            "group",
            "check",
            "description",
        ],
        cells,
    ));
}
