//! The parameters of `redis-sentinel`.

use std::time::Duration;

use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::lock::Params;
use crate::servers::redis::Persistence;
use crate::servers::sentinel::SentinelConfig;

/// Parameters of `redis-sentinel`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedisSentinelParams {
    /// The key's time to live: 30 s in the documentation's example.
    pub ttl: Span,
    /// The number of replicas: 2 in the documentation's "Example 2: basic setup with three boxes".
    pub replicas: u16,
    /// The number of Sentinels: 3 in the same example, which is the minimum.
    pub sentinels: u16,
    /// The number of Sentinels that must agree that the master is down: 2 in sentinel.conf and in the same example.
    pub quorum: u16,
    /// `down-after-milliseconds`: 30 s in sentinel.conf.
    pub down_after: Span,
    /// `failover-timeout`: 3 minutes in sentinel.conf. No Sentinel tries again for twice as long.
    pub failover_timeout: Span,
    /// `parallel-syncs`: 1 in sentinel.conf.
    pub parallel_syncs: u16,
    /// `min-replicas-to-write`: the master rejects writes if fewer replicas are in sync; 0, off, in redis.conf.
    pub min_replicas_to_write: u16,
    /// `min-replicas-max-lag`: 10 s in redis.conf.
    pub min_replicas_max_lag: Span,
    /// The number of replicas that must have an acquire (`WAIT`); if they do not in time, the lock is released. 0 is
    /// off.
    pub wait_replicas: u16,
    /// The time limit of `WAIT`: 1 s is Redisson's `slavesSyncTimeout`.
    pub wait_timeout: Span,
    /// The persistence of the servers.
    pub persistence: Persistence,
}

impl Default for RedisSentinelParams {
    fn default() -> Self {
        let seconds = |n| Span(Duration::from_secs(n));
        RedisSentinelParams {
            ttl: seconds(30),
            replicas: 2,
            sentinels: 3,
            quorum: 2,
            down_after: seconds(30),
            failover_timeout: seconds(180),
            parallel_syncs: 1,
            min_replicas_to_write: 0,
            min_replicas_max_lag: seconds(10),
            wait_replicas: 0,
            wait_timeout: seconds(1),
            persistence: Persistence::None,
        }
    }
}

impl RedisSentinelParams {
    pub(super) fn redis(&self) -> Vec<String> {
        let replicas = (1..=self.replicas).map(|n| format!("redis-replica-{n}"));
        ["redis-1".to_string()].into_iter().chain(replicas).collect()
    }

    pub(super) fn sentinels(&self) -> Vec<String> {
        (1..=self.sentinels).map(|n| format!("sentinel-{n}")).collect()
    }

    pub(super) fn watch(&self) -> SentinelConfig {
        SentinelConfig {
            redis: self.redis(),
            sentinels: self.sentinels(),
            quorum: self.quorum.into(),
            down_after: self.down_after.0,
            failover_timeout: self.failover_timeout.0,
            parallel_syncs: self.parallel_syncs.into(),
        }
    }
}

impl Params for RedisSentinelParams {
    fn set_ttl(&mut self, ttl: Duration) {
        self.ttl = Span(ttl);
    }

    fn effective_expiry(&self) -> Option<Duration> {
        Some(self.ttl.0)
    }

    fn check(&self) -> Result<(), String> {
        match self {
            RedisSentinelParams { sentinels: 0, .. } => Err("`sentinels` must be at least 1".into()),
            RedisSentinelParams { quorum, sentinels, .. } if !(1..=*sentinels).contains(quorum) => {
                Err("`quorum` must be from 1 to `sentinels`".into())
            }
            RedisSentinelParams { parallel_syncs: 0, .. } => Err("`parallel_syncs` must be at least 1".into()),
            RedisSentinelParams { min_replicas_to_write: n, replicas, .. } if n > replicas => {
                Err("`min_replicas_to_write` must not be more than `replicas`".into())
            }
            RedisSentinelParams { wait_replicas: n, replicas, .. } if n > replicas => {
                Err("`wait_replicas` must not be more than `replicas`".into())
            }
            _ => Ok(()),
        }
    }
}
