//! `diff`: what a sync would change.

use bootstrap_core::plan::{Plan, Rules};

use super::planned::{plans, print_diffs};
use super::{Source, exact};
use crate::args::{Format, Output};
use crate::compat::Compat;
use crate::omni::Omni;
use crate::opened;
use crate::output::{Screen, diff::Shown};
use crate::run::{Exit, Failure, block_on};

/// Show what `sync` would change
///
/// Ends with code 0 when there is nothing to do and 2 when there are changes, as `diff` and `terraform plan` do.
/// Compared is the meaning: a patch whose YAML is only formatted otherwise is unchanged.
#[derive(Debug, clap::Args)]
pub struct Diff {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    choice: Choice,
}

/// What belongs to the template.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct Choice {
    /// Also delete patches, extension lists, manifests and health checks that carry the cluster's label and that no
    /// template makes under their id
    #[arg(long)]
    pub prune: bool,
    /// Show values that may be secret, such as tokens and keys in patches
    #[arg(long)]
    pub show_secrets: bool,
}

impl Choice {
    pub(super) fn rules(self) -> Rules {
        Rules {
            prune: self.prune,
            exact: false,
        }
    }
}

/// Compares and prints.
///
/// # Errors
/// What is wrong with the template, or kept Omni from being read.
pub fn run(
    arguments: &Diff,
    omni: &Omni,
    compat: Compat,
    screen: &mut Screen,
) -> Result<Exit, Failure> {
    if compat.compat {
        return block_on(exact::diff(&arguments.source, omni, screen));
    }
    let clusters = arguments.source.clusters()?;
    let plans = block_on(async {
        let connected = omni.connect(false, screen).await?;
        plans(
            &clusters,
            connected.ports.omni.as_ref(),
            arguments.choice.rules(),
        )
        .await
    })?;
    if arguments.output.format == Format::Table {
        for plan in &plans {
            print_diffs(plan, Shown::of(arguments.choice.show_secrets), screen);
        }
    } else {
        let shown: Vec<Plan> = plans.iter().map(Plan::redacted).collect();
        screen.document(arguments.output.format, &shown)?;
    }
    let mut exit = Exit::Done;
    for plan in &plans {
        if let Some(refused) = opened::refused(plan, screen) {
            exit = exit.worst(refused);
        } else if !plan.is_empty() {
            exit = exit.worst(Exit::Pending);
        }
    }
    Ok(exit)
}
