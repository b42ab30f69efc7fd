//! `status`: one row a machine across the three systems.

use std::sync::Arc;

use api_transport::TokioClock;
use bootstrap_core::status::{Status as Report, status};

use crate::args::{Format, Output, SiteFile};
use crate::opened;
use crate::output::{Screen, table};
use crate::run::{Exit, Failure, block_on, environment};

/// Show each machine across Omni, Proxmox and the gateway
#[derive(Debug, clap::Args)]
pub struct Status {
    #[command(flatten)]
    site: SiteFile,
    #[command(flatten)]
    output: Output,
}

/// Observes and prints.
///
/// # Errors
/// What kept the systems from being read.
pub fn run(arguments: &Status, screen: &mut Screen) -> Result<Exit, Failure> {
    let site = opened::load(&arguments.site.file)?;
    let opened = block_on(async {
        opened::open(site, &environment, Arc::new(TokioClock::real()), screen).await
    })?;
    let report = status(&opened.site, &opened.snapshot);
    if arguments.output.format == Format::Table {
        print(&report, screen);
    } else {
        screen.document(arguments.output.format, &report)?;
    }
    Ok(Exit::Done)
}

/// Prints the machines, the clusters and how far the site is from what is declared.
pub fn print(report: &Report, screen: &mut Screen) {
    let rows = report.machines.iter().map(|row| {
        let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let address =
            |value: Option<std::net::Ipv4Addr>| text(value.map(|value| value.to_string()));
        vec![
            row.machine.clone(),
            text(row.vmid.map(|vmid| vmid.to_string())),
            text(row.node.clone()),
            text(row.mac.clone()),
            address(row.reserved),
            address(row.address),
            if row.gpus.is_empty() {
                "-".to_owned()
            } else {
                row.gpus.join(",")
            },
            row.stage.clone(),
        ]
    });
    screen.print(&table(
        &[
            "machine", "vm", "node", "mac", "reserved", "address", "gpu", "stage",
        ],
        rows,
    ));
    for cluster in &report.clusters {
        screen.print(&cluster_line(cluster));
    }
    if report.pending_changes > 0 {
        screen.print(&format!(
            "{} changes pending: see `omni-bootstrap plan`",
            report.pending_changes
        ));
    }
}

fn cluster_line(cluster: &bootstrap_core::status::ClusterRow) -> String {
    let yes = |value: bool| if value { "healthy" } else { "not healthy" };
    let ready = match (cluster.ready, cluster.waits_for_cni) {
        (true, _) => "ready",
        (false, true) => "not ready: its nodes wait for a CNI, which the template leaves to you",
        (false, false) => "not ready",
    };
    format!(
        "cluster {}: {}/{} machines, etcd {}, Kubernetes API {}, {ready}",
        cluster.cluster,
        cluster.machines,
        cluster.wanted,
        yes(cluster.etcd),
        yes(cluster.kubernetes_api),
    )
}
