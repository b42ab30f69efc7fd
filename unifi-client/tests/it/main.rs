//! The client against a gateway made of canned answers: our own ones, and the recorded ones where they are at hand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test fails by panicking.
#![allow(clippy::print_stdout)] // Counts, and what is absent, are told.
#![allow(clippy::too_many_lines)] // Tables of cases.

mod calls;
mod dns;
mod errors;
mod fake;
mod mangled;
mod recorded;
mod reservations;
mod robust;
mod schema;
mod session;
