//! Locks on one Redis, taken by `SET lock value NX PX ttl`: the single-instance pattern of redis.io, "Distributed Locks
//! with Redis", section "Correct Implementation with a Single Instance". They differ in their release.

use std::marker::PhantomData;
use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::units::Span;
use fencepost_sim::{CallError, ConnId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::single_redis::{AVOIDS_DEADLOCK, FENCING, HIGHLY_AVAILABLE, ORDER, REENTRANT};
use super::timing::{REQUEST_TIMEOUT, poll_bound};
use crate::grant::{Attempt, Grant, LockError, Reason};
use crate::history::{GrantId, ResourceId};
use crate::info::{Answer, Expiry, Family, LockInfo, Promise, Reentrancy, Requirement, Verification};
use crate::lock::{Lock, Params};
use crate::servers::redis::{Persistence, Redis, RedisMessage};
use crate::site::Site;
use crate::wire::Ctx;

/// A client of a single Redis with the release rule `R`.
pub struct PxLock<R> {
    params: RedisPxParams,
    ctx: Ctx<RedisMessage>,
    key: ResourceId,
    redis: ConnId,
    rule: PhantomData<R>,
}

/// The release of a lock on a single Redis.
pub trait ReleaseRule: 'static {
    /// The name of the lock with this rule.
    const NAME: &'static str;
    /// One sentence for lists and docs.
    const ABOUT: &'static str;
    /// The documentation's promises.
    const PROMISES: &'static [Promise] = PROMISES;
    /// The text of its `expectations.toml`.
    const EXPECTATIONS: &'static str;
    /// The flaws of this rule.
    const FLAWS: &'static [&'static str] = &[];

    /// The command that releases this grant.
    fn release(grant: GrantId, key: ResourceId) -> RedisMessage;
}

/// Parameters of a lock on a single Redis.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedisPxParams {
    /// The key's time to live: 30 s in the documentation's example.
    pub ttl: Span,
    /// The persistence of the server.
    pub persistence: Persistence,
}

impl Default for RedisPxParams {
    fn default() -> Self {
        RedisPxParams { ttl: Span(Duration::from_secs(30)), persistence: Persistence::None }
    }
}

impl Params for RedisPxParams {
    fn set_ttl(&mut self, ttl: Duration) {
        self.ttl = Span(ttl);
    }

    fn effective_expiry(&self) -> Option<Duration> {
        Some(self.ttl.0)
    }
}

const PROMISES: &[Promise] = &[EXCLUSIVE, AVOIDS_DEADLOCK, HIGHLY_AVAILABLE, REENTRANT, FENCING, ORDER];

const EXCLUSIVE: Promise = Promise {
    requirement: Requirement::Exclusive,
    answer: Answer::Conditional,
    says: "safe on a single instance that is always available, for the time of the key's validity; a shift of the \
           server's wall clock may let a second client in",
    source: "redis.io, Distributed Locks with Redis, Correct Implementation with a Single Instance; \
                Disclaimer about consistency",
};

impl<R> PxLock<R> {
    /// A client on the server of this connection.
    pub(super) fn connected(redis: ConnId, params: RedisPxParams, ctx: Ctx<RedisMessage>, key: ResourceId) -> Self {
        PxLock { params, ctx, key, redis, rule: PhantomData }
    }
}

/// A server that rejects writes has certainly not executed the command.
fn refused(reply: &RedisMessage, otherwise: Reason) -> LockError {
    LockError::Failed(match reply {
        RedisMessage::ReadOnly | RedisMessage::NoReplicas => Reason::Call(CallError::Refused),
        _ => otherwise,
    })
}

impl<R: ReleaseRule> Lock for PxLock<R> {
    const INFO: LockInfo = LockInfo::new(R::NAME, R::ABOUT)
        .expectations(R::EXPECTATIONS)
        .family(Family::Redis)
        .expiry(Expiry::ServerWallClock)
        .validity()
        .reentrancy(Reentrancy::Refused)
        .promises(R::PROMISES)
        .flawed_defaults(R::FLAWS)
        .verification(Verification::Documentation)
        .sources(&["redis.io, Distributed Locks with Redis, Correct Implementation with a Single Instance"]);
    type Params = RedisPxParams;
    type Message = RedisMessage;

    fn deploy(params: &RedisPxParams, site: &mut Site<'_, RedisMessage>) {
        site.server("redis-1", Redis::new(params.persistence));
    }

    fn connect(params: &RedisPxParams, ctx: Ctx<RedisMessage>, key: ResourceId) -> Self {
        let redis = ctx.connect(ctx.find("redis-1"));
        PxLock::connected(redis, params.clone(), ctx, key)
    }

    /// The documentation calls the time to live the lock's validity: the time that the client has. It counts from
    /// before the request.
    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        let asked = self.ctx.mono();
        let ttl = self.params.ttl.0;
        let set = RedisMessage::SetNxPx { value: attempt.id, ttl_ms: ttl.as_millis() as u64, key: self.key };
        let reply = self.ctx.ask(self.redis, set, REQUEST_TIMEOUT);
        self.ctx.reach_step("acquire-sent").await;
        match reply.await? {
            RedisMessage::Done => {
                Ok(Grant { id: attempt.id, token: None, valid_until: Some(self.ctx.deadline(asked, ttl)) })
            }
            reply => Err(refused(&reply, Reason::Busy)),
        }
    }

    async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        let reply = self.ctx.ask(self.redis, R::release(grant.id, self.key), REQUEST_TIMEOUT);
        self.ctx.reach_step("release-sent").await;
        match reply.await? {
            RedisMessage::Done => Ok(()),
            reply => Err(refused(&reply, Reason::NotHeld)),
        }
    }

    async fn check(&mut self, grant: &Grant) -> Result<bool, LockError> {
        Ok(grant.valid_until.is_some_and(|until| !self.ctx.passed(until)))
    }

    /// The key's expiry is a time of the server's wall clock: backward steps and slow rates lengthen it.
    fn takeover_bound(params: &RedisPxParams, allowance: &BoundAllowance) -> Duration {
        poll_bound(allowance.stretch_wall(params.ttl.0), allowance)
    }
}

/// Releases by the script that compares the value.
pub struct ComparedDelete;

/// One Redis, released by the documented script: a late release finds another value and deletes nothing.
pub type RedisSetPx = PxLock<ComparedDelete>;

impl ReleaseRule for ComparedDelete {
    const NAME: &'static str = "redis-set-px";
    const ABOUT: &'static str = "one Redis: SET NX PX, released by a script that compares the value";
    const EXPECTATIONS: &'static str = include_str!("expectations.toml");

    fn release(grant: GrantId, key: ResourceId) -> RedisMessage {
        RedisMessage::DelIfEqual { value: grant, key }
    }
}
