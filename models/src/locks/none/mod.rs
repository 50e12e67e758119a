//! No lock at all: the baseline of all comparisons.

use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use serde::Serialize;

use crate::grant::{Attempt, Grant, LockError};
use crate::guarded::STORE_TIMEOUT;
use crate::history::ResourceId;
use crate::info::LockInfo;
use crate::lock::{Lock, NoParams};
use crate::site::Site;
use crate::wire::Ctx;

/// Every acquire succeeds at once.
pub struct NoLock {
    ctx: Ctx<Silence>,
}

/// The message type of a lock without servers.
#[derive(Clone, Debug, Serialize)]
pub enum Silence {}

impl Lock for NoLock {
    const INFO: LockInfo = LockInfo::new("none", "no lock at all: every acquire succeeds at once")
        .expectations(include_str!("expectations.toml"));
    type Params = NoParams;
    type Message = Silence;

    fn deploy(_: &NoParams, _: &mut Site<'_, Silence>) {}

    fn connect(_: &NoParams, ctx: Ctx<Silence>, _: ResourceId) -> Self {
        NoLock { ctx }
    }

    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        self.ctx.reach_step("acquire-sent").await;
        Ok(Grant { id: attempt.id, token: None, valid_until: None })
    }

    async fn release(&mut self, _: &Grant) -> Result<(), LockError> {
        self.ctx.reach_step("release-sent").await;
        Ok(())
    }

    fn retry_delay(&mut self) -> Duration {
        Duration::ZERO
    }

    fn takeover_bound(_: &NoParams, _: &BoundAllowance) -> Duration {
        STORE_TIMEOUT
    }

    /// A client may still wait for the store after the healing.
    fn progress_bound(_: &NoParams, _: &BoundAllowance) -> Duration {
        2 * STORE_TIMEOUT
    }
}
