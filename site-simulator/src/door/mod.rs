//! The doors.
pub mod http;
/// x
#[derive(Debug)]
pub struct Doors;
