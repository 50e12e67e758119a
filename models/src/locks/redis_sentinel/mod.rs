//! `SET lock value NX PX ttl` on a Redis master with asynchronous replicas, which Sentinels replace when it fails: the
//! approach to an available lock that redis.io warns of ("Distributed Locks with Redis", section "Why Failover-based
//! Implementations Are Not Enough").
//!
//! The client is the lock of redis-py ([`redis-set-px`](super::RedisSetPx)), connected to the server that the Sentinels
//! call the master. `WAIT` after the `SET` is not part of the pattern, but a proposed remedy: redis.io's page of `WAIT` says
//! that it only makes the loss less likely.

mod masters;
mod params;

use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::{CallError, ConnId};

use self::masters::Masters;
pub use self::params::RedisSentinelParams;
use super::redis_driver::JEDIS;
use super::single_redis::{AVOIDS_DEADLOCK, DISTLOCK, FENCING, ORDER, OWNED, REENTRANT, RedisKey};
use super::timing::{REQUEST_TIMEOUT, poll_bound};
use crate::grant::{Attempt, Grant, LockError, Reason};
use crate::history::ResourceId;
use crate::info::{Answer, Expiry, Family, LockInfo, Promise, Reentrancy, Requirement, Verification};
use crate::lock::Lock;
use crate::lock::POLL;
use crate::servers::redis::{Redis, RedisMessage, ReplicationConfig};
use crate::servers::sentinel::Sentinel;
use crate::site::Site;
use crate::wire::Ctx;

/// A client of a Redis under Sentinels.
pub struct RedisSentinel {
    params: RedisSentinelParams,
    ctx: Ctx<RedisMessage>,
    key: ResourceId,
    masters: Masters,
    /// The connection to the master; `None` before the first use and after a failure.
    master: Option<(ConnId, RedisKey)>,
}

impl RedisSentinel {
    async fn master(&mut self) -> Result<&mut RedisKey, LockError> {
        if self.master.is_none() {
            let conn = self.masters.find().await.ok_or(LockError::Failed(Reason::Call(CallError::Refused)))?;
            self.master = Some((conn, RedisKey::on(conn, self.ctx.clone(), self.key, JEDIS)));
        }
        let (_, lock) = self.master.as_mut().expect("it was found just now");
        Ok(lock)
    }

    /// Reconnects after a call that was refused or brought no reply, by asking a Sentinel.
    fn leave_if_broken<T>(&mut self, result: &Result<T, LockError>) {
        if let Err(LockError::Failed(Reason::Call(_)) | LockError::Unknown(Reason::Call(_))) = result
            && let Some((conn, _)) = self.master.take()
        {
            self.masters.drop_connection(conn);
        }
    }

    /// Waits until the configured replicas have the lock, and releases it if they do not in time.
    async fn replicated(&mut self, grant: Grant) -> Result<Grant, LockError> {
        let (replicas, timeout) = (u32::from(self.params.wait_replicas), self.params.wait_timeout.0);
        let Some((conn, lock)) = self.master.as_mut().filter(|_| replicas > 0) else { return Ok(grant) };
        let wait = RedisMessage::Wait { replicas, timeout_ms: timeout.as_millis() as u64 };
        let reply = self.ctx.ask(*conn, wait, timeout + REQUEST_TIMEOUT).await?;
        if matches!(reply, RedisMessage::Number(have) if have >= replicas.into()) {
            return Ok(grant);
        }
        lock.delete_if_equal(grant.id).await?;
        Err(LockError::Failed(Reason::Busy))
    }

    async fn acquire_on_master(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        let ttl = self.params.ttl.0;
        self.master().await?.set_px(attempt.id, ttl).await?;
        self.replicated(Grant { id: attempt.id, token: None, valid_until: None }).await
    }
}

/// The pause before the next search for the master: the guidelines say "a short time".
const SEARCH: Duration = Duration::from_millis(500);

/// The addition of a search to the bounds.
const FOUND: Duration = SEARCH.saturating_add(REQUEST_TIMEOUT);

const PROMISES: &[Promise] = &[EXCLUSIVE, AVOIDS_DEADLOCK, HIGHLY_AVAILABLE, REENTRANT, FENCING, ORDER];

