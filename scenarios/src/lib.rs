//! What is done to the locks, and what comes of it.

pub mod case;
pub mod cell;
pub mod clean;
mod client;
pub mod compare;
pub mod decisive;
mod demand;
pub mod explore;
pub mod file;
pub mod history_file;
pub mod hunt;
pub mod interest;
pub mod outcome;
pub mod presets;
pub mod recorder;
pub mod registry;
pub mod results;
pub mod run;
pub mod schema;
pub mod shipped;
pub mod shrink;
pub mod stats;
#[cfg(feature = "proptest")]
pub mod strategies;
pub mod swarm;
pub mod trace_file;
pub mod verdicts;
pub mod workload;

/// What judges, in a crate of its own.
pub use fencepost_check::{check, linearizable, property, spec};
