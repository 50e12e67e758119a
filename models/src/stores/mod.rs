//! What locks stand on, and what they guard.

pub mod chubby;
pub mod conditional;
pub mod consul;
pub mod effects;
pub mod etcd;
pub mod hazelcast;
pub mod inventory;
pub mod lease_server;
pub mod redis;
mod row;
pub mod sentinel;
pub mod sql;
pub mod zookeeper;
