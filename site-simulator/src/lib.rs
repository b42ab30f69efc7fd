//! stub

pub mod blueprint;
