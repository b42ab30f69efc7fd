//! The verbs of `omni-cluster-template`.

pub mod delete;
pub mod diff;
mod exact;
pub mod export;
mod planned;
pub mod render;
mod source;
pub mod status;
pub mod sync;
pub mod validate;
mod written;

pub use source::Source;

/// What `--help` ends with.
pub const EXAMPLES: &str = "\
Examples:
  omni-cluster-template validate -f cluster.yaml      what is wrong with it, all at once, offline
  omni-cluster-template diff -f cluster.yaml          what sync would change; code 2 when there is something
  omni-cluster-template sync -f cluster.yaml          make it so; again, and there is nothing to do
  omni-cluster-template sync -f clusters/             every template of a directory
  omni-cluster-template delete --cluster home         everything of it, machines included

Codes: 0 done or nothing to do, 1 error, 2 changes pending, 3 needs a person, 5 refused before the first write,
64 usage; with --compat those of omnictl.";
