//! Argument groups that several verbs and binaries have in common.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

/// Options of every verb.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Say more; twice for the calls made, three times for everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Say only what is wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// When to use colour; `NO_COLOR` turns it off as well
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    pub color: Color,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Color {
    /// On terminals
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The site file.
#[derive(Debug, Clone, Args)]
pub struct SiteFile {
    /// The site file
    #[arg(
        short = 'f',
        long,
        value_name = "FILE",
        default_value = "bootstrap.yaml"
    )]
    pub file: PathBuf,
}

/// The form of what is printed.
#[derive(Debug, Clone, Copy, Args)]
pub struct Output {
    /// The form of the output
    #[arg(
        short = 'o',
        long = "output",
        value_enum,
        value_name = "FORM",
        default_value_t
    )]
    pub format: Format,
}

/// For people or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Table,
    /// One JSON document
    Json,
    /// YAML
    Yaml,
}

/// A time as `30s`, `45m` or `1h30m`.
///
/// # Errors
/// The text is none.
pub fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = text
        .parse()
        .map_err(|_| "not a duration: write 30s, 45m or 2h".to_owned())?;
    Duration::try_from(span).map_err(|_| "a duration cannot be negative".to_owned())
}
