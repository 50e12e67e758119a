//! For each lock: a failure that it must show, one that it must not show, its takeover, its re-entrancy, its bugs.

mod conditional;
mod consul;
mod etcd;
mod hazelcast;
mod linearizable;
mod redis;
mod sentinel;
mod sql;
mod zookeeper;
