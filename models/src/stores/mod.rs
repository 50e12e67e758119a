//! What locks stand on, and what they guard.

pub mod conditional;
pub mod effects;
pub mod etcd;
pub mod inventory;
pub mod lease_server;
pub mod redis;
mod row;
pub mod sql;
pub mod zookeeper;
