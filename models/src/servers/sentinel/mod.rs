//! Redis Sentinel: servers that watch a Redis master and its replicas, agree that the master is down, elect a leader
//! among themselves, and have it promote a replica (redis/redis, src/sentinel.c; redis.io, "High availability with
//! Redis Sentinel").
//!
//! `Instance` is a Sentinel's knowledge of a Redis server, `Election` its knowledge of the other Sentinels and its
//! vote, and [`Sentinel`] the server. All times are those of the wall clock, as `mstime()` is. A Sentinel that was
//! stopped or whose clock jumps notices it between two timer ticks and decides nothing for 30 s (`TILT`). Differences
//! from the real Sentinel:
//! - A Sentinel knows all others and all replicas from the start, as its configuration file does after discovery. There
//!   is no authentication, no scripts, and only one master.
//! - Hello messages go to the other Sentinels directly. A real Sentinel also publishes them at every Redis server, so
//!   that they also pass between Sentinels that reach each other only that way.
//! - Sentinels do not ping each other: nothing depends on whether one seems down.
//! - A connection to a Redis server counts as broken if its last answer is older than 5 s; a real Sentinel also checks
//!   the connection.
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

/// The configuration of a Sentinel (`sentinel.conf`).
#[derive(Clone, Debug)]
pub struct SentinelConfig {
    /// The names of the Redis servers; the first is the initial master.
    pub redis: Vec<String>,
    /// The names of all Sentinels.
    pub sentinels: Vec<String>,
    /// The number of Sentinels that must find the master down.
    pub quorum: u32,
    /// `down-after-milliseconds`.
    pub down_after: Duration,
    /// `failover-timeout`.
    pub failover_timeout: Duration,
    /// `parallel-syncs`.
    pub parallel_syncs: u32,
}

// The constants of sentinel.c, without the prefixes `sentinel_` and `SENTINEL_`.
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
    /// The maximal time from a permanent failure of the master until all Sentinels know a new one, if the first election
    /// has a winner: one ping and one question late, an election of maximal length, one `INFO` until the promotion is seen,
    /// one hello message, and a second for the ticks between.
    pub fn failover_bound(&self) -> Duration {
        let noticed = self.down_after + PING_PERIOD + ASK_PERIOD;
        noticed + MAX_DESYNC + ELECTION_TIMEOUT + PING_PERIOD + PUBLISH_PERIOD + Duration::from_secs(1)
    }

    /// The same with one failed failover, after a split vote or a replica that does not answer. It is abandoned after at
    /// most `failover-timeout`; no Sentinel tries again for twice that, nor during `TILT`.
    pub fn retried_failover_bound(&self) -> Duration {
        self.failover_bound() + 3 * self.failover_timeout + MAX_DESYNC + TILT_PERIOD
    }
}
