//! The properties, the checkers that process the history of a case, the specifications of locks, and the search for a
//! legal order. This crate runs no simulation, so it builds fast enough for its mutants to be tested one by one.

mod availability;
pub mod check;
mod evidence;
mod intervals;
mod ledger;
pub mod linearizable;
mod metrics;
mod obstacles;
pub mod operations;
pub mod property;
pub mod span;
pub mod spec;
mod store_log;
mod table;
#[cfg(test)]
mod testing;
mod waiters;
pub mod workload;
