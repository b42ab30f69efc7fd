//! Sites that run already.
