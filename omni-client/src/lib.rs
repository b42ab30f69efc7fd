//! Typed client for Omni (contract stage).
mod resource;
pub use resource::{Event, Kind, Metadata, Phase, Resource};
