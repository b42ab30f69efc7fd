//! Tests across crates.

#![allow(
    clippy::expect_used,
    clippy::format_push_string,
    clippy::panic,
    clippy::print_stdout,
    clippy::too_many_lines,
    reason = "a test that cannot go on says so, and cases stand in one table"
)]

mod addresses;
mod crash;
mod engine;
mod examples_access;
mod examples_omni;
mod examples_proxmox;
mod examples_unifi;
mod generated;
mod gpus;
mod homelab;
mod missed;
mod planning;
mod resources;
mod templates;
mod tripwire;
