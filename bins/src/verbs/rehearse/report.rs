//! What a rehearsal ends with, from the simulated site's own log.

use std::collections::BTreeMap;

use bootstrap_core::site::{MachineSetIntent, Site};
use bootstrap_core::status::Row;
use serde::Serialize;
use site_simulator::World;
use site_simulator::report::{Expected, NodeFigures};

use crate::output::table;

/// The figures of a rehearsal.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// One entry a machine.
    machines: Vec<Machine>,
    /// Machines whose first lease was the address reserved for them, and how many should have been.
    first_leases_right: (usize, usize),
    /// GPUs that were there at the first boot, and how many should have been.
    gpus_at_first_boot: (usize, usize),
    /// Starts that the provider did not ask for.
    restarts: usize,
    /// Requests sent, by system.
    requests: BTreeMap<String, u64>,
    /// Whether a second apply finds nothing to do; absent where it was not tried.
    pub(super) second_apply_finds_nothing: Option<bool>,
}

#[derive(Debug, Serialize)]
struct Machine {
    #[serde(flatten)]
    row: Row,
    restarts: Option<usize>,
    /// Seconds of the cold window that were left after the last write for this machine.
    window_left_seconds: Option<f64>,
}

/// Takes the figures from the world; `rows` say which address each machine was to have from its first
/// lease on.
pub(super) fn report(
    site: &Site,
    world: &World,
    rows: Vec<Row>,
    requests: BTreeMap<String, u64>,
) -> Report {
    let addresses = rows
        .iter()
        .filter_map(|row| Some((row.machine.clone(), row.reserved?)))
        .collect();
    let figures = world.figures(&Expected {
        addresses,
        ..Expected::default()
    });
    let sets = || {
        site.clusters
            .iter()
            .flat_map(|cluster| &cluster.machine_sets)
    };
    let size = |set: &MachineSetIntent| set.class.as_ref().map_or(0, |(_, size)| *size as usize);
    let wanted_addresses = sets()
        .filter(|set| !set.addresses.is_empty())
        .map(size)
        .sum();
    let wanted_gpus = sets().map(|set| size(set) * set.gpus.len()).sum();
    Report {
        first_leases_right: (figures.leases().0, wanted_addresses),
        gpus_at_first_boot: (figures.gpus().0, wanted_gpus),
        restarts: figures.restarts(),
        requests,
        second_apply_finds_nothing: None,
        machines: rows
            .into_iter()
            .map(|row| machine(row, &figures.nodes))
            .collect(),
    }
}

fn machine(row: Row, nodes: &[NodeFigures]) -> Machine {
    let told = nodes.iter().find(|node| node.request == row.machine);
    Machine {
        restarts: told.map(|told| told.restarts),
        window_left_seconds: told
            .and_then(|told| told.window_left)
            .map(|left| left.as_secs_f64()),
        row,
    }
}

impl Report {
    /// One row a machine; empty where none was made.
    pub(super) fn table(&self) -> String {
        if self.machines.is_empty() {
            return String::new();
        }
        let headers = [
            "machine request",
            "vm",
            "mac",
            "reserved",
            "leased",
            "gpu",
            "stage",
            "restarts",
            "window left",
        ];
        table(&headers, self.machines.iter().map(cells))
    }

    /// The lines that say it all.
    pub(super) fn lines(&self) -> String {
        let ((leases, of_leases), (gpus, of_gpus)) =
            (self.first_leases_right, self.gpus_at_first_boot);
        let requests: Vec<String> = self
            .requests
            .iter()
            .map(|(system, count)| format!("{system} {count}"))
            .collect();
        format!(
            "first leases right {leases}/{of_leases}, GPUs at first boot {gpus}/{of_gpus}, restarts {}\nrequests: {}\n",
            self.restarts,
            requests.join(", ")
        )
    }
}

fn cells(machine: &Machine) -> Vec<String> {
    let row = &machine.row;
    let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let vm = row
        .vmid
        .zip(row.node.as_ref())
        .map(|(vmid, node)| format!("{vmid} on {node}"));
    vec![
        row.machine.clone(),
        text(vm),
        text(row.mac.clone()),
        text(row.reserved.map(|address| address.to_string())),
        text(row.address.map(|address| address.to_string())),
        if row.gpus.is_empty() {
            "-".to_owned()
        } else {
            row.gpus.join(",")
        },
        row.stage.clone(),
        text(machine.restarts.map(|restarts| restarts.to_string())),
        text(
            machine
                .window_left_seconds
                .map(|left| format!("{left:.1} s")),
        ),
    ]
}
