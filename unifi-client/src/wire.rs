//! What is on the wire, apart from what callers use. Answers are read leniently, requests written strictly.

pub(crate) mod answer;
pub(crate) mod console;
pub(crate) mod integration;
pub(crate) mod legacy;
pub(crate) mod lenient;
pub(crate) mod network;
pub(crate) mod v2;
