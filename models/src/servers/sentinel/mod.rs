//! Redis Sentinel: servers that watch one Redis master and its replicas, agree that the master is down, elect one among
//! themselves, and have it promote a replica (redis/redis, src/sentinel.c; redis.io, "High availability with Redis
//! Sentinel").
//!
//! `Instance` is what a Sentinel knows of a Redis server, `Election` what it
//! knows of the other Sentinels and whom it voted for, and [`Sentinel`] the server; the steps of a failover are in a
//! file of their own. All times are those of the wall clock, as `mstime()` is: a Sentinel whose clock jumps, or that was
//! stopped, notices that between two of its timer's ticks and judges nothing for 30 s (`TILT`).
//!
//! What differs from the real thing:
//! - A Sentinel knows all the others and all replicas from the start, as its configuration file does once it has
//!   discovered them, and has no authentication, scripts or several masters to care for.
//! - Hello messages go to the other Sentinels directly. A real one sends them along that way too, but also publishes
//!   them at every Redis server, so that they also pass between Sentinels that reach each other only over one of these.
//! - Sentinels do not ping each other: nothing depends on whether one seems down.
//! - Whether a connection to a Redis server is broken is told by its last answer only, which must not be older than 5 s
//!   where the real one asks for a connection as well.
//! - The timer ticks at twice the rate of pings, and at its full rate of 10 to 19 times a second only while there is
//!   something to decide.

mod election;
mod failover;
mod instance;
mod message;
mod server;

use std::time::Duration;

pub use self::message::{Info, SentinelMessage};
pub use self::server::Sentinel;

/// What a Sentinel watches and when it acts (`sentinel.conf`).
#[derive(Clone, Debug)]
pub struct SentinelConfig {
    /// The names of the Redis servers; the first is the master at the beginning.
    pub redis: Vec<String>,
    /// The names of all Sentinels.
    pub sentinels: Vec<String>,
    /// So many Sentinels must find the master down for it to be down.
    pub quorum: u32,
    /// `down-after-milliseconds`.
    pub down_after: Duration,
    /// `failover-timeout`.
    pub failover_timeout: Duration,
    /// `parallel-syncs`.
    pub parallel_syncs: u32,
}

// The constants of sentinel.c, under the names that they have there without `sentinel_` or `SENTINEL_`.
const PING_PERIOD: Duration = Duration::from_secs(1);
const INFO_PERIOD: Duration = Duration::from_secs(10);
const ASK_PERIOD: Duration = Duration::from_secs(1);
const PUBLISH_PERIOD: Duration = Duration::from_secs(2);
const TILT_TRIGGER: Duration = Duration::from_secs(2);
const TILT_PERIOD: Duration = Duration::from_secs(30);
const SLAVE_RECONF_TIMEOUT: Duration = Duration::from_secs(10);
const ELECTION_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_DESYNC: Duration = Duration::from_millis(1000);

impl SentinelConfig {
    /// After the master failed for good, another is known to all Sentinels within this, if the first election has a
    /// winner: one ping and one question late, an election that takes all its time, one `INFO` until the promotion is
    /// seen, one hello message until all know, and a second for the ticks in between.
    pub fn failover_bound(&self) -> Duration {
        let noticed = self.down_after + PING_PERIOD + ASK_PERIOD;
        noticed + MAX_DESYNC + ELECTION_TIMEOUT + PING_PERIOD + PUBLISH_PERIOD + Duration::from_secs(1)
    }

    /// The same with one failover that came to nothing, by a split vote or a replica that does not answer: it is given
    /// up after at most `failover-timeout`, and nobody tries again for twice that, nor while the Sentinels distrust
    /// their clocks.
    pub fn retried_failover_bound(&self) -> Duration {
        self.failover_bound() + 3 * self.failover_timeout + MAX_DESYNC + TILT_PERIOD
    }
}
