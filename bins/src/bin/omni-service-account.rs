//! Omni's service accounts, as `omnictl serviceaccount` handles them.

use std::process::ExitCode;

use bins::args::Common;
use bins::omni::Omni;
use bins::run;
use bins::verbs::service_account::{create, destroy, list, renew};
use clap::{Parser, Subcommand};

/// Make, list, renew and destroy Omni's service accounts, infra providers' too
///
/// Needs the key of an account of the role Admin. Omni is found by OMNI_ENDPOINT and OMNI_SERVICE_ACCOUNT_KEY, by
/// flags, or by the `omni` section of a site file.
#[derive(Debug, Parser)]
#[command(name = "omni-service-account", version, arg_required_else_help = true)]
#[command(mut_arg("site", |site| site.short('f')))]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    omni: Omni,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    #[command(visible_alias = "c")]
    Create(create::Create),
    #[command(visible_alias = "l")]
    List(list::List),
    #[command(visible_alias = "r")]
    Renew(renew::Renew),
    #[command(visible_alias = "d")]
    Destroy(destroy::Destroy),
}

fn main() -> ExitCode {
    run::main(
        |arguments: &Arguments| &arguments.common,
        |arguments, screen| match &arguments.verb {
            Verb::Create(create) => create::run(create, &arguments.omni, screen),
            Verb::List(list) => list::run(list, &arguments.omni, screen),
            Verb::Renew(renew) => renew::run(renew, &arguments.omni, screen),
            Verb::Destroy(destroy) => destroy::run(destroy, &arguments.omni, screen),
        },
    )
}
