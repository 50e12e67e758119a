//! One Redis, `SET lock value NX PX ttl`, released by a blind `DEL`: the documentation warns of this variant, since a
//! late release deletes any later lock.

use super::redis_set_px::{PxLock, ReleaseRule};
use super::single_redis::{AVOIDS_DEADLOCK, FENCING, HIGHLY_AVAILABLE, ORDER, REENTRANT};
use crate::history::{GrantId, ResourceId};
use crate::info::{Answer, Promise, Requirement};
use crate::servers::redis::RedisMessage;

/// Releases by deleting the key, whoever set it.
pub struct BlindDelete;

const PROMISES: &[Promise] = &[EXCLUSIVE, AVOIDS_DEADLOCK, HIGHLY_AVAILABLE, REENTRANT, FENCING, ORDER];

const EXCLUSIVE: Promise = Promise {
    requirement: Requirement::Exclusive,
    answer: Answer::No,
    says: "a plain DEL is not safe: a client that was blocked for longer than the validity removes a lock that \
        another client has acquired since",
    source: "redis.io, Distributed Locks with Redis, Correct Implementation with a Single Instance",
};

/// One Redis, released by a blind `DEL`.
pub type RedisSetPxDel = PxLock<BlindDelete>;

impl ReleaseRule for BlindDelete {
    const NAME: &'static str = "redis-set-px-del";
    const ABOUT: &'static str = "one Redis: SET NX PX, released by a blind DEL";
    const PROMISES: &'static [Promise] = PROMISES;
    const EXPECTATIONS: &'static str = include_str!("expectations.toml");
    const FLAWS: &'static [&'static str] =
        &["the release deletes the key whoever set it, so a late one frees another client's lock"];

    fn release(grant: GrantId, key: ResourceId) -> RedisMessage {
        RedisMessage::Del { on_behalf: grant, key }
    }
}
