//! Cluster templates, as `omnictl cluster template` handles them.

use std::process::ExitCode;

use bins::args::Common;
use bins::compat::Compat;
use bins::omni::Omni;
use bins::run;
use bins::verbs::template;
use clap::{Parser, Subcommand};

/// Work with Omni cluster templates
#[derive(Debug, Parser)]
#[command(name = "omni-cluster-template", version, arg_required_else_help = true)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    compat: Compat,
    #[command(flatten)]
    omni: Omni,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Render(template::render::Render),
}

fn main() -> ExitCode {
    run::main(
        |arguments: &Arguments| &arguments.common,
        |arguments, screen| match &arguments.verb {
            Verb::Render(render) => template::render::run(render, arguments.compat, screen),
        },
    )
}
