//! Locks on one Redis, taken by `SET lock value NX PX ttl` or a script to the same effect, and released by a script that
//! compares the value: the single-instance pattern of redis.io, "Distributed Locks with Redis", section "Correct
//! Implementation with a Single Instance". The libraries differ in their driver, their check and their reentrancy; see
//! [`Port`].

mod params;

use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;

use self::params::INFO;
pub(super) use self::params::OWN_DEADLINE;
pub use self::params::{Port, RedisPxParams};
use super::single_redis::RedisKey;
use crate::grant::{Attempt, Grant, LockError, Reason};
use crate::history::{GrantId, ResourceId};
use crate::info::LockInfo;
use crate::lock::{Lock, POLL};
use crate::servers::redis::{Redis, RedisMessage};
use crate::site::Site;
use crate::wire::Ctx;

/// A client of one Redis.
pub struct RedisSetPx {
    key: RedisKey,
    port: Port,
    ttl: Duration,
    /// Spring's `clientId`, a UUID of the process. The id of its first attempt is as unique.
    process: Option<GrantId>,
    /// The grants that the client holds, innermost last. Spring counts them in a local `ReentrantLock`.
    held: Vec<GrantId>,
}

impl RedisSetPx {
    fn ctx(&self) -> &Ctx<RedisMessage> {
        &self.key.driver.ctx
    }

    async fn try_acquire(&mut self, id: GrantId) -> Result<GrantId, LockError> {
        let (key, ttl_ms) = (self.key.key, self.ttl.as_millis() as u64);
        match self.port {
            Port::RedisPy | Port::Docs | Port::DocsDeadline => self.key.set_px(id, self.ttl).await.map(|()| id),
            // `Obtain`: the script sets a key again that has the same value, so a repeated request succeeds.
            Port::Redislock => self.key.acquire(&RedisMessage::Obtain { value: id, ttl_ms, key }).await.map(|()| id),
            Port::Spring => self.obtain_as_process(id, ttl_ms).await,
        }
    }

    /// `RedisLockRegistry.RedisLock.obtainLock`: the value is the same for all acquires of a process, nested ones too.
    async fn obtain_as_process(&mut self, attempt: GrantId, ttl_ms: u64) -> Result<GrantId, LockError> {
        let owner = *self.process.get_or_insert(attempt);
        let within = self.held.last().copied();
        let obtain = RedisMessage::ObtainAsOwner { owner, ttl_ms, attempt, within, key: self.key.key };
        match self.key.ask(&obtain, Some("acquire-sent")).await?.reply {
            RedisMessage::Locked { grant, .. } => Ok(grant),
            _ => Err(LockError::Failed(Reason::Busy)),
        }
    }
}

impl Lock for RedisSetPx {
    const INFO: LockInfo = INFO;
    type Params = RedisPxParams;
    type Message = RedisMessage;

    fn deploy(params: &RedisPxParams, site: &mut Site<'_, RedisMessage>) {
        site.server("redis-1", Redis::new(params.persistence));
    }

    fn connect(params: &RedisPxParams, ctx: Ctx<RedisMessage>, key: ResourceId) -> Self {
        let key = RedisKey::connect(ctx, key, params.port().policy());
        RedisSetPx { key, port: params.port(), ttl: params.ttl.0, process: None, held: Vec::new() }
    }

    /// Tries once. Only a redis-py client that already holds the lock waits here, for itself: `Lock.acquire` blocks by
    /// default.
    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        let asked = self.ctx().mono();
        let id = loop {
            match self.try_acquire(attempt.id).await {
                Err(LockError::Failed(Reason::Busy))
                    if self.port == Port::RedisPy
                        && !self.held.is_empty()
                        && self.ctx().mono() + POLL < attempt.give_up =>
                {
                    self.ctx().sleep(POLL).await;
                }
                result => break result?,
            }
        };
        self.held.push(id);
        let valid_until = self.port.has_validity().then(|| self.ctx().deadline(asked, self.ttl));
        Ok(Grant { id, token: None, valid_until })
    }

    /// Spring deletes the key only for the outermost grant.
    async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        if let Some(place) = self.held.iter().rposition(|held| *held == grant.id) {
            self.held.remove(place);
        }
        match (self.port, self.process) {
            (Port::Spring, _) if !self.held.is_empty() => {
                self.ctx().reach_step("release-sent").await;
                Ok(())
            }
            (Port::Spring, Some(owner)) => {
                let unlink = RedisMessage::UnlinkIfOwner { owner, on_behalf: grant.id, key: self.key.key };
                self.key.release(&unlink).await
            }
            _ => self.key.delete_if_equal(grant.id).await,
        }
    }

    async fn check(&mut self, grant: &Grant) -> Result<bool, LockError> {
        match self.port {
            Port::RedisPy => self.key.owned(grant.id).await,
            Port::Redislock => {
                let ttl = RedisMessage::PttlIfEqual { value: grant.id, key: self.key.key };
                Ok(matches!(self.key.check(&ttl).await?, RedisMessage::Number(left) if left > 0))
            }
            Port::DocsDeadline => Ok(grant.valid_until.is_some_and(|until| !self.ctx().passed(until))),
            Port::Docs | Port::Spring => Ok(true),
        }
    }

    fn info(params: &RedisPxParams) -> LockInfo {
        params.info()
    }

    /// The key's expiry is a time of the server's wall clock: backward steps and slow rates lengthen it. A waiter may
    /// first have to end a command that got no reply.
    fn takeover_bound(params: &RedisPxParams, allowance: &BoundAllowance) -> Duration {
        let command = params.port().policy().recovery();
        allowance.stretch_wall(params.ttl.0) + allowance.reconnect + 2 * command + 2 * POLL
    }

    /// A key whose acquire got no reply is held by nobody, and blocks even its own client until it expires.
    fn progress_bound(params: &RedisPxParams, allowance: &BoundAllowance) -> Duration {
        Self::takeover_bound(params, allowance) + allowance.stretch_wall(params.ttl.0)
    }
}
