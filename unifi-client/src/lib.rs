//! Typed client for UniFi gateways.
#![deny(missing_docs)]

mod client;
mod dns;
mod error;
mod model;
mod networks;
mod parse;
mod presence;
mod records;
mod sites;
mod wire;

pub use client::{Client, ClientBuilder};
pub use error::{Error, Refusal};
pub use model::*;
pub use parse::dns_name;
