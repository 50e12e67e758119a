//! What the locks on a single Redis share: the key of a `SETNX` lock, and what redis.io promises.

use fencepost_sim::ConnId;

use super::timing::REQUEST_TIMEOUT;
use crate::grant::{LockError, Reason};
use crate::history::{GrantId, ResourceId};
use crate::info::{Answer, Promise, Requirement};
use crate::servers::redis::RedisMessage;
use crate::wire::Ctx;

/// A lock's key on a single Redis, as its client uses it.
pub(super) struct RedisKey {
    pub ctx: Ctx<RedisMessage>,
    pub key: ResourceId,
    pub redis: ConnId,
}

impl RedisKey {
    pub fn connect(ctx: Ctx<RedisMessage>, key: ResourceId) -> Self {
        let redis = ctx.connect(ctx.find("redis-1"));
        RedisKey { ctx, key, redis }
    }

    /// `SETNX`.
    pub async fn set_if_absent(&self, value: GrantId) -> Result<(), LockError> {
        let reply = self.ctx.ask(self.redis, RedisMessage::SetNx { value, key: self.key }, REQUEST_TIMEOUT);
        self.ctx.reach_step("acquire-sent").await;
        match reply.await? {
            RedisMessage::Done => Ok(()),
            _ => Err(LockError::Failed(Reason::Busy)),
        }
    }

    /// `DEL`, whoever set the key: the page and old client libraries compare nothing.
    pub async fn delete(&self, on_behalf: GrantId) -> Result<(), LockError> {
        let reply = self.ctx.ask(self.redis, RedisMessage::Del { on_behalf, key: self.key }, REQUEST_TIMEOUT);
        self.ctx.reach_step("release-sent").await;
        match reply.await? {
            RedisMessage::Done => Ok(()),
            _ => Err(LockError::Failed(Reason::NotHeld)),
        }
    }
}

/// The page on locks without `SET NX PX`.
pub(super) const SETNX_PAGE: &str = "redis.io, SETNX, Design pattern: Locking with SETNX";

/// The page that describes the pattern.
pub(super) const DISTLOCK: &str = "redis.io, Distributed Locks with Redis";

pub(super) const AVOIDS_DEADLOCK: Promise = Promise {
    requirement: Requirement::AvoidsDeadlock,
    answer: Answer::Yes,
    says: "the key expires, so another client can finally acquire the lock even if its holder crashed or was cut off",
    source: "redis.io, Distributed Locks with Redis, Safety and Liveness Guarantees",
};

pub(super) const HIGHLY_AVAILABLE: Promise = Promise {
    requirement: Requirement::HighlyAvailable,
    answer: Answer::No,
    says: "one instance is a single point of failure, and a replica does not help: replication is asynchronous",
    source: "redis.io, Distributed Locks with Redis, Why Failover-based Implementations Are Not Enough",
};

pub(super) const REENTRANT: Promise = Promise {
    requirement: Requirement::Reentrant,
    answer: Answer::Silent,
    says: "acquiring again is not described; NX rejects every client while the key exists",
    source: DISTLOCK,
};

pub(super) const FENCING: Promise = Promise {
    requirement: Requirement::Fencing,
    answer: Answer::No,
    says: "advises to use fencing tokens, above all for long work, and gives none: the key's value is random, so it \
        has no order",
    source: "redis.io, Distributed Locks with Redis, Disclaimer about consistency",
};

pub(super) const ORDER: Promise = Promise {
    requirement: Requirement::Order,
    answer: Answer::Silent,
    says: "clients that fail try again later, in any order",
    source: DISTLOCK,
};
