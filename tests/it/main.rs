//! Tests across crates.

mod crash;
mod engine;
mod homelab;
mod tripwire;
mod addresses;
mod gpus;
mod planning;
