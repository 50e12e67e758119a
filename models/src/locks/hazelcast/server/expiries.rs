//! The expiries of sessions and waits, by the wall clock of the member that keeps them.
//!
//! In Hazelcast these times are part of the replicated state, yet each replica computes them from its own
//! `Clock.currentTimeMillis()` when it applies the operation (cp/internal/session/CPSessionInfo.java, `heartbeat`, and
//! RaftSessionService.java, `createNewSession`). So replicas differ in them. Every replica proposes to close what has
//! expired by its own times, but only the leader's proposals are accepted, so the leader's wall clock decides. A clock
//! step by a whole time to live expires every session.

use std::collections::BTreeMap;
use std::time::Duration;

use fencepost_sim::WallDeadline;

use super::{Group, HazelcastMessage, Op, SessionId};
use crate::history::ResourceId;
use crate::wire::Env;

/// The interval between checks of sessions (RaftSessionService.java, `CHECK_EXPIRED_SESSIONS_TASK_PERIOD_IN_MILLIS`).
pub(super) const CHECK_SESSIONS: Duration = Duration::from_secs(1);

/// The interval between checks of waits (spi/blocking/AbstractBlockingService.java, `WAIT_TIMEOUT_TASK_PERIOD_MILLIS`).
pub(super) const CHECK_WAITS: Duration = Duration::from_millis(500);

/// The number of session checks after which old, unused sessions are closed
/// (`CHECK_INACTIVE_SESSIONS_TASK_PERIOD_IN_MILLIS`: 30 s).
const CHECKS_PER_INACTIVE: u64 = 30;

/// The expiry times of a member.
#[derive(Debug)]
pub(super) struct Expiries {
    ttl: Duration,
    sessions: BTreeMap<SessionId, Expiry>,
    waits: BTreeMap<(ResourceId, u64), WallDeadline>,
    checks: u64,
}

#[derive(Clone, Copy, Debug)]
struct Expiry {
    expires: WallDeadline,
    /// One time to live after the session was opened.
    old: WallDeadline,
}

impl Expiries {
    pub fn new(ttl: Duration) -> Self {
        Expiries { ttl, sessions: BTreeMap::new(), waits: BTreeMap::new(), checks: 0 }
    }

    /// Updates the times after an operation, in which the session `alive` was active.
    pub fn applied(&mut self, env: &Env<'_, HazelcastMessage>, group: &Group, op: &Op, alive: Option<SessionId>) {
        if let Some(session) = alive {
            let expires = env.wall_deadline(self.ttl);
            let expiry = self.sessions.entry(session).or_insert(Expiry { expires, old: expires });
            if expires.at > expiry.expires.at {
                expiry.expires = expires;
            }
        }
        match op {
            Op::TryLock { resource, uid, timeout_ms, .. } if group.waits(*resource, *uid) => {
                let timeout = Duration::from_millis(*timeout_ms);
                self.waits.entry((*resource, *uid)).or_insert_with(|| env.wall_deadline(timeout));
            }
            Op::ExpireSessions { .. } | Op::CloseInactive { .. } => {
                self.sessions.retain(|session, _| group.version(*session).is_some());
            }
            _ => {}
        }
    }

    /// Rebuilds the times for a state from another member. A real one sends its times along; here they restart, so they
    /// can only be later.
    pub fn adopt(&mut self, env: &Env<'_, HazelcastMessage>, group: &Group) {
        let fresh = env.wall_deadline(self.ttl);
        self.sessions.retain(|session, _| group.version(*session).is_some());
        for session in group.sessions() {
            self.sessions.entry(session).or_insert(Expiry { expires: fresh, old: fresh });
        }
    }

    /// Extends all times in a new term (RaftSessionService.java, `onNewTermCommit`).
    pub fn shift(&mut self, env: &Env<'_, HazelcastMessage>, by: Duration) {
        for expiry in self.sessions.values_mut() {
            expiry.expires = env.wall_deadline(expiry.expires.at + by - env.wall());
        }
    }

    /// The operations to propose for sessions, at a regular check.
    pub fn check_sessions(&mut self, env: &mut Env<'_, HazelcastMessage>, group: &Group) -> Vec<Op> {
        let mut ops = Vec::new();
        let expired = self.sessions.iter().filter(|(_, expiry)| env.wall_passed(expiry.expires));
        let sessions: Vec<_> = expired.filter_map(|(id, _)| Some((*id, group.version(*id)?))).collect();
        if !sessions.is_empty() {
            ops.push(Op::ExpireSessions { sessions });
        }
        self.checks += 1;
        if self.checks.is_multiple_of(CHECKS_PER_INACTIVE) {
            let old = self.sessions.iter().filter(|(id, expiry)| env.wall() > expiry.old.at && !group.is_in_use(**id));
            let sessions: Vec<_> = old.map(|(id, _)| *id).filter(|id| group.version(*id).is_some()).collect();
            if !sessions.is_empty() {
                ops.push(Op::CloseInactive { sessions });
            }
        }
        ops
    }

    /// The same for waits.
    pub fn check_waits(&mut self, env: &mut Env<'_, HazelcastMessage>, group: &Group) -> Option<Op> {
        self.waits.retain(|(resource, uid), _| group.waits(*resource, *uid));
        let over = self.waits.iter().filter(|(_, until)| env.wall_passed(**until));
        let waits: Vec<_> = over.map(|(wait, _)| *wait).collect();
        (!waits.is_empty()).then_some(Op::ExpireWaits { waits })
    }

    /// Whether any request waits.
    pub fn waits(&self) -> bool {
        !self.waits.is_empty()
    }

    /// The remaining time of the session.
    pub fn left(&self, env: &Env<'_, HazelcastMessage>, session: SessionId) -> Duration {
        self.sessions.get(&session).map_or(Duration::ZERO, |expiry| expiry.expires.at - env.wall())
    }

    pub fn clear(&mut self) {
        self.sessions.clear();
        self.waits.clear();
    }
}
