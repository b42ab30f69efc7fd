//! The verbs of `omni-cluster-template`.

pub mod export;
pub mod render;
mod source;
pub mod status;

pub use source::Source;
