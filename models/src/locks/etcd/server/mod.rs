//! The part of an etcd cluster that `concurrency.Mutex` needs.
//!
//! Facts that decide, from etcd's documentation and source:
//! - Changes and linearizable reads go through any member, and through Raft ("KV API guarantees", api_guarantees.md).
//! - Leases are granted and revoked through Raft, but renewed in the memory of the leader alone. Its monotonic clock
//!   decides that one has expired; a new leader restarts them all (server/lease/lessor.go, `Renew`, `Promote`).
//! - A request without a leader waits for one; nothing waits longer than 5 s plus two election timeouts
//!   (server/config/config.go, `ReqTimeout`).

mod keyspace;
mod lessor;
mod member;
mod message;
mod renewals;

pub use self::keyspace::{Command, Key, Keyspace, LeaseId, Outcome, Revision};
pub use self::lessor::LOOP;
pub use self::member::{Member, Settings};
pub use self::message::EtcdMessage;
