//! The part of Redis that locks use.
//!
//! [`Keyspace`] is the data set without a node. It applies a command at a given clock and returns the reply, the
//! message to publish, the changes of grants, and the changed keys as [`Record`]s. A record holds a key's new state
//! with its absolute expiry, so a replica or a restarted server that replays the records has the same data set. Redis
//! replicates effects with absolute times for the same reason (redis.io, "Redis replication", on scripts and
//! `PEXPIREAT`). Only a master calls [`Keyspace::expire`] and [`Keyspace::apply`]: a replica "will not expire keys but
//! instead waits for the master" and its `DEL` (same page), and uses its own clock once promoted.
//!
//! [`Aof`] is the append-only file, [`Channels`] holds the subscribers, [`LostGrants`] the ground truth of grants that
//! the data set lost, and [`Redis`] is the server of one instance.
//!
//! Facts that decide, from Redis' documentation and source:
//! - An expiry is an absolute time of the server's wall clock ("Keys expiring information is stored as absolute Unix
//!   timestamps", redis.io/commands/expire). It passes while the server is down and follows every clock step. The page
//!   of the pattern names wall-clock shifts as a cause of two holders (redis.io, "Distributed Locks with Redis").
//! - Expired keys are deleted on access and by a background cycle (same page, "How Redis expires keys") every 100 ms
//!   (`hz 10` in redis.conf). Here the cycle runs when the next key is due. Clients cannot tell: Redis announces
//!   expiries only on request (`notify-keyspace-events`, off by default).
//! - Commands are not persisted by default (`appendonly no` in redis.conf); `everysec` may lose a second.

mod aof;
mod channels;
mod keyspace;
mod lost_grants;
mod message;
mod replicated;
mod replication;
mod scripts;
mod server;
mod sync;
#[cfg(test)]
mod tests;

pub use self::aof::{Aof, Persistence};
pub use self::channels::Channels;
pub use self::keyspace::{Applied, Entry, GrantChange, Key, Keyspace, Record, Value, WallClock};
pub use self::lost_grants::LostGrants;
pub use self::message::RedisMessage;
pub use self::replication::{ReplicationConfig, ReplicationMessage};
pub use self::server::Redis;
