//! The replicated core of etcd, ZooKeeper, Consul, Chubby and Hazelcast's CP subsystem: a log that a majority agrees on.
//! (draft)

mod config;
mod core;
mod log;
mod machine;
mod packet;
mod reads;
mod replica;
mod server;

pub use self::config::{Config, ReadMode};
pub use self::core::Core;
pub use self::machine::{Command, Lineage, Machine, Truth};
pub use self::packet::{Carries, Packet};
pub use self::server::{Applied, Duties, Loss, Server, deploy};
