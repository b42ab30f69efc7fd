//! The world alone, through its in-memory doors, under a paused clock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests may panic as tests do

mod life;
mod preload;
mod support;
mod upgrades;
