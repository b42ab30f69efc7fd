//! Cluster templates, as `omnictl cluster template` handles them.

use std::process::ExitCode;

use bins::args::Common;
use bins::compat::Compat;
use bins::omni::Omni;
use bins::run;
use bins::verbs::template;
use clap::{Parser, Subcommand};

/// Cluster templates: the same files as `omnictl cluster template` takes, and the same resources byte for byte
#[derive(Debug, Parser)]
#[command(name = "omni-cluster-template", version, arg_required_else_help = true, after_help = template::EXAMPLES)]
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
    Validate(template::validate::Validate),
    Diff(template::diff::Diff),
    Sync(template::sync::Sync),
    Delete(template::delete::Delete),
    Status(template::status::Status),
    Export(template::export::Export),
}

fn main() -> ExitCode {
    run::main(
        |arguments: &Arguments| &arguments.common,
        |arguments, screen| {
            let (omni, compat) = (&arguments.omni, arguments.compat);
            let verbose = arguments.common.verbose > 0;
            match &arguments.verb {
                Verb::Render(verb) => template::render::run(verb, compat, screen),
                Verb::Validate(verb) => template::validate::run(verb, omni, compat, screen),
                Verb::Diff(verb) => template::diff::run(verb, omni, compat, screen),
                Verb::Sync(verb) => template::sync::run(verb, omni, compat, verbose, screen),
                Verb::Delete(verb) => template::delete::run(verb, omni, compat, verbose, screen),
                Verb::Status(verb) => template::status::run(verb, omni, compat, screen),
                Verb::Export(verb) => template::export::run(verb, omni, compat, screen),
            }
        },
    )
}
