//! `--compat`: output, errors and exit codes as `omnictl` has them.

use bootstrap_core::diagnostic::Diagnostic;
use bootstrap_core::ports::PortError;

use crate::run::{Exit, Failure};

/// Behave as omnictl.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct Compat {
    /// Behave exactly as omnictl: what it prints, what it deletes, its exit codes
    #[arg(long, global = true)]
    pub compat: bool,
}

/// An error as omnictl ends with it: `Error: TEXT` and code 1.
pub fn failure(text: impl Into<String>) -> Failure {
    Failure {
        exit: Exit::Error,
        findings: Vec::new(),
        compat: Some(text.into()),
    }
}

/// Findings, a line each, where omnictl has words of its own for none of them.
pub fn findings(findings: &[Diagnostic]) -> Failure {
    let texts: Vec<&str> = findings
        .iter()
        .map(|finding| finding.message.as_str())
        .collect();
    failure(texts.join("\n"))
}

/// A failed call, with its next step; with `compat` in omnictl's words and with its code.
pub fn failed_call(error: &PortError, exit: Exit, compat: bool) -> Failure {
    if compat {
        return failure(port_error(error));
    }
    Failure::findings(exit, vec![error.into()])
}

/// A failed call in omnictl's words.
pub fn port_error(error: &PortError) -> String {
    error.said.clone().unwrap_or_else(|| error.message.clone())
}
