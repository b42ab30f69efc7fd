//! `bootstrap.yaml` and the files it points at, loaded and checked.
//!
//! [`load`] reads files and nothing else: no network, no secret, no command. It collects every finding instead
//! of stopping at the first, each with file, line and column.

mod addresses;
mod checks;
mod classes;
mod clusters;
mod decode;
mod dns;
mod endpoints;
mod load;
mod mappings;
mod model;
mod patches;
mod schema;
mod secret;

pub(crate) use decode::suggest;
pub use load::{cluster_of, load};
pub use model::*;
pub use schema::json_schema;
pub use secret::{SecretError, read_secret};
