//! The behaviour of the locks under faults, compared with predictions.

mod clocks;
mod fairness;
mod standard;
mod statements;
mod suites;
mod workloads;
