//! Tests across crates.

mod engine;
mod homelab;
