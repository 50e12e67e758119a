//! Searches for violations, minimizes them, and finds the faults that cause them.

pub mod ablation;
pub mod explore;
pub mod hunt;
pub mod interest;
pub mod shrink;
