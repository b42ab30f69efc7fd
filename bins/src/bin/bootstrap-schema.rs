//! JSON schemas of the files that people write, for editors.

use std::process::ExitCode;

use bins::args::Common;
use bins::run;
use bins::verbs::schema::{self, Subject};
use clap::Parser;

/// Print JSON schemas of the files that people write, for editors
///
/// Most editors read a schema where a file's first line names it:
/// `# yaml-language-server: $schema=bootstrap.schema.json`. Nothing is asked of any server.
#[derive(Debug, Parser)]
#[command(name = "bootstrap-schema", version, arg_required_else_help = true)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    subject: Subject,
}

fn main() -> ExitCode {
    run::main(
        |arguments: &Arguments| &arguments.common,
        |arguments, screen| schema::run(&arguments.subject, screen),
    )
}
