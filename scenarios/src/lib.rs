//! What is done to the locks, and what comes of it.

pub mod outcome;
pub mod property;
pub mod results;
pub mod stats;
