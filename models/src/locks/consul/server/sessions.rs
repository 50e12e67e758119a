//! Sessions and their timers (agent/consul/session_ttl.go, session_endpoint.go).

use std::time::Duration;

use super::machine::{Change, Terms};
use super::queries::Requester;
use super::replica::{Consul, Ticket, WriteTicket, answer, tag};
use super::{ConsulMessage, Reply};
use crate::history::GrantId;
use crate::servers::raft::Core;
use crate::wire::Env;

/// The ratio of a session's timer to its time to live (structs.SessionTTLMultiplier).
const TTL_MULTIPLIER: u32 = 2;

/// structs.SessionTTLMax.
const TTL_MAX: Duration = Duration::from_secs(24 * 3600);

/// session_ttl.go, `maxInvalidateAttempts` and `invalidateRetryBase`.
const INVALIDATE_ATTEMPTS: u64 = 6;
const INVALIDATE_RETRY: Duration = Duration::from_secs(10);

impl Consul {
    pub(super) fn create(
        &mut self,
        env: &mut Env<'_, ConsulMessage>,
        core: &mut Core<Self>,
        requester: Requester,
        session: GrantId,
        terms: Terms,
    ) {
        // A session cannot be created on a check that is critical (state/session.go, `validateSessionChecksTxn`).
        if self.gossip.is_failed(terms.node) || !(self.config.session_ttl_min..=TTL_MAX).contains(&terms.ttl) {
            return answer(env, requester, Reply::Invalid);
        }
        let ticket = WriteTicket { requester, created: Some((session, terms)) };
        core.propose(&Change::Create { session, terms }, Ticket::Write(ticket));
    }

    /// Renews a session locally (agent/consul/session_endpoint.go, `Renew`).
    pub(super) fn renew(
        &mut self,
        env: &mut Env<'_, ConsulMessage>,
        core: &mut Core<Self>,
        requester: Requester,
        session: GrantId,
    ) {
        let terms = core.machine().session(session);
        if let Some(terms) = terms {
            self.time_session(env, session, terms);
        }
        answer(env, requester, Reply::Done { ok: terms.is_some() });
    }

    pub(super) fn time_session(&mut self, env: &mut Env<'_, ConsulMessage>, session: GrantId, terms: Terms) {
        let timer = env.set_timer(terms.ttl * TTL_MULTIPLIER, tag::SESSION | u64::from(session.0) << 8);
        if let Some(old) = self.sessions.insert(session, timer) {
            env.cancel_timer(old);
        }
    }

    pub(super) fn invalidate(
        &mut self,
        env: &mut Env<'_, ConsulMessage>,
        core: &mut Core<Self>,
        session: GrantId,
        attempt: u64,
    ) {
        if core.leads() {
            core.propose(&Change::Destroy { session, expired: true }, Ticket::Invalidate(session, attempt));
        } else {
            schedule_invalidation(env, session, attempt);
        }
    }

    pub(super) fn end_session(&mut self, env: &mut Env<'_, ConsulMessage>, session: GrantId) {
        if let Some(timer) = self.sessions.remove(&session) {
            env.cancel_timer(timer);
        }
    }
}

/// Schedules another attempt. A deposed server keeps trying, and would end the session if it led again by then.
pub(super) fn schedule_invalidation(env: &mut Env<'_, ConsulMessage>, session: GrantId, attempt: u64) {
    if attempt + 1 < INVALIDATE_ATTEMPTS {
        let tag = (tag::INVALIDATE + attempt + 1) | u64::from(session.0) << 8;
        env.set_timer(INVALIDATE_RETRY * (1 << attempt), tag);
    }
}
