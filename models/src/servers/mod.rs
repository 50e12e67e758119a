//! Servers that several locks share. A server that only one lock uses is in that lock's folder.

pub mod conditional;
pub mod raft;
pub mod redis;
pub mod sentinel;
pub mod sql;
