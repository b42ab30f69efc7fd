//! `delete`: a cluster and everything of it.

use std::path::PathBuf;
use std::time::Duration;

use bootstrap_core::apply::SIDE_BY_SIDE;
use bootstrap_core::observe::observe_removal;
use bootstrap_core::plan::cluster_removal;

use super::planned::print_changes;
use super::written::{Run, carry_out};
use super::{Source, exact};
use crate::args::{Format, Output, duration};
use crate::compat::{Compat, failed_call};
use crate::omni::Omni;
use crate::opened;
use crate::output::Screen;
use crate::run::{Exit, Failure, block_on};
use crate::signals;

/// Delete a cluster: its machine sets, machines, patches and everything else of it
///
/// Machines that a provider made are destroyed, others are wiped and stay with Omni. A cluster that is not there is
/// deleted already.
#[derive(Debug, clap::Args)]
pub struct Delete {
    /// The cluster template; `-` reads standard input
    #[arg(
        short = 'f',
        long,
        value_name = "FILE",
        required_unless_present = "cluster"
    )]
    file: Option<PathBuf>,
    /// The cluster's name, where there is no template
    #[arg(short = 'c', long, value_name = "NAME", conflicts_with = "file")]
    cluster: Option<String>,
    /// Files outside this directory are not read; relative to the template's directory
    #[arg(long, value_name = "DIR", default_value = "./")]
    allowed_dir: PathBuf,
    /// Also remove machines of it that are away, without wiping them: they cannot answer
    #[arg(long)]
    destroy_disconnected_machines: bool,
    /// Only show what would be done
    #[arg(short = 'd', long)]
    dry_run: bool,
    /// How long it may take, e.g. 45m
    #[arg(long, value_name = "TIME", default_value = "45m", value_parser = duration)]
    timeout: Duration,
    #[command(flatten)]
    output: Output,
}

/// Deletes.
///
/// # Errors
/// What is wrong with the template, or kept Omni from being read: nothing was deleted.
pub fn run(
    arguments: &Delete,
    omni: &Omni,
    compat: Compat,
    verbose: bool,
    screen: &mut Screen,
) -> Result<Exit, Failure> {
    let names = names(arguments, compat.compat)?;
    block_on(async {
        let connected = omni.connect(compat.compat, screen).await?;
        let stop = signals::listen();
        let run = Run {
            ports: &connected.ports,
            stop: &stop,
            timeout: arguments.timeout,
            at_once: SIDE_BY_SIDE,
            format: arguments.output.format,
        };
        let mut exit = Exit::Done;
        for name in names {
            exit = exit.worst(delete(&name, arguments, compat, verbose, &run, screen).await?);
        }
        Ok(exit)
    })
}

fn names(arguments: &Delete, compat: bool) -> Result<Vec<String>, Failure> {
    if let Some(name) = &arguments.cluster {
        return Ok(vec![name.clone()]);
    }
    let source = Source {
        file: arguments.file.clone().unwrap_or_default(),
        allowed_dir: arguments.allowed_dir.clone(),
    };
    let templates = source.load(compat)?;
    Ok(templates
        .iter()
        .map(|template| template.cluster_name().to_owned())
        .collect())
}

async fn delete(
    name: &str,
    arguments: &Delete,
    compat: Compat,
    verbose: bool,
    run: &Run<'_>,
    screen: &mut Screen,
) -> Result<Exit, Failure> {
    let away_too = arguments.destroy_disconnected_machines;
    let (view, before) = observe_removal(name, run.ports.omni.as_ref(), away_too)
        .await
        .map_err(|error| failed_call(&error, Exit::Refused, compat.compat))?;
    let plan = cluster_removal(name, &view, &before);
    if compat.compat {
        let how = exact::How {
            verbose,
            dry_run: arguments.dry_run,
        };
        return exact::carry_out(&plan, run.ports, how, screen).await;
    }
    if arguments.output.format == Format::Table {
        if !screen.quiet || arguments.dry_run {
            print_changes(&plan, screen);
        }
    } else if arguments.dry_run {
        screen.document(arguments.output.format, &plan.redacted())?;
    }
    if let Some(exit) = opened::refused(&plan, screen) {
        screen.note("nothing was deleted");
        return Ok(exit);
    }
    if arguments.dry_run || plan.is_empty() {
        return Ok(Exit::Done);
    }
    carry_out(run, &plan, screen).await
}
