//! What the locks do under faults, held against what was worked out beforehand.

mod clocks;
mod fairness;
mod lab;
mod standard;
mod statements;
mod suites;
mod workloads;
