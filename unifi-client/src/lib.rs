//! Typed client for UniFi (contract stage).
mod model;
pub use model::*;
