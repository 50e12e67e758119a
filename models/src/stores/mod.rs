//! What locks stand on, and what they guard.

pub mod hazelcast;
pub mod inventory;
pub mod lease_server;
pub mod redis;
mod row;
pub mod sql;
