//! One Redis, `SET lock value NX PX ttl`, released by a blind `DEL`: the documentation warns of this variant, since a
//! late release deletes any later lock. The page has no check, and no library is modelled here. The variant
//! `docs-deadline` adds a check that the program writes itself.

use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::redis_driver::JEDIS;
use super::single_redis::{AVOIDS_DEADLOCK, FENCING, HIGHLY_AVAILABLE, ORDER, REENTRANT, RedisKey};
use super::timing::poll_bound;
use crate::grant::{Attempt, Grant, LockError};
use crate::history::ResourceId;
use crate::info::{Answer, Expiry, Family, LockInfo, Promise, Reentrancy, Requirement, VariantInfo, Verification};
use crate::lock::{Lock, Params};
use crate::servers::redis::{Persistence, Redis, RedisMessage};
use crate::site::Site;
use crate::wire::Ctx;

/// A client of one Redis, released by a blind `DEL`.
pub struct RedisSetPxDel {
    key: RedisKey,
    ttl: Duration,
}

/// Parameters of `redis-set-px-del`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedisSetPxDelParams {
    /// The key's time to live: 30 s in the documentation's example.
    pub ttl: Span,
    /// The persistence of the server.
    pub persistence: Persistence,
    #[serde(skip)]
    #[schemars(skip)]
    deadline: bool,
}

impl Default for RedisSetPxDelParams {
    fn default() -> Self {
        RedisSetPxDelParams { ttl: Span(Duration::from_secs(30)), persistence: Persistence::None, deadline: false }
    }
}

impl Params for RedisSetPxDelParams {
    fn set_ttl(&mut self, ttl: Duration) {
        self.ttl = Span(ttl);
    }

    fn effective_expiry(&self) -> Option<Duration> {
        Some(self.ttl.0)
    }

    fn set_variant(&mut self, variant: &str) -> bool {
        self.deadline = variant == "docs-deadline";
        VARIANTS.iter().any(|known| known.name == variant)
    }
}

const PAGE: &str = "redis.io, Distributed Locks with Redis, Correct Implementation with a Single Instance";

const VARIANTS: &[VariantInfo] = &[
    VariantInfo {
        name: "docs",
        about: "the pattern that the page warns of, which has no check. The default, because the page has no other",
        source: PAGE,
    },
    VariantInfo {
        name: "docs-deadline",
        about: "the same, and a deadline check that the program writes itself; no library offers it",
        source: PAGE,
    },
];

const EXCLUSIVE: Promise = Promise {
    requirement: Requirement::Exclusive,
    answer: Answer::No,
    says: "a plain DEL is not safe: a client that was blocked for longer than the validity removes a lock that \
        another client has acquired since",
    source: PAGE,
};

impl Lock for RedisSetPxDel {
    const INFO: LockInfo = LockInfo::new("redis-set-px-del", "one Redis: SET NX PX, released by a blind DEL")
        .expectations(include_str!("expectations.toml"))
        .family(Family::Redis)
        .expiry(Expiry::ServerWallClock)
        .validity()
        .variants(VARIANTS)
        .reentrancy(Reentrancy::Refused)
        .promises(&[EXCLUSIVE, AVOIDS_DEADLOCK, HIGHLY_AVAILABLE, REENTRANT, FENCING, ORDER])
        .flawed_defaults(&["the release deletes the key whoever set it, so a late one frees another client's lock"])
        .verification(Verification::Documentation)
        .sources(&[PAGE]);
    type Params = RedisSetPxDelParams;
    type Message = RedisMessage;

    fn deploy(params: &RedisSetPxDelParams, site: &mut Site<'_, RedisMessage>) {
        site.server("redis-1", Redis::new(params.persistence));
    }

    fn connect(params: &RedisSetPxDelParams, ctx: Ctx<RedisMessage>, key: ResourceId) -> Self {
        RedisSetPxDel { key: RedisKey::connect(ctx, key, JEDIS), ttl: params.ttl.0 }
    }

    /// The documentation calls the time to live the lock's validity. It counts from before the request.
    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        let asked = self.key.driver.ctx.mono();
        self.key.set_px(attempt.id, self.ttl).await?;
        let valid_until = self.key.driver.ctx.deadline(asked, self.ttl);
        Ok(Grant { id: attempt.id, token: None, valid_until: Some(valid_until) })
    }

    async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        self.key.delete(grant.id).await
    }

    async fn check(&mut self, grant: &Grant) -> Result<bool, LockError> {
        Ok(grant.valid_until.is_some_and(|until| !self.key.driver.ctx.passed(until)))
    }

    fn info(params: &RedisSetPxDelParams) -> LockInfo {
        match params.deadline {
            true => Self::INFO.check(super::redis_set_px::OWN_DEADLINE),
            false => Self::INFO,
        }
    }

    /// The key's expiry is a time of the server's wall clock: backward steps and slow rates lengthen it.
    fn takeover_bound(params: &RedisSetPxDelParams, allowance: &BoundAllowance) -> Duration {
        poll_bound(allowance.stretch_wall(params.ttl.0), allowance)
    }
}
