//! The textbook lease with fencing tokens, one server. See [`crate::locks::lease_server::server`] for its sources.

pub mod server;

use std::time::Duration;

use fencepost_sim::ConnId;
use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::timing::{REQUEST_TIMEOUT, poll_bound};
use crate::grant::{Attempt, Grant, LockError, Reason};
use crate::history::ResourceId;
use crate::info::{Answer, Expiry, Family, LockInfo, Promise, Reentrancy, Requirement};
use crate::lock::{Lock, Params};
use crate::locks::lease_server::server::{LeaseMessage, LeaseServer};
use crate::site::Site;
use crate::wire::Ctx;

/// A client of the lease server.
pub struct LeaseServerLock {
    params: LeaseServerParams,
    ctx: Ctx<LeaseMessage>,
    resource: ResourceId,
    server: ConnId,
}

/// Parameters of `lease-server`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LeaseServerParams {
    /// The term of a lease. Gray and Cheriton recommend "a term of 10 seconds" for their file caches.
    pub ttl: Span,
    /// The share of the term, in ppm, by which the client gives up before its own clock reaches the end: the allowance
    /// ε for clock rates. 1 % here, as in Redlock.
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

const LEASES: &str = "Gray and Cheriton, Leases, SOSP 1989";
const FENCING: &str = "Kleppmann, How to do distributed locking, 2016";

const PROMISES: &[Promise] = &[
    Promise {
        requirement: Requirement::Exclusive,
        answer: Answer::Conditional,
        says: "consistent as long as clocks run at nearly the same rate: a server clock that is too fast, \
                or a client clock that is too slow, breaks it; so does a holder that is paused past its \
                term, if the store does not check tokens",
        source: "Gray and Cheriton, Leases, SOSP 1989; Kleppmann, How to do distributed locking, 2016",
    },
    Promise {
        requirement: Requirement::AvoidsDeadlock,
        answer: Answer::Yes,
        says: "a client that crashed or cannot be reached delays the others by at most the rest of its term",
        source: LEASES,
    },
    Promise {
        requirement: Requirement::HighlyAvailable,
        answer: Answer::No,
        says: "one server: no client gets a lease while it is down, nor for one more term after a restart",
        source: LEASES,
    },
    Promise {
        requirement: Requirement::Reentrant,
        answer: Answer::Silent,
        says: "acquiring again is not described; this server rejects it",
        source: LEASES,
    },
    Promise {
        requirement: Requirement::Fencing,
        answer: Answer::Yes,
        says: "every grant has a higher number than the previous one, and the store rejects lower ones",
        source: FENCING,
    },
    Promise {
        requirement: Requirement::Order,
        answer: Answer::Silent,
        says: "clients that poll come in any order",
        source: LEASES,
    },
];

impl Lock for LeaseServerLock {
    const INFO: LockInfo = LockInfo::new("lease-server", "the textbook lease with fencing tokens, on one server")
        .expectations(include_str!("expectations.toml"))
        .family(Family::LeaseServer)
        .expiry(Expiry::ServerMonotonicClock)
        .validity()
        .token("a number that grows with every grant, durable before the reply")
        .check("local state: the end of the term by the client's monotonic clock, less the allowance")
        .reentrancy(Reentrancy::Refused)
        .promises(PROMISES)
        .sources(&[
            "Gray and Cheriton, Leases: An Efficient Fault-Tolerant Mechanism for Distributed File Cache \
                Consistency, SOSP 1989",
            "Kleppmann, How to do distributed locking, 2016",
        ]);
    type Params = LeaseServerParams;
    type Message = LeaseMessage;

    fn deploy(params: &LeaseServerParams, site: &mut Site<'_, LeaseMessage>) {
        site.server("lease-server", LeaseServer::new(params.ttl.0));
    }

    fn connect(params: &LeaseServerParams, ctx: Ctx<LeaseMessage>, resource: ResourceId) -> Self {
        let server = ctx.connect(ctx.find("lease-server"));
        LeaseServerLock { params: params.clone(), ctx, resource, server }
    }

    /// The term counts from before the request was sent, so that the client gives up before the server does.
    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        let asked = self.ctx.mono();
        let acquire = LeaseMessage::Acquire { resource: self.resource, attempt: attempt.id };
        let reply = self.ctx.ask(self.server, acquire, REQUEST_TIMEOUT);
        self.ctx.reach_step("acquire-sent").await;
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
        let release = LeaseMessage::Release { resource: self.resource, token, on_behalf: grant.id };
        let reply = self.ctx.ask(self.server, release, REQUEST_TIMEOUT);
        self.ctx.reach_step("release-sent").await;
        match reply.await? {
            LeaseMessage::Released => Ok(()),
            _ => Err(LockError::Failed(Reason::NotHeld)),
        }
    }

    async fn check(&mut self, grant: &Grant) -> Result<bool, LockError> {
        Ok(grant.valid_until.is_some_and(|until| !self.ctx.passed(until)))
    }

    /// The term runs on the server's monotonic clock: slow rates and stopped machines lengthen it, clock steps do not.
    /// A server that restarts meanwhile waits for one more term.
    fn takeover_bound(params: &LeaseServerParams, allowance: &BoundAllowance) -> Duration {
        poll_bound(allowance.stretch_mono(2 * params.ttl.0), allowance)
    }
}
