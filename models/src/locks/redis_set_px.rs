//! One Redis, `SET lock value NX PX ttl`, released by the script that compares the value: the single-instance pattern of
//! redis.io, "Distributed Locks with Redis", section "Correct Implementation with a Single Instance".

use std::time::Duration;

use fencepost_sim::ConnId;
use fencepost_sim::fault::Harm;
use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{POLL, REQUEST_TIMEOUT, poll_bound};
use crate::lock::{Attempt, Expiry, Grant, Lock, LockError, LockInfo, Params, Reason};
use crate::site::Site;
use crate::stores::inventory::InventoryConfig;
use crate::stores::redis::{Persistence, Redis, RedisMessage};
use crate::wire::Ctx;

/// A client of a single Redis.
pub struct RedisSetPx(pub(super) PxClient);

/// Parameters of a lock on a single Redis.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedisPxParams {
    /// The key's time to live: 30 s in the documentation's example.
    pub ttl: Span,
    /// How the server makes its commands durable.
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

/// What the locks on a single Redis share: all but the release.
pub(super) struct PxClient {
    pub params: RedisPxParams,
    pub ctx: Ctx<RedisMessage>,
    pub redis: ConnId,
}

impl PxClient {
    pub fn connect(params: &RedisPxParams, ctx: Ctx<RedisMessage>) -> Self {
        let redis = ctx.connect(ctx.find("redis-1"));
        PxClient { params: params.clone(), ctx, redis }
    }

    /// The documentation calls the time to live the lock's validity: the time that the client has. It counts from before
    /// the request was sent.
    pub async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        let asked = self.ctx.mono();
        let ttl = self.params.ttl.0;
        let set = RedisMessage::SetNxPx { value: attempt.id, ttl_ms: ttl.as_millis() as u64 };
        let reply = self.ctx.ask(self.redis, set, REQUEST_TIMEOUT);
        self.ctx.safepoint("acquire-sent").await;
        match reply.await? {
            RedisMessage::Done => {
                Ok(Grant { id: attempt.id, token: None, valid_until: Some(self.ctx.deadline(asked, ttl)) })
            }
            _ => Err(LockError::Failed(Reason::Busy)),
        }
    }

    pub async fn release(&mut self, delete: RedisMessage) -> Result<(), LockError> {
        let reply = self.ctx.ask(self.redis, delete, REQUEST_TIMEOUT);
        self.ctx.safepoint("release-sent").await;
        match reply.await? {
            RedisMessage::Done => Ok(()),
            _ => Err(LockError::Failed(Reason::NotHeld)),
        }
    }

    pub fn is_held(&self, grant: &Grant) -> bool {
        grant.valid_until.is_some_and(|until| !self.ctx.passed(until))
    }

    /// The key's expiry is a time of the server's wall clock: backward steps and slow rates lengthen it.
    pub fn bound(params: &RedisPxParams, harm: &Harm) -> Duration {
        poll_bound(harm.stretch_wall(params.ttl.0), harm)
    }
}

/// What is documented of `SET NX PX` on a single Redis.
pub(super) const SOURCE: &str = "redis.io, Distributed Locks with Redis, Correct Implementation with a Single Instance";

impl Lock for RedisSetPx {
    const INFO: LockInfo = LockInfo {
        name: "redis-set-px",
        about: "one Redis: SET NX PX, released by a script that compares the value",
        expiry: Expiry::ServerWallClock,
        in_store: false,
        commits_at_release: false,
        grants: true,
        validity: true,
        tokens: false,
        reentrancy: "refused",
        bugs: &[],
        sources: &[SOURCE],
    };
    type Params = RedisPxParams;
    type Message = RedisMessage;

    fn servers(_: &RedisPxParams) -> Vec<String> {
        vec!["redis-1".into()]
    }

    fn deploy(params: &RedisPxParams, _: &InventoryConfig, site: &mut Site<'_, RedisMessage>) {
        site.server("redis-1", Redis::new(params.persistence));
    }

    fn connect(params: &RedisPxParams, ctx: Ctx<RedisMessage>) -> Self {
        RedisSetPx(PxClient::connect(params, ctx))
    }

    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        self.0.acquire(attempt).await
    }

    async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        self.0.release(RedisMessage::DelIfEqual { value: grant.id }).await
    }

    fn is_held(&self, grant: &Grant) -> bool {
        self.0.is_held(grant)
    }

    fn retry_delay(&mut self) -> Duration {
        POLL
    }

    fn takeover_bound(params: &RedisPxParams, harm: &Harm) -> Duration {
        PxClient::bound(params, harm)
    }

    fn progress_bound(params: &RedisPxParams, harm: &Harm) -> Duration {
        PxClient::bound(params, harm)
    }
}
