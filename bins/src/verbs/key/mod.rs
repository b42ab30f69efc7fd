//! `key`: the keys that Omni is called with, a service account's and a person's.

mod login;
mod renew;

use crate::output::Screen;
use crate::run::{Exit, Failure};

/// The keys that Omni is called with
#[derive(Debug, clap::Args)]
pub struct Key {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Renew(renew::Renew),
    Login(Box<login::Login>),
}

/// Renews a key or makes one.
///
/// # Errors
/// What was wrong, or what Omni said.
pub fn run(arguments: &Key, screen: &mut Screen) -> Result<Exit, Failure> {
    match &arguments.verb {
        Verb::Renew(renew) => renew::run(renew, screen),
        Verb::Login(login) => login::run(login, screen),
    }
}
