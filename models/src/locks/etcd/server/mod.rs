//! An etcd cluster, as far as `concurrency.Mutex` needs it.
//!
//! What decides here, from etcd's documentation and source:
//! - Changes and linearizable reads go through any member, and through Raft ("KV API guarantees", api_guarantees.md).
//! - Leases are granted and revoked through Raft, but renewed in the memory of the leader alone, whose monotonic clock
//!   decides that one has expired; a new leader starts them all anew (server/lease/lessor.go, `Renew`, `Promote`).
//! - A request that finds no leader waits for one; nothing waits for longer than 5 s and two election timeouts
//!   (server/config/config.go, `ReqTimeout`).

mod keyspace;
mod lessor;
mod member;
mod message;
mod renewals;

pub use self::keyspace::{Command, Keyspace};
pub use self::lessor::LOOP;
pub use self::member::{Member, Settings};
pub use self::message::{EtcdMessage, Key, LeaseId, Revision};
