//! One Redis, `SETNX lock value`, then `EXPIRE lock ttl`: a failure between the two commands leaves a lock that never
//! expires. Client libraries acquired like this for years: redis-py before 3.0 (`Lock.do_acquire`, lock.py at 1acc67ac;
//! issue #554 of 2014, pull request #902), ShedLock's Redis provider (issue #65), Laravel Horizon's `Lock::get` (issue
//! #1738 of 2026).
//!
//! The release here is that of Horizon: a blind `DEL`, since its value is the same for all clients. redis-py compared the
//! value, in a transaction (`Lock.do_release`, lock.py:132-142 at 1acc67ac).

use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::redis_driver::JEDIS;
use super::single_redis::{FENCING, HIGHLY_AVAILABLE, ORDER, REENTRANT, RedisKey, SETNX_PAGE};
use super::timing::poll_bound;
use crate::grant::{Attempt, Grant, LockError};
use crate::history::ResourceId;
use crate::info::{Answer, Expiry, Family, LockInfo, Promise, Reentrancy, Requirement, Verification};
use crate::lock::{Lock, Params};
use crate::servers::redis::{Persistence, Redis, RedisMessage};
use crate::site::Site;
use crate::wire::Ctx;

/// A client of one Redis that takes the lock by `SETNX` and sets its expiry afterwards.
pub struct RedisSetNxExpire {
    key: RedisKey,
    ttl: Duration,
}

/// Parameters of `redis-setnx-expire`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedisSetNxExpireParams {
    /// The key's time to live, once it has one: the libraries leave it to their users; 30 s as in Redis' own example of
    /// the pattern that replaced this one.
    pub ttl: Span,
    /// How the server makes its commands durable.
    pub persistence: Persistence,
}

impl Default for RedisSetNxExpireParams {
    fn default() -> Self {
        RedisSetNxExpireParams { ttl: Span(Duration::from_secs(30)), persistence: Persistence::None }
    }
}

impl Params for RedisSetNxExpireParams {
    fn set_ttl(&mut self, ttl: Duration) {
        self.ttl = Span(ttl);
    }

    fn effective_expiry(&self) -> Option<Duration> {
        Some(self.ttl.0)
    }
}

impl RedisSetNxExpire {
    /// Ignores the reply, as redis-py did, although it says whether the key still existed. A failed command raises an
    /// exception and leaves the key without expiry.
    async fn expire(&mut self) -> Result<(), LockError> {
        let expire = RedisMessage::Expire { ttl_ms: self.ttl.as_millis() as u64, key: self.key.key };
        self.key.ask(&expire, None).await?;
        Ok(())
    }
}

const EXCLUSIVE: Promise = Promise {
    requirement: Requirement::Exclusive,
    answer: Answer::Silent,
    says: "work that outlasts the timeout, restarts and failures of the server are not mentioned",
    source: SETNX_PAGE,
};

const AVOIDS_DEADLOCK: Promise = Promise {
    requirement: Requirement::AvoidsDeadlock,
    answer: Answer::Conditional,
    says: "a lock with a timeout is freed after it; a client that dies between the two commands leaves it for ever",
    source: "redis/redis-py, issue #554",
};

impl Lock for RedisSetNxExpire {
    const INFO: LockInfo = LockInfo::new(
        "redis-setnx-expire",
        "one Redis: SETNX, then EXPIRE as a second command, released by a blind DEL",
    )
    .expectations(include_str!("expectations.toml"))
    .family(Family::Redis)
    .expiry(Expiry::ServerWallClock)
    .reentrancy(Reentrancy::Refused)
    .promises(&[EXCLUSIVE, AVOIDS_DEADLOCK, HIGHLY_AVAILABLE, REENTRANT, FENCING, ORDER])
    .flawed_defaults(&[
        "a client that stops between SETNX and EXPIRE leaves a key that never expires",
        "the release deletes the key whoever set it",
    ])
    .verification(Verification::Source {
        version: "redis-py at 1acc67ac; laravel/horizon at 1384d17b",
        read: "2026-12-01",
    })
    .sources(&[
        SETNX_PAGE,
        "redis/redis-py, redis/lock.py at 1acc67ac, Lock.do_acquire; issue #554 and pull request #902",
        "lukas-krecan/ShedLock, issue #65",
        "laravel/horizon, issue #1738, whose release is the modelled one",
    ]);
    type Params = RedisSetNxExpireParams;
    type Message = RedisMessage;

    fn deploy(params: &RedisSetNxExpireParams, site: &mut Site<'_, RedisMessage>) {
        site.server("redis-1", Redis::new(params.persistence));
    }

    fn connect(params: &RedisSetNxExpireParams, ctx: Ctx<RedisMessage>, resource: ResourceId) -> Self {
        RedisSetNxExpire { key: RedisKey::connect(ctx, resource, JEDIS), ttl: params.ttl.0 }
    }

    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        self.key.set_if_absent(attempt.id).await?;
        self.key.driver.ctx.reach_step("set").await;
        self.expire().await?;
        Ok(Grant { id: attempt.id, token: None, valid_until: None })
    }

    async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        self.key.delete(grant.id).await
    }

    /// The promise of the timeout. A client that crashes between the two commands breaks it.
    fn takeover_bound(params: &RedisSetNxExpireParams, allowance: &BoundAllowance) -> Duration {
        poll_bound(allowance.stretch_wall(params.ttl.0), allowance)
    }
}
