//! Typed client for Proxmox VE (contract stage).
mod model;
pub use model::*;
