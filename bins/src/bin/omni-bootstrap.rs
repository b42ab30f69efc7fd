//! From one file to a running Talos cluster.

use std::process::ExitCode;

use bins::args::Common;
use bins::{run, verbs};
use clap::{Parser, Subcommand};

/// From one file to running Talos clusters: Omni, Proxmox and UniFi kept in step
#[derive(Debug, Parser)]
#[command(name = "omni-bootstrap", version, arg_required_else_help = true)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Validate(verbs::validate::Validate),
    Plan(verbs::plan::Plan),
    Apply(verbs::apply::Apply),
    Status(verbs::status::Status),
    Rehearse(verbs::rehearse::Rehearse),
    Key(verbs::key::Key),
}

fn main() -> ExitCode {
    run::main(
        |arguments: &Arguments| &arguments.common,
        |arguments, screen| match arguments.verb {
            Verb::Validate(validate) => verbs::validate::run(&validate, screen),
            Verb::Plan(plan) => verbs::plan::run(&plan, screen),
            Verb::Apply(apply) => verbs::apply::run(&apply, screen),
            Verb::Status(status) => verbs::status::run(&status, screen),
            Verb::Rehearse(rehearse) => verbs::rehearse::run(rehearse, screen),
            Verb::Key(key) => verbs::key::run(&key, screen),
        },
    )
}
