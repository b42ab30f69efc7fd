//! The verbs of `omni-cluster-template`.

use bootstrap_core::diagnostic::Diagnostic;
use bootstrap_core::ports::PortError;

use crate::run::{Exit, Failure};

pub mod delete;
pub mod diff;
mod exact;
pub mod render;
mod source;
pub mod sync;
pub mod validate;
mod written;

pub use source::Source;

/// A failed read, before anything was written.
fn port_failure(error: &PortError) -> Failure {
    let finding = Diagnostic {
        hint: error.hint.clone(),
        ..Diagnostic::error(error.to_string())
    };
    Failure::findings(Exit::Refused, vec![finding])
}
