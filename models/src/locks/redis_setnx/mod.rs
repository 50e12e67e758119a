//! One Redis, `SETNX lock value`, released by `DEL`: the lock of before Redis had `SET NX PX`, without an expiry.
//!
//! redis.io's page of `SETNX` asks in "Handling deadlocks" what becomes of this lock when its client fails, and has the
//! clients judge a timestamp in the value. Whoever leaves that out, as here, leaves the key there for ever.

use std::time::Duration;

use fencepost_sim::ConnId;
use fencepost_sim::faults::BoundAllowance;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::redis_set_px::{FENCING, HIGHLY_AVAILABLE, ORDER, REENTRANT};
use super::{REQUEST_TIMEOUT, poll_bound};
use crate::grant::{Attempt, Grant, LockError, Reason};
use crate::history::GrantId;
use crate::history::ResourceId;
use crate::info::{Answer, Family, LockInfo, Promise, Reentrancy, Requirement, Verification};
use crate::lock::{Lock, Params};
use crate::servers::redis::{Persistence, Redis, RedisMessage};
use crate::site::Site;
use crate::wire::Ctx;

/// A client of one Redis that takes the lock by `SETNX`.
pub struct RedisSetNx {
    key: SetNxKey,
}

/// The key of such a lock, as a client sees it.
pub(super) struct SetNxKey {
    pub ctx: Ctx<RedisMessage>,
    pub key: ResourceId,
    pub redis: ConnId,
}

/// Parameters of `redis-setnx`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedisSetNxParams {
    /// How the server makes its commands durable.
    pub persistence: Persistence,
}

impl Params for RedisSetNxParams {
    fn set_ttl(&mut self, _: Duration) {}

    fn effective_expiry(&self) -> Option<Duration> {
        None
    }
}

impl SetNxKey {
    pub fn new(ctx: Ctx<RedisMessage>, key: ResourceId) -> Self {
        let redis = ctx.connect(ctx.find("redis-1"));
        SetNxKey { ctx, key, redis }
    }

    pub async fn set(&self, value: GrantId) -> Result<(), LockError> {
        let reply = self.ctx.ask(self.redis, RedisMessage::SetNx { value, key: self.key }, REQUEST_TIMEOUT);
        self.ctx.reach_step("acquire-sent").await;
        match reply.await? {
            RedisMessage::Done => Ok(()),
            _ => Err(LockError::Failed(Reason::Busy)),
        }
    }

    /// `DEL`, whoever set the key: page and old client libraries compare nothing.
    pub async fn delete(&self, on_behalf: GrantId) -> Result<(), LockError> {
        let reply = self.ctx.ask(self.redis, RedisMessage::Del { on_behalf, key: self.key }, REQUEST_TIMEOUT);
        self.ctx.reach_step("release-sent").await;
        match reply.await? {
            RedisMessage::Done => Ok(()),
            _ => Err(LockError::Failed(Reason::NotHeld)),
        }
    }
}

pub(super) const SETNX_PAGE: &str = "redis.io, SETNX, Design pattern: Locking with SETNX";

const EXCLUSIVE: Promise = Promise {
    requirement: Requirement::Exclusive,
    answer: Answer::Silent,
    says: "whoever gets 1 has the lock; nothing is said of lost replies, restarts or failures of the server, and the \
           pattern is discouraged",
    source: SETNX_PAGE,
};

const AVOIDS_DEADLOCK: Promise = Promise {
    requirement: Requirement::AvoidsDeadlock,
    answer: Answer::No,
    says: "a client that fails, crashes or cannot release is named as the problem of this algorithm",
    source: "redis.io, SETNX, Handling deadlocks",
};

impl Lock for RedisSetNx {
    const INFO: LockInfo = LockInfo::new("redis-setnx", "one Redis: SETNX without expiry, released by a blind DEL")
        .family(Family::Redis)
        .reentrancy(Reentrancy::Refused)
        .promises(&[EXCLUSIVE, AVOIDS_DEADLOCK, HIGHLY_AVAILABLE, REENTRANT, FENCING, ORDER])
        .flawed_defaults(&[
            "the key never expires, so a holder that crashes, or whose release is lost, leaves it there for ever",
            "the release deletes the key whoever set it",
        ])
        .verification(Verification::RealServerAvailable)
        .sources(&[SETNX_PAGE, "redis.io, SETNX, Handling deadlocks"]);
    type Params = RedisSetNxParams;
    type Message = RedisMessage;

    fn deploy(params: &RedisSetNxParams, site: &mut Site<'_, RedisMessage>) {
        site.server("redis-1", Redis::new(params.persistence));
    }

    fn connect(_: &RedisSetNxParams, ctx: Ctx<RedisMessage>, resource: ResourceId) -> Self {
        RedisSetNx { key: SetNxKey::new(ctx, resource) }
    }

    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        self.key.set(attempt.id).await?;
        Ok(Grant { id: attempt.id, token: None, valid_until: None })
    }

    async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        self.key.delete(grant.id).await
    }

    /// Nothing is promised for a holder that crashed: what stands here is the time in which a waiter gets a lock that is
    /// free. A holder's crash breaks it, since nobody ever frees the lock.
    fn takeover_bound(_: &RedisSetNxParams, allowance: &BoundAllowance) -> Duration {
        poll_bound(Duration::ZERO, allowance)
    }
}
