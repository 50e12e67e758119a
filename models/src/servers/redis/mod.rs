//! Redis, as far as locks use it.
//!
//! [`Keyspace`] is the data set alone, without a node around it: it applies commands by a clock that it is given, and
//! says for each what to reply, what to publish, what really happened to grants, and what changed as [`Record`]s. A
//! record names a key's new state with its absolute expiry, so that whoever replays records in order, a replica or a
//! restarted server, gets the same data set; Redis itself sends effects with absolute times to replicas and file for the
//! same reason (redis.io, "Redis replication", on scripts and `PEXPIREAT`). Only a master calls [`Keyspace::expire`] and
//! [`Keyspace::apply`]: a replica "will not expire keys but instead waits for the master" and its `DEL` (same page), and
//! goes by its own clock once it is promoted.
//!
//! [`Aof`] keeps records on the disk, [`Channels`] knows who subscribed, [`Forgotten`] keeps the ground truth of grants
//! that the data set lost, and [`Redis`] is the server of one instance that puts them together.
//!
//! What decides here, from Redis' own documentation and source:
//! - A key's expiry is an absolute time of the server's wall clock ("Keys expiring information is stored as absolute Unix
//!   timestamps", redis.io/commands/expire), so that it goes on while the server is down and follows every clock step.
//!   The pattern's page names wall-clock shifts as a way to two holders (redis.io, "Distributed Locks with Redis").
//! - Expired keys are found when they are looked at, and by a background cycle (same page, "How Redis expires keys"). The
//!   cycle runs every 100 ms (`hz 10` in redis.conf); here it comes when the next key is due, as nobody can tell the
//!   difference: Redis tells clients of expired keys only if asked to (`notify-keyspace-events`, off by default).
//! - Persistence is off for commands by default (`appendonly no` in redis.conf); `everysec` may lose a second.

mod aof;
mod channels;
mod forgotten;
mod keyspace;
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
pub use self::forgotten::Forgotten;
pub use self::keyspace::{Applied, Entry, Key, Keyspace, Record, Truth, Value, WallClock};
pub use self::message::RedisMessage;
pub use self::replication::{ReplicationConfig, ReplicationMessage};
pub use self::server::Redis;
