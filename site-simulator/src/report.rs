//! Figures of a rehearsal.
