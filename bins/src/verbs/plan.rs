//! `plan`: what `apply` would do.

use std::sync::Arc;

use api_transport::TokioClock;
use bootstrap_core::plan::render;

use crate::args::{Format, Output, SiteFile};
use crate::opened;
use crate::output::Screen;
use crate::run::{Exit, Failure, block_on, environment};

/// Show what `apply` would do, and why
///
/// Reads the site file and asks Omni, Proxmox and the gateway how things are. Nothing is written anywhere.
#[derive(Debug, clap::Args)]
pub struct Plan {
    #[command(flatten)]
    site: SiteFile,
    #[command(flatten)]
    output: Output,
    /// End with code 2 when there are changes, as `terraform plan` does
    #[arg(long)]
    detailed_exitcode: bool,
}

/// Plans and prints.
///
/// # Errors
/// What kept the plan from being made.
pub fn run(arguments: &Plan, screen: &mut Screen) -> Result<Exit, Failure> {
    let site = opened::load(&arguments.site.file)?;
    let opened = block_on(async {
        opened::open(site, &environment, Arc::new(TokioClock::real()), screen).await
    })?;
    let plan = &opened.plan;
    if arguments.output.format == Format::Table {
        screen.print(&render(plan));
    } else {
        screen.document(arguments.output.format, &plan.redacted())?;
    }
    if let Some(exit) = opened::refused(plan, screen) {
        return Ok(exit);
    }
    Ok(if arguments.detailed_exitcode && !plan.is_empty() {
        Exit::Pending
    } else {
        Exit::Done
    })
}
