//! What is done to the locks, and what comes of it.

pub mod check;
pub mod file;
pub mod outcome;
pub mod property;
pub mod registry;
pub mod results;
pub mod schema;
pub mod stats;
