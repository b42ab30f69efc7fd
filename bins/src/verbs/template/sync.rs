//! `sync`: a cluster made to be as its template says.

use std::time::Duration;

use bootstrap_core::apply::SIDE_BY_SIDE;
use bootstrap_core::diagnostic::Diagnostic;
use bootstrap_core::plan::Plan;
use bootstrap_core::site::ClusterIntent;

use super::diff::Choice;
use super::planned::{plan_of, plans, print_changes, print_diffs};
use super::written::{Run, carry_out};
use super::{Source, exact};
use crate::args::{Format, Output, duration};
use crate::compat::Compat;
use crate::omni::Omni;
use crate::opened;
use crate::output::{Screen, diff::Shown};
use crate::run::{Exit, Failure, block_on};
use crate::signals;

/// Make clusters as their templates say
///
/// Everything that can be foreseen is checked before the first write. Then resources are made, changed and removed,
/// side by side within a type, in the order in which they depend on each other. A failure in the middle tells what was
/// done and what was not; running it again completes it.
#[derive(Debug, clap::Args)]
pub struct Sync {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    choice: Choice,
    /// Only show what would be done; -v shows the diffs
    #[arg(short = 'd', long)]
    dry_run: bool,
    /// How long it may take, e.g. 45m; removed machines are waited for
    #[arg(long, value_name = "TIME", default_value = "45m", value_parser = duration)]
    timeout: Duration,
    /// Resources written at once
    #[arg(long, value_name = "N", default_value_t = SIDE_BY_SIDE, hide = true)]
    at_once: usize,
}

/// Syncs.
///
/// # Errors
/// What is wrong with the templates, or kept Omni from being read: nothing was written.
pub fn run(
    arguments: &Sync,
    omni: &Omni,
    compat: Compat,
    verbose: bool,
    screen: &mut Screen,
) -> Result<Exit, Failure> {
    if compat.compat {
        let how = exact::How {
            verbose,
            dry_run: arguments.dry_run,
        };
        return block_on(exact::sync(&arguments.source, omni, how, screen));
    }
    let clusters = arguments.source.clusters()?;
    block_on(async {
        let connected = omni.connect(false, screen).await?;
        let port = connected.ports.omni.as_ref();
        let stop = signals::listen();
        let plans = plans(&clusters, port, arguments.choice.rules()).await?;
        if let Some(exit) = show(&plans, arguments, verbose, screen)? {
            return Ok(exit);
        }
        let run = Run {
            ports: &connected.ports,
            stop: &stop,
            timeout: arguments.timeout,
            at_once: arguments.at_once,
            format: arguments.output.format,
        };
        let mut exit = Exit::Done;
        for (cluster, plan) in clusters.iter().zip(&plans) {
            if plan.is_empty() {
                continue;
            }
            let own = carry_out(&run, plan, screen).await?;
            exit = exit.worst(own);
            if own == Exit::Done {
                exit = exit.worst(look_again(&run, cluster, arguments, screen).await?);
            }
        }
        Ok(exit)
    })
}

/// Prints the plans; the exit code where that is all.
fn show(
    plans: &[Plan],
    arguments: &Sync,
    verbose: bool,
    screen: &mut Screen,
) -> Result<Option<Exit>, Failure> {
    let is_blocked = plans.iter().any(Plan::is_blocked);
    let is_asked_for = !screen.quiet || arguments.dry_run;
    if arguments.output.format == Format::Table {
        // A plan that cannot be carried out would only hide why.
        for plan in plans.iter().filter(|_| is_asked_for && !is_blocked) {
            if verbose {
                print_diffs(plan, Shown::of(arguments.choice.show_secrets), screen);
            } else {
                print_changes(plan, screen);
            }
        }
    } else if arguments.dry_run {
        let shown: Vec<Plan> = plans.iter().map(Plan::redacted).collect();
        screen.document(arguments.output.format, &shown)?;
    }
    let refused = plans
        .iter()
        .filter_map(|plan| opened::refused(plan, screen))
        .reduce(Exit::worst);
    if refused.is_some() {
        screen.note("nothing was written");
        return Ok(refused);
    }
    Ok(arguments.dry_run.then_some(Exit::Done))
}

/// Whether Omni has it now as the template says.
async fn look_again(
    run: &Run<'_>,
    cluster: &ClusterIntent,
    arguments: &Sync,
    screen: &mut Screen,
) -> Result<Exit, Failure> {
    let omni = run.ports.omni.as_ref();
    let left = plan_of(cluster, omni, arguments.choice.rules(), false).await?;
    if left.is_empty() {
        return Ok(Exit::Done);
    }
    screen.findings(&[Diagnostic::error(format!(
        "{} is not as its template says: somebody else changes it at the same time",
        cluster.name
    ))
    .hint("`omni-cluster-template diff` shows what differs; run it again")]);
    Ok(Exit::Error)
}
