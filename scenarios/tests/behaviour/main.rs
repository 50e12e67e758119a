//! The behaviour of the locks under faults, compared with what was derived beforehand.

mod clocks;
mod fairness;
mod standard;
mod statements;
mod suites;
mod workloads;
