//! DNS records of a UniFi gateway.

use std::process::ExitCode;

use bins::args::Common;
use bins::run;
use bins::unifi::Unifi;
use bins::verbs::dns;
use clap::{Parser, Subcommand};

/// Keep DNS records of a UniFi gateway
///
/// The gateway is found by UNIFI_API and UNIFI_API_KEY (or UNIFI_USERNAME and UNIFI_PASSWORD), by flags, or by the
/// `unifi` section of a site file.
#[derive(Debug, Parser)]
#[command(name = "unifi-dns", version, arg_required_else_help = true)]
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
    List(dns::list::List),
    Ensure(dns::ensure::Ensure),
    Remove(dns::remove::Remove),
}

fn main() -> ExitCode {
    run::main(
        |arguments: &Arguments| &arguments.common,
        |arguments, screen| match &arguments.verb {
            Verb::List(list) => dns::list::run(list, &arguments.unifi, screen),
            Verb::Ensure(ensure) => dns::ensure::run(ensure, &arguments.unifi, screen),
            Verb::Remove(remove) => dns::remove::run(remove, &arguments.unifi, screen),
        },
    )
}
