//! Address reservations of a UniFi gateway.

use std::process::ExitCode;

use bins::args::Common;
use bins::run;
use bins::unifi::Unifi;
use bins::verbs::reservation::{conflicts, ensure, list, release};
use clap::{Parser, Subcommand};

/// Keep address reservations of a UniFi gateway
///
/// The gateway is found by UNIFI_API and UNIFI_API_KEY (or UNIFI_USERNAME and UNIFI_PASSWORD), by flags, or by the
/// `unifi` section of a site file.
#[derive(Debug, Parser)]
#[command(name = "unifi-reservation", version, arg_required_else_help = true)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    unifi: Unifi,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(list::List),
    Ensure(ensure::Ensure),
    Release(release::Release),
    Conflicts(conflicts::Conflicts),
}

fn main() -> ExitCode {
    run::main(
        |arguments: &Arguments| &arguments.common,
        |arguments, screen| match &arguments.verb {
            Verb::List(list) => list::run(list, &arguments.unifi, screen),
            Verb::Ensure(ensure) => ensure::run(ensure, &arguments.unifi, screen),
            Verb::Release(release) => release::run(release, &arguments.unifi, screen),
            Verb::Conflicts(conflicts) => conflicts::run(conflicts, &arguments.unifi, screen),
        },
    )
}
