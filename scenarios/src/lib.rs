//! What is done to the locks, and what comes of it. Data flows one way: `search` uses `run`, which uses `workload`,
//! `file` and the checkers.

pub mod file;
pub mod run;
pub mod search;
#[cfg(feature = "proptest")]
pub mod strategies;
pub mod workload;

pub use run::registry;

/// Properties and their checkers, in a crate of their own.
pub use fencepost_check::{check, linearizable, operations, property, spec};
