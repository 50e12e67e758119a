//! No lock at all: what everything else is measured against.

use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::guarded::inventory::{InventoryConfig, STORE_TIMEOUT};
use crate::info::LockInfo;
use crate::lock::{Attempt, Grant, Lock, LockError, Params, ResourceId};
use crate::site::Site;
use crate::wire::Ctx;

/// Every acquire succeeds at once.
pub struct NoLock {
    ctx: Ctx<Silence>,
}

/// It has no parameters.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoLockParams {}

/// It has no servers, so nothing is ever said.
#[derive(Clone, Debug, Serialize)]
pub enum Silence {}

impl Params for NoLockParams {
    fn set_ttl(&mut self, _: Duration) {}

    fn effective_expiry(&self) -> Option<Duration> {
        None
    }
}

impl Lock for NoLock {
    const INFO: LockInfo = LockInfo::new("none", "no lock at all: every acquire succeeds at once");
    type Params = NoLockParams;
    type Message = Silence;

    fn servers(_: &NoLockParams) -> Vec<String> {
        Vec::new()
    }

    fn deploy(_: &NoLockParams, _: &InventoryConfig, _: &mut Site<'_, Silence>) {}

    fn connect(_: &NoLockParams, ctx: Ctx<Silence>, _: ResourceId) -> Self {
        NoLock { ctx }
    }

    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        self.ctx.safepoint("acquire-sent").await;
        Ok(Grant { id: attempt.id, token: None, valid_until: None })
    }

    async fn release(&mut self, _: &Grant) -> Result<(), LockError> {
        self.ctx.safepoint("release-sent").await;
        Ok(())
    }

    fn is_held(&self, _: &Grant) -> bool {
        true
    }

    fn retry_delay(&mut self) -> Duration {
        Duration::ZERO
    }

    fn takeover_bound(_: &NoLockParams, _: &BoundAllowance) -> Duration {
        STORE_TIMEOUT
    }

    /// A client may still wait for the store when the faults are healed.
    fn progress_bound(_: &NoLockParams, _: &BoundAllowance) -> Duration {
        2 * STORE_TIMEOUT
    }
}
