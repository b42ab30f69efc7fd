//! `status`: the state of a template's cluster, and waiting until it is healthy.

mod view;

use std::path::PathBuf;
use std::time::Duration;

use bootstrap_core::cluster_status::{Ended, Follow, Report, follow};
use bootstrap_core::template::go_duration;

use self::view::View;
use super::Source;
use crate::args::{Format, Output};
use crate::compat::{self, Compat, failed_call};
use crate::omni::Omni;
use crate::output::Screen;
use crate::run::{Exit, Failure, block_on};
use crate::signals;

const HELP: &str = "\
Shows the cluster as a tree: upgrades, machine sets, machines, machines that a provider is still making, and what all \
of it waits for. On a terminal the tree is redrawn as it changes, elsewhere a line is printed for each change.

By default it waits five minutes for the cluster to be healthy, which means: the cluster is RUNNING and ready, each of \
its machine sets is Running and ready, and no upgrade is under way.

Ends with 0 when the cluster is healthy, else with 1.

Providers report no errors to Omni. A machine request that has not moved for a while is marked; why it does not is \
only in the provider's log and in Proxmox's task list.

Examples:
  omni-cluster-template status -f cluster.yaml              wait up to five minutes
  omni-cluster-template status --cluster home --wait 0      look once
  omni-cluster-template status -f cluster.yaml -q -w 30m && deploy
  omni-cluster-template status --cluster home -w 0 -o json";

/// Show a cluster and wait until it is healthy
#[derive(Debug, clap::Args)]
#[command(long_about = HELP)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub struct Status {
    /// The cluster template; `-` reads standard input
    #[arg(short = 'f', long, value_name = "FILE", group = "which")]
    file: Option<PathBuf>,
    /// Files outside this directory are not read; relative to the template's directory
    #[arg(long, value_name = "DIR", default_value = "./")]
    allowed_dir: PathBuf,
    /// The cluster by its name, without a template
    #[arg(short = 'c', long, value_name = "NAME", group = "which", value_parser = cluster_name)]
    cluster: Option<String>,
    /// Wait so long for the cluster to be healthy, for example 90s or 1h30m; 0: look once
    #[arg(short = 'w', long, value_name = "DURATION", default_value = "5m", value_parser = wait)]
    wait: Wait,
    #[command(flatten)]
    output: Output,
}

/// How long, and as it was written.
#[derive(Debug, Clone)]
struct Wait {
    time: Duration,
    written: String,
}

/// Shows, and waits.
///
/// # Errors
/// The cluster is not healthy (in time), or could not be looked at.
pub fn run(
    arguments: &Status,
    omni: &Omni,
    compat: Compat,
    screen: &mut Screen,
) -> Result<Exit, Failure> {
    let cluster = which(arguments, compat)?;
    let quiet = screen.quiet;
    let shown = !quiet && arguments.output.format == Format::Table;
    let mut view = if shown {
        View::new(screen, compat.compat)
    } else {
        View::silent()
    };
    let (ended, report, interrupted) = block_on(async {
        let stop = signals::listen();
        let connected = omni.connect(compat.compat, screen).await?;
        let wanted = Follow {
            cluster: &cluster,
            wait: arguments.wait.time,
            healthy: if compat.compat {
                Report::healthy_for_omnictl
            } else {
                |report| report.healthy
            },
            stop: stop.asked.clone(),
        };
        let followed = follow(&connected.ports, &wanted, |seen| view.show(seen, screen)).await;
        let (ended, report) =
            followed.map_err(|error| failed_call(&error, Exit::Error, compat.compat))?;
        Ok((ended, report, stop.exit()))
    })?;
    view.end(screen);
    if !quiet && arguments.output.format != Format::Table {
        screen.document(arguments.output.format, &report)?;
    }
    match ended {
        Ended::Healthy => Ok(Exit::Done),
        Ended::Stopped => Ok(interrupted),
        Ended::Unhealthy | Ended::TimedOut if compat.compat => {
            Err(compat::failure(if ended == Ended::TimedOut {
                "context deadline exceeded"
            } else {
                "cluster is not healthy"
            }))
        }
        Ended::TimedOut => {
            let after = format!(
                "after {} cluster {cluster} is still not healthy",
                arguments.wait.written
            );
            Err(unhealthy(&after, report.as_ref(), "--wait waits longer"))
        }
        Ended::Unhealthy => {
            let state = format!("cluster {cluster} is not healthy");
            // The tree has said for what.
            let report = report.as_ref().filter(|_| !shown);
            Err(unhealthy(&state, report, "--wait 5m waits for it"))
        }
    }
}

fn unhealthy(state: &str, report: Option<&Report>, hint: &str) -> Failure {
    let message = match report {
        Some(report) => format!("{state}, waiting for {}", report.waiting_for.join("; ")),
        None => state.to_owned(),
    };
    Failure::advised(Exit::Error, message, hint)
}

fn which(arguments: &Status, compat: Compat) -> Result<String, Failure> {
    match (&arguments.file, &arguments.cluster) {
        (Some(file), _) => {
            let source = Source {
                file: file.clone(),
                allowed_dir: arguments.allowed_dir.clone(),
            };
            source.cluster_name(compat.compat)
        }
        (None, cluster) => Ok(cluster.clone().unwrap_or_default()),
    }
}

/// A duration as Go reads it. omnictl takes a negative one for zero.
fn wait(text: &str) -> Result<Wait, String> {
    let nanoseconds = go_duration(text)
        .ok_or("no duration: write it like 30s, 5m or 1h30m, or 0 to look once")?;
    Ok(Wait {
        time: Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or_default()),
        written: text.to_owned(),
    })
}

/// The name goes into label selectors, where a comma would mean something.
pub(super) fn cluster_name(text: &str) -> Result<String, String> {
    let fits = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    if !text.is_empty() && text.chars().all(fits) {
        Ok(text.to_owned())
    } else {
        Err("a cluster's name has only letters, digits, dashes and underscores".to_owned())
    }
}
