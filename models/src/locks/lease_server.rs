//! The textbook lease with fencing tokens, one server. See [`crate::stores::lease_server`] for its sources.

use std::time::Duration;

use fencepost_sim::ConnId;
use fencepost_sim::fault::Harm;
use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{POLL, REQUEST_TIMEOUT, poll_bound};
use crate::lock::{Attempt, Expiry, Grant, Lock, LockError, LockInfo, Params, Reason};
use crate::site::Site;
use crate::stores::inventory::InventoryConfig;
use crate::stores::lease_server::{LeaseMessage, LeaseServer};
use crate::wire::Ctx;

/// A client of the lease server.
pub struct LeaseServerLock {
    params: LeaseServerParams,
    ctx: Ctx<LeaseMessage>,
    server: ConnId,
}

/// Parameters of `lease-server`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LeaseServerParams {
    /// The term of a lease. Gray and Cheriton recommend "a term of 10 seconds" for their file caches.
    pub ttl: Span,
    /// The client gives up by this share of the term before its own clock says so, in parts in a million: the allowance
    /// ε for clocks that run apart. One per cent here, as Redlock has it.
    pub allowance_ppm: u32,
}

impl Default for LeaseServerParams {
    fn default() -> Self {
        LeaseServerParams { ttl: Span(Duration::from_secs(10)), allowance_ppm: 10_000 }
    }
}

impl Params for LeaseServerParams {
    fn set_ttl(&mut self, ttl: Duration) {
        self.ttl = Span(ttl);
    }

    fn effective_expiry(&self) -> Option<Duration> {
        Some(self.ttl.0)
    }

    fn check(&self) -> Result<(), String> {
        match self.allowance_ppm {
            0..=999_999 => Ok(()),
            _ => Err("`allowance_ppm` leaves nothing of the term: it must be below 1000000".into()),
        }
    }
}

impl Lock for LeaseServerLock {
    const INFO: LockInfo = LockInfo {
        name: "lease-server",
        about: "the textbook lease with fencing tokens, on one server",
        expiry: Expiry::ServerMonotonicClock,
        in_store: false,
        commits_at_release: false,
        grants: true,
        validity: true,
        tokens: true,
        reentrancy: "refused",
        bugs: &[],
        sources: &[
            "Gray and Cheriton, Leases: An Efficient Fault-Tolerant Mechanism for Distributed File Cache Consistency, SOSP 1989",
            "Kleppmann, How to do distributed locking, 2016",
        ],
    };
    type Params = LeaseServerParams;
    type Message = LeaseMessage;

    fn servers(_: &LeaseServerParams) -> Vec<String> {
        vec!["lease-server".into()]
    }

    fn deploy(params: &LeaseServerParams, _: &InventoryConfig, site: &mut Site<'_, LeaseMessage>) {
        site.server("lease-server", LeaseServer::new(params.ttl.0));
    }

    fn connect(params: &LeaseServerParams, ctx: Ctx<LeaseMessage>) -> Self {
        let server = ctx.connect(ctx.find("lease-server"));
        LeaseServerLock { params: params.clone(), ctx, server }
    }

    /// The term counts from before the request was sent, so that the client gives up before the server does.
    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        let asked = self.ctx.mono();
        let reply = self.ctx.ask(self.server, LeaseMessage::Acquire { attempt: attempt.id }, REQUEST_TIMEOUT);
        self.ctx.safepoint("acquire-sent").await;
        let LeaseMessage::Granted { token } = reply.await? else { return Err(LockError::Failed(Reason::Busy)) };
        let allowance = self.params.ttl.0 * self.params.allowance_ppm / 1_000_000;
        let valid_until = self.ctx.deadline(asked, self.params.ttl.0 - allowance);
        if self.ctx.passed(valid_until) {
            return Err(LockError::Failed(Reason::NotHeld));
        }
        Ok(Grant { id: attempt.id, token: Some(token), valid_until: Some(valid_until) })
    }

    async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        let Some(token) = grant.token else { return Err(LockError::Failed(Reason::NotHeld)) };
        let release = LeaseMessage::Release { token, on_behalf: grant.id };
        let reply = self.ctx.ask(self.server, release, REQUEST_TIMEOUT);
        self.ctx.safepoint("release-sent").await;
        match reply.await? {
            LeaseMessage::Released => Ok(()),
            _ => Err(LockError::Failed(Reason::NotHeld)),
        }
    }

    fn is_held(&self, grant: &Grant) -> bool {
        grant.valid_until.is_some_and(|until| !self.ctx.passed(until))
    }

    fn retry_delay(&mut self) -> Duration {
        POLL
    }

    /// The term runs on the server's monotonic clock: slow rates and stopped machines lengthen it, clock steps do not. A
    /// server that restarts in between waits out one more term.
    fn takeover_bound(params: &LeaseServerParams, harm: &Harm) -> Duration {
        poll_bound(harm.stretch_mono(2 * params.ttl.0), harm)
    }

    fn progress_bound(params: &LeaseServerParams, harm: &Harm) -> Duration {
        Self::takeover_bound(params, harm)
    }
}
