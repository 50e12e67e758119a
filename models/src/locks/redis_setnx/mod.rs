//! One Redis, `SETNX lock value`, released by `DEL`: the lock used before Redis had `SET NX PX`, without an expiry.
//!
//! redis.io's page of `SETNX` discusses a failed client in "Handling deadlocks", and has clients compare a timestamp in
//! the value. Without that comparison, as here, the key of a failed client stays for ever.

use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::redis_driver::JEDIS;
use super::single_redis::{FENCING, HIGHLY_AVAILABLE, ORDER, REENTRANT, RedisKey, SETNX_PAGE};
use super::timing::poll_bound;
use crate::grant::{Attempt, Grant, LockError};
use crate::history::ResourceId;
use crate::info::{Answer, Family, LockInfo, Promise, Reentrancy, Requirement, Verification};
use crate::lock::{Lock, Params};
use crate::servers::redis::{Persistence, Redis, RedisMessage};
use crate::site::Site;
use crate::wire::Ctx;

/// A client of one Redis that takes the lock by `SETNX`.
pub struct RedisSetNx {
    key: RedisKey,
}

/// Parameters of `redis-setnx`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedisSetNxParams {
    /// How the server makes its commands durable.
    pub persistence: Persistence,
}

impl Params for RedisSetNxParams {}

const EXCLUSIVE: Promise = Promise {
    requirement: Requirement::Exclusive,
    answer: Answer::Silent,
    says: "the client that gets 1 has the lock; lost replies, restarts and failures of the server are not mentioned, \
        and the pattern is discouraged",
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
        .expectations(include_str!("expectations.toml"))
        .family(Family::Redis)
        .reentrancy(Reentrancy::Refused)
        .promises(&[EXCLUSIVE, AVOIDS_DEADLOCK, HIGHLY_AVAILABLE, REENTRANT, FENCING, ORDER])
        .flawed_defaults(&[
            "the key never expires, so a holder that crashes, or whose release is lost, leaves it for ever",
            "the release deletes the key whoever set it",
        ])
        .verification(Verification::Documentation)
        .sources(&[SETNX_PAGE, "redis.io, SETNX, Handling deadlocks"]);
    type Params = RedisSetNxParams;
    type Message = RedisMessage;

    fn deploy(params: &RedisSetNxParams, site: &mut Site<'_, RedisMessage>) {
        site.server("redis-1", Redis::new(params.persistence));
    }

    fn connect(_: &RedisSetNxParams, ctx: Ctx<RedisMessage>, resource: ResourceId) -> Self {
        RedisSetNx { key: RedisKey::connect(ctx, resource, JEDIS) }
    }

    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        self.key.set_if_absent(attempt.id).await?;
        Ok(Grant { id: attempt.id, token: None, valid_until: None })
    }

    async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        self.key.delete(grant.id).await
    }

    /// The lock promises nothing after a holder's crash, which leaves the lock taken for ever. This is the time within
    /// which a waiter gets a free lock.
    fn takeover_bound(_: &RedisSetNxParams, allowance: &BoundAllowance) -> Duration {
        poll_bound(Duration::ZERO, allowance)
    }
}