const EXCLUSIVE: Promise = Promise {
    requirement: Requirement::Exclusive,
    answer: Answer::No,
    says: "not viable, because replication is asynchronous: the master crashes before it has replicated the key, a \
        replica is promoted, and a second client gets the lock",
    source: "redis.io, Distributed Locks with Redis, Why Failover-based Implementations Are Not Enough",
};

const HIGHLY_AVAILABLE: Promise = Promise {
    requirement: Requirement::HighlyAvailable,
    answer: Answer::Yes,
    says: "when the master fails a replica is promoted and clients are told the new address, as long as a majority of \
           the Sentinels can talk to each other",
    source: "redis.io, High availability with Redis Sentinel, Fundamental things to know about Sentinel \
                before deploying",
};

impl Lock for RedisSentinel {
    const INFO: LockInfo = LockInfo::new(
        "redis-sentinel",
        "SET NX PX on a Redis master with asynchronous replicas, failed over by Sentinels",
    )
    .expectations(include_str!("expectations.toml"))
    .family(Family::Redis)
    .expiry(Expiry::ServerWallClock)
    .replicated()
    .check(OWNED)
    .timeout("Lock.acquire(blocking_timeout=…)")
    .reentrancy(Reentrancy::Refused)
    .promises(PROMISES)
    .flawed_defaults(&[
        "replication is asynchronous, so a failover loses the grants that no replica had yet",
        "a master that is cut off from its replicas keeps granting (min-replicas-to-write 0)",
    ])
    .verification(Verification::Documentation)
    .sources(&[
        DISTLOCK,
        "redis.io, High availability with Redis Sentinel",
        "redis.io, Guidelines for Redis clients with support for Redis Sentinel",
        "redis.io, Redis replication",
        "redis/redis, src/sentinel.c and src/replication.c",
    ]);
    type Params = RedisSentinelParams;
    type Message = RedisMessage;

    fn deploy(params: &RedisSentinelParams, site: &mut Site<'_, RedisMessage>) {
        let redis = params.redis();
        for name in &redis {
            let config = ReplicationConfig {
                replica_of: Some(&redis[0]).filter(|master| *master != name).cloned(),
                min_replicas: params.min_replicas_to_write.into(),
                max_lag: params.min_replicas_max_lag.0,
            };
            site.server(name, Redis::new(params.persistence).replicated(config));
        }
        for name in params.sentinels() {
            site.server(name, Sentinel::new(params.watch()));
        }
    }

    fn connect(params: &RedisSentinelParams, ctx: Ctx<RedisMessage>, key: ResourceId) -> Self {
        let masters = Masters::new(ctx.clone(), &params.sentinels());
        RedisSentinel { params: params.clone(), ctx, key, masters, master: None }
    }

    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        let acquired = self.acquire_on_master(attempt).await;
        self.leave_if_broken(&acquired);
        acquired
    }

    async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        let released = match self.master().await {
            Ok(lock) => lock.delete_if_equal(grant.id).await,
            Err(error) => Err(error),
        };
        self.leave_if_broken(&released);
        released
    }

    async fn check(&mut self, grant: &Grant) -> Result<bool, LockError> {
        let owned = match self.master().await {
            Ok(lock) => lock.owned(grant.id).await,
            Err(LockError::Failed(reason) | LockError::Unknown(reason)) => Err(LockError::Unknown(reason)),
        };
        self.leave_if_broken(&owned);
        owned
    }

    fn retry_delay(&mut self) -> Duration {
        if self.master.is_some() { POLL } else { SEARCH }
    }

    /// The key's time to live by a master's wall clock. If a server may be unreachable, a failover may be needed too.
    fn takeover_bound(params: &RedisSentinelParams, allowance: &BoundAllowance) -> Duration {
        let alone = poll_bound(allowance.stretch_wall(params.ttl.0), allowance) + FOUND;
        match *allowance == BoundAllowance::default() {
            true => alone,
            false => alone + allowance.stretch_wall(params.watch().failover_bound()),
        }
    }

    /// A failed failover may come first.
    fn progress_bound(params: &RedisSentinelParams, allowance: &BoundAllowance) -> Duration {
        let failover = allowance.stretch_wall(params.watch().retried_failover_bound());
        poll_bound(allowance.stretch_wall(params.ttl.0), allowance) + FOUND + failover
    }
}
