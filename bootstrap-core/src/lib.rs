//! The bootstrap logic: load, observe, plan, apply, report.

pub mod adapters;
pub mod apply;
pub mod cluster_status;
pub mod devices;
pub mod diagnostic;
pub mod dns_records;
pub mod machine_class;
pub mod machines;
pub mod mark;
pub mod meaning;
pub mod observe;
pub mod occupancy;
pub mod passthrough;
pub mod plan;
pub mod ports;
pub mod reservations;
pub mod resource;
pub mod site;
pub mod status;
pub mod template;
pub mod yaml;
