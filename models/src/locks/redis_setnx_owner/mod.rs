//! One Redis, `SETNX lock value`, released by the script that deletes the key only if it still has the holder's value
//! (redis.io, "Distributed Locks with Redis"): `redis-setnx` with the safe release, still without an expiry.

use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;

use super::single_redis::{DISTLOCK, RedisKey, SETNX_PAGE};
use super::timing::{REQUEST_TIMEOUT, poll_bound};
use crate::grant::{Attempt, Grant, LockError, Reason};
use crate::history::ResourceId;
use crate::info::{Family, LockInfo, Reentrancy, Verification};
use crate::lock::{Lock, NoParams};
use crate::servers::redis::{Persistence, Redis, RedisMessage};
use crate::site::Site;
use crate::wire::Ctx;

/// A client of one Redis that takes the lock by `SETNX` and releases only its own key.
pub struct RedisSetNxOwner {
    key: RedisKey,
}

impl Lock for RedisSetNxOwner {
    const INFO: LockInfo = LockInfo::new("redis-setnx-owner", "one Redis: SETNX without expiry, compared delete")
        .expectations(include_str!("expectations.toml"))
        .family(Family::Redis)
        .reentrancy(Reentrancy::Refused)
        .flawed_defaults(&["the key never expires, so a holder that crashes leaves it for ever"])
        .verification(Verification::RealServerAvailable)
        .sources(&[SETNX_PAGE, DISTLOCK]);
    type Params = NoParams;
    type Message = RedisMessage;

    fn deploy(_: &NoParams, site: &mut Site<'_, RedisMessage>) {
        site.server("redis-1", Redis::new(Persistence::default()));
    }

    fn connect(_: &NoParams, ctx: Ctx<RedisMessage>, resource: ResourceId) -> Self {
        RedisSetNxOwner { key: RedisKey::connect(ctx, resource) }
    }

    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        self.key.set_if_absent(attempt.id).await?;
        Ok(Grant { id: attempt.id, token: None, valid_until: None })
    }

    async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        let RedisKey { ctx, key, redis } = &self.key;
        let reply = ctx.ask(*redis, RedisMessage::DelIfEqual { value: grant.id, key: *key }, REQUEST_TIMEOUT);
        ctx.reach_step("release-sent").await;
        match reply.await? {
            RedisMessage::Done => Ok(()),
            _ => Err(LockError::Failed(Reason::NotHeld)),
        }
    }

    /// As for `redis-setnx`: the time within which a waiter gets a free lock.
    fn takeover_bound(_: &NoParams, allowance: &BoundAllowance) -> Duration {
        poll_bound(Duration::ZERO, allowance)
    }
}
