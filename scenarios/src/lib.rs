//! What is done to the locks, and what comes of it.

pub mod case;
pub mod cell;
pub mod check;
mod client;
mod demand;
pub mod file;
pub mod history_file;
pub mod linearizable;
pub mod outcome;
pub mod property;
pub mod recorder;
pub mod registry;
pub mod results;
pub mod run;
pub mod schema;
pub mod shipped;
pub mod spec;
pub mod stats;
#[cfg(feature = "proptest")]
pub mod strategies;
pub mod trace_file;
