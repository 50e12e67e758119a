//! One Redis, `SET lock value NX PX ttl`, released by a blind `DEL`: the variant that the documentation warns of, since
//! a late release deletes whatever lock is there by then.

use super::redis_set_px::{PxLock, ReleaseRule};
use crate::history::GrantId;
use crate::stores::redis::RedisMessage;

/// Releases by deleting whatever is there.
pub struct BlindDelete;

/// One Redis, released by a blind `DEL`.
pub type RedisSetPxDel = PxLock<BlindDelete>;

impl ReleaseRule for BlindDelete {
    const NAME: &'static str = "redis-set-px-del";
    const ABOUT: &'static str = "one Redis: SET NX PX, released by a blind DEL";

    fn release(grant: GrantId) -> RedisMessage {
        RedisMessage::Del { on_behalf: grant }
    }
}
