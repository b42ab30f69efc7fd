//! A whole site on loopback: Omni, its Proxmox infra provider, Proxmox VE, a UniFi gateway, and VMs that boot.
//!
//! One [`World`] is a pure state machine over a clock that is handed in. It has two doors: in
//! memory ([`in_memory`], the engine's ports) and over HTTPS on loopback ([`door`], what the real systems speak).

pub mod blueprint;
pub mod derive;
pub mod door;
mod error;
pub mod in_memory;
mod keys;
pub mod log;
pub mod report;
pub mod world;

pub use blueprint::{Blueprint, Faults};
pub use door::Doors;
pub use error::Error;
pub use keys::Credentials;
pub use world::World;
