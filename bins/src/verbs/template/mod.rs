//! The verbs of `omni-cluster-template`.

pub mod render;
mod source;

pub use source::Source;
