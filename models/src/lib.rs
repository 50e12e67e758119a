//! The locks that fencepost tests, and the stores they stand on and guard.

pub mod history;
