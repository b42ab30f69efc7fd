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
    Status(template::status::Status),
    Export(template::export::Export),
}

fn main() -> ExitCode {
    run::main(
        |arguments: &Arguments| &arguments.common,
        |arguments, screen| {
            let Arguments { compat, omni, .. } = arguments;
            match &arguments.verb {
                Verb::Render(render) => template::render::run(render, compat, screen),
                Verb::Status(status) => template::status::run(status, &omni, compat, screen),
                Verb::Export(export) => template::export::run(export, &omni, compat, screen),
            }
        },
    )
}
