//! Fixtures and helpers live beside the tests; this crate has no library code of its own.
