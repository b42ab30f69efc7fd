//! Typed client for Proxmox VE (contract stage).
#![deny(missing_docs)]

mod classify;
mod client;
mod cluster;
mod config;
mod error;
mod hostpci;
mod mapping;
mod model;
mod pci;
mod property;
mod request;
mod tasks;
mod token;
mod upid;
mod vms;
mod wire;

pub use client::{Client, ClientBuilder};
pub use error::{Cause, Clash, Error, Missing, Need};
pub use hostpci::HOSTPCI_SLOTS;
pub use model::*;
pub use property::{PropertyString, parse_flag};
