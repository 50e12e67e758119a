//! Scenario files, workloads, runs and searches. Dependencies point one way: `search` uses `run`, which uses
//! `workload`, `file` and the checkers.

pub mod file;
pub mod run;
pub mod search;
#[cfg(feature = "proptest")]
pub mod strategies;
pub mod workload;

pub use run::registry;

/// Properties and their checkers, from their own crate.
pub use fencepost_check::{check, linearizable, operations, property, spec};
