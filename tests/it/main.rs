//! Tests across crates.

mod engine;
