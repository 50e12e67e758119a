//! Each lock: a failure that it must show and one that it must not, its takeover, its re-entrancy, its bugs.

mod conditional;
mod consul;
mod etcd;
mod hazelcast;
#[path = "../behaviour/lab.rs"]
mod lab;
mod linearizable;
mod redis;
mod sentinel;
mod sql;
mod zookeeper;
