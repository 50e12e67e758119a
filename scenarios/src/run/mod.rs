//! Runs the cases of cells, and collects their results.

pub mod case;
pub mod case_result;
pub mod cell;
pub mod clean;
pub mod compare;
pub mod history_writer;
pub mod job;
pub mod recorder;
pub mod registry;
pub mod results;
pub mod stats;
pub mod swarm;
pub mod trace_file;
pub mod verdicts;
