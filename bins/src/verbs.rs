//! One file a verb: its arguments and a function from them to an exit code.

pub mod apply;
pub mod dns;
pub mod gpu;
pub mod key;
pub mod plan;
pub mod rehearse;
pub mod reservation;
pub mod resource;
pub mod schema;
pub mod service_account;
pub mod status;
pub mod template;
pub mod validate;
