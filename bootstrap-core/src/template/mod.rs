//! Cluster templates as `omnictl` has them.

/// A loaded cluster template.
#[derive(Debug, Clone)]
pub struct Template {}
