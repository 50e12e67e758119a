//! For each lock: failures that it must show, failures that it must not show, takeover, reentrancy and bugs.

mod conditional;
mod consul;
mod etcd;
mod hazelcast;
mod linearizable;
mod redis;
mod redlock;
mod sentinel;
mod sql;
mod zookeeper;
