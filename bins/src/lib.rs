//! What the binaries share: arguments, the main wrapper and output. The work is in `bootstrap-core`.

pub mod args;
pub mod compat;
pub mod contexts;
pub mod lock;
pub mod notices;
pub mod omni;
pub mod opened;
pub mod output;
pub mod private;
pub mod progress;
pub mod proxmox;
pub mod run;
pub mod signals;
pub mod unifi;
pub mod verbs;
