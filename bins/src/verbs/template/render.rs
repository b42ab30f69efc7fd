//! `render`: the resources a template stands for.

use std::path::PathBuf;

use bootstrap_core::template;

use super::Source;
use crate::compat::Compat;
use crate::output::Screen;
use crate::run::{Exit, Failure};

/// Print the resources a template stands for, without talking to Omni
#[derive(Debug, clap::Args)]
pub struct Render {
    #[command(flatten)]
    source: Source,
    /// Write to this file instead of standard output
    #[arg(short = 'o', long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Renders.
///
/// # Errors
/// What is wrong with the template.
pub fn run(arguments: &Render, compat: Compat, screen: &mut Screen) -> Result<Exit, Failure> {
    let clusters = if compat.compat {
        arguments.source.clusters_as_omnictl("rendering")?
    } else {
        arguments.source.clusters()?
    };
    let created = now();
    let texts: Vec<String> = clusters
        .iter()
        .map(|cluster| template::render(&cluster.resources, &created))
        .collect();
    let text = texts.join("---\n");
    match &arguments.output {
        Some(path) => {
            std::fs::write(path, text).map_err(|error| {
                Failure::message(
                    Exit::Error,
                    format!("{} cannot be written: {error}", path.display()),
                )
            })?;
        }
        None => screen.print(&text),
    }
    Ok(Exit::Done)
}

/// The time as resources carry it.
pub(super) fn now() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}
