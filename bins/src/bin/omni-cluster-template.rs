//! Cluster templates, as `omnictl cluster template` handles them.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bins::args::Common;
use bins::output::Screen;
use bins::run::{self, Exit, Failure};
use bootstrap_core::template::{self, LoadOptions};
use clap::{Args, Parser, Subcommand};

/// Work with Omni cluster templates
#[derive(Debug, Parser)]
#[command(name = "omni-cluster-template", version, arg_required_else_help = true)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Render(Render),
}

/// Print the resources a template stands for, without talking to Omni
#[derive(Debug, Args)]
struct Render {
    /// The cluster template; `-` reads standard input
    #[arg(short = 'f', long, value_name = "FILE")]
    file: PathBuf,
    /// Write to this file instead of standard output
    #[arg(short = 'o', long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Files outside this directory are not read; relative to the template's directory
    #[arg(long, value_name = "DIR", default_value = "./")]
    allowed_dir: PathBuf,
}

fn render(arguments: &Render, screen: &mut Screen) -> Result<Exit, Failure> {
    let failed = |findings| Failure::findings(Exit::Error, findings);
    let io_failed = |error: &std::io::Error| Failure::new(Exit::Error, error, None);
    let mut options = LoadOptions {
        allowed_dir: Some(arguments.allowed_dir.clone()),
        text: None,
    };
    if arguments.file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| io_failed(&error))?;
        options.text = Some(text);
    }
    let template = template::load_with(&arguments.file, &options).map_err(failed)?;
    let findings = template.validate();
    if !findings.is_empty() {
        return Err(failed(findings));
    }
    let created = jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string();
    let text = template::render(&template.translate().map_err(failed)?, &created);
    match &arguments.output {
        Some(path) => std::fs::write(path, text).map_err(|error| io_failed(&error))?,
        None => screen.print(&text),
    }
    Ok(Exit::Done)
}

fn main() -> ExitCode {
    run::main(
        |arguments: &Arguments| &arguments.common,
        |arguments, screen| match arguments.verb {
            Verb::Render(arguments) => render(&arguments, screen),
        },
    )
}
