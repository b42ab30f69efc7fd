//! The binaries, run as a user runs them, against a simulated site on loopback.
//!
//! They stand here and not in the workspace's `tests`: cargo tells a binary's path to its own package only.

#![allow(
    clippy::expect_used,
    clippy::format_push_string,
    clippy::panic,
    clippy::print_stdout,
    clippy::too_many_lines,
    reason = "a test that cannot go on says so, and cases stand in one table"
)]

mod bad_input;
mod export;
mod gateway_site;
mod golden;
mod golden_template;
mod gpu;
mod harness;
mod kill;
mod login;
mod rehearse;
mod resource;
mod secrets;
mod service_account;
mod status;
mod template;
mod template_site;
mod transcripts;
mod unifi_dns;
mod unifi_reservation;
