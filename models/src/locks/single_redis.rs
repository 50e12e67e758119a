//! What the locks on a single Redis share: the key of a `SETNX` lock, and what redis.io promises.

use std::time::Duration;

use fencepost_sim::{CallError, ConnId};

use super::redis_driver::{Driver, Policy, Response};
use crate::grant::{LockError, Reason};
use crate::history::{GrantId, ResourceId};
use crate::info::{Answer, Promise, Requirement};
use crate::servers::redis::RedisMessage;
use crate::wire::Ctx;

/// A lock's key on a Redis, as its client uses it.
pub(super) struct RedisKey {
    pub driver: Driver,
    pub key: ResourceId,
    policy: Policy,
}

impl RedisKey {
    /// The key on the only server.
    pub fn connect(ctx: Ctx<RedisMessage>, key: ResourceId, policy: Policy) -> Self {
        let redis = ctx.connect(ctx.find("redis-1"));
        RedisKey::on(redis, ctx, key, policy)
    }

    /// The key on the server of this connection.
    pub fn on(redis: ConnId, ctx: Ctx<RedisMessage>, key: ResourceId, policy: Policy) -> Self {
        RedisKey { driver: Driver::new(ctx, redis), key, policy }
    }

    /// Sends a command. A server that rejects writes has certainly not executed it.
    pub async fn ask(&mut self, command: &RedisMessage, step: Option<&'static str>) -> Result<Response, LockError> {
        let answer = self.driver.ask(command, &self.policy, step).await?;
        match answer.reply {
            RedisMessage::ReadOnly | RedisMessage::NoReplicas => {
                Err(LockError::Failed(Reason::Call(CallError::Refused)))
            }
            _ => Ok(answer),
        }
    }

    /// An acquire. If the key exists, the library says that the lock is busy. That is wrong if an earlier request with
    /// the same value was executed, and its reply lost.
    pub async fn acquire(&mut self, command: &RedisMessage) -> Result<(), LockError> {
        match self.ask(command, Some("acquire-sent")).await? {
            Response { reply: RedisMessage::Done, .. } => Ok(()),
            Response { repeated: false, .. } => Err(LockError::Failed(Reason::Busy)),
            Response { repeated: true, .. } => Err(LockError::Unknown(Reason::Busy)),
        }
    }

    /// `SETNX`.
    pub async fn set_if_absent(&mut self, value: GrantId) -> Result<(), LockError> {
        self.acquire(&RedisMessage::SetNx { value, key: self.key }).await
    }

    /// `SET NX PX`.
    pub async fn set_px(&mut self, value: GrantId, ttl: Duration) -> Result<(), LockError> {
        let ttl_ms = ttl.as_millis() as u64;
        self.acquire(&RedisMessage::SetNxPx { value, ttl_ms, key: self.key }).await
    }

    /// A release. If it was repeated, an earlier request may have deleted the key.
    pub async fn release(&mut self, command: &RedisMessage) -> Result<(), LockError> {
        match self.ask(command, Some("release-sent")).await? {
            Response { reply: RedisMessage::Done, .. } => Ok(()),
            Response { repeated: false, .. } => Err(LockError::Failed(Reason::NotHeld)),
            Response { repeated: true, .. } => Err(LockError::Unknown(Reason::NotHeld)),
        }
    }

    /// `DEL`, whoever set the key: the page and old client libraries compare nothing.
    pub async fn delete(&mut self, on_behalf: GrantId) -> Result<(), LockError> {
        self.release(&RedisMessage::Del { on_behalf, key: self.key }).await
    }

    /// The script that deletes the key if it has this value.
    pub async fn delete_if_equal(&mut self, value: GrantId) -> Result<(), LockError> {
        self.release(&RedisMessage::DelIfEqual { value, key: self.key }).await
    }

    /// redis-py, `Lock.owned()`: `GET`, compared at the client. A failed command raises an exception.
    pub async fn owned(&mut self, value: GrantId) -> Result<bool, LockError> {
        let reply = self.check(&RedisMessage::Get { key: self.key }).await?;
        Ok(matches!(reply, RedisMessage::Found { value: found } if found == Some(value)))
    }

    /// A command that only reads. Without a reply, nothing is known.
    pub async fn check(&mut self, command: &RedisMessage) -> Result<RedisMessage, LockError> {
        match self.ask(command, None).await {
            Ok(answer) => Ok(answer.reply),
            Err(LockError::Failed(reason) | LockError::Unknown(reason)) => Err(LockError::Unknown(reason)),
        }
    }
}

/// What `Lock.owned()` of redis-py does.
pub(super) const OWNED: &str = "Lock.owned(): asks the server (GET) and compares at the client";

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
