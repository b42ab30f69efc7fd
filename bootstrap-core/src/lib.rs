//! The bootstrap logic: load, observe, plan, apply, report.

pub mod diagnostic;
pub mod ports;
pub mod site;
pub mod template;
