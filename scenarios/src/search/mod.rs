//! Looks for violations, makes them small, and asks which fault caused them.

pub mod ablation;
pub mod explore;
pub mod hunt;
pub mod interest;
pub mod shrink;
