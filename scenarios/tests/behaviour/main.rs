//! What the locks do under faults, held against what was worked out beforehand.

mod clocks;
mod lab;
mod standard;
mod statements;
mod workloads;
