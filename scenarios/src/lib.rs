//! What is done to the locks, and what comes of it.

pub mod check;
pub mod outcome;
pub mod property;
