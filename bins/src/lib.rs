//! What the binaries share: arguments, the main wrapper and output. The work is in `bootstrap-core`.

pub mod args;
pub mod output;
pub mod run;
pub mod verbs;
pub mod lock;
pub mod opened;
pub mod progress;
pub mod signals;
