//! The client against a gateway made of canned answers: our own ones, and the recorded ones where they are at hand.

mod calls;
mod dns;
mod errors;
mod fake;
mod recorded;
mod robust;
mod schema;
