//! One Redis, `SET lock value NX PX ttl`, released by a blind `DEL`: the variant that the documentation warns of, since
//! a late release deletes whatever lock is there by then.

use std::time::Duration;

use fencepost_sim::fault::Harm;

use super::POLL;
use super::redis_set_px::{PxClient, RedisPxParams, RedisSetPx, SOURCE};
use crate::lock::{Attempt, Grant, Lock, LockError, LockInfo};
use crate::site::Site;
use crate::stores::inventory::InventoryConfig;
use crate::stores::redis::RedisMessage;
use crate::wire::Ctx;

/// A client of a single Redis that deletes blindly.
pub struct RedisSetPxDel(PxClient);

impl Lock for RedisSetPxDel {
    const INFO: LockInfo = LockInfo {
        name: "redis-set-px-del",
        about: "one Redis: SET NX PX, released by a blind DEL",
        sources: &[SOURCE],
        ..RedisSetPx::INFO
    };
    type Params = RedisPxParams;
    type Message = RedisMessage;

    fn servers(params: &RedisPxParams) -> Vec<String> {
        RedisSetPx::servers(params)
    }

    fn deploy(params: &RedisPxParams, data: &InventoryConfig, site: &mut Site<'_, RedisMessage>) {
        RedisSetPx::deploy(params, data, site);
    }

    fn connect(params: &RedisPxParams, ctx: Ctx<RedisMessage>) -> Self {
        RedisSetPxDel(PxClient::connect(params, ctx))
    }

    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        self.0.acquire(attempt).await
    }

    async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        self.0.release(RedisMessage::Del { on_behalf: grant.id }).await
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
