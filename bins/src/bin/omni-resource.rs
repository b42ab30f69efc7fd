//! Omni's resources, as `omnictl apply`, `get` and `delete` handle them.

use std::process::ExitCode;

use bins::args::Common;
use bins::compat::Compat;
use bins::omni::Omni;
use bins::run;
use bins::verbs::resource::{self, Session};
use clap::{Parser, Subcommand};

/// Write, read and delete Omni's resources
///
/// Omni is found by OMNI_ENDPOINT and OMNI_SERVICE_ACCOUNT_KEY, by flags, or by the `omni` section of a site file.
#[derive(Debug, Parser)]
#[command(name = "omni-resource", version, arg_required_else_help = true)]
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
    Apply(resource::apply::Apply),
    #[command(visible_alias = "g")]
    Get(resource::get::Get),
    #[command(visible_alias = "d")]
    Delete(resource::delete::Delete),
}

fn main() -> ExitCode {
    run::main(
        |arguments: &Arguments| &arguments.common,
        |arguments, screen| {
            let session = Session {
                omni: &arguments.omni,
                compat: arguments.compat.compat,
                verbose: arguments.common.verbose > 0,
            };
            match &arguments.verb {
                Verb::Apply(apply) => resource::apply::run(apply, &session, screen),
                Verb::Get(get) => resource::get::run(get, &session, screen),
                Verb::Delete(delete) => resource::delete::run(delete, &session, screen),
            }
        },
    )
}
