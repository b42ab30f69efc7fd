//! The binaries, run as a user runs them, against a simulated site on loopback.
//!
//! They stand here and not in the workspace's `tests`: cargo tells a binary's path to its own package only.

mod bad_input;
mod harness;
mod rehearse;
