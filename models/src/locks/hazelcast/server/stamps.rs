//! Until when sessions and waits last, by the wall clock of the member that keeps the table.
//!
//! In Hazelcast these times are part of what is replicated, and yet each replica computes them when it applies the
//! operation, from its own `Clock.currentTimeMillis()` (cp/internal/session/CPSessionInfo.java, `heartbeat`, and
//! RaftSessionService.java, `createNewSession`): replicas that are equal otherwise differ in them. Every replica looks at
//! its own table and proposes to close what has expired there; only the leader's proposals get anywhere, so it is the
//! leader's wall clock that counts. A step of it by a whole time to live expires every session.

use std::collections::BTreeMap;
use std::time::Duration;

use fencepost_sim::WallDeadline;

use super::{Group, HazelcastMessage, Op, SessionId};
use crate::history::ResourceId;
use crate::wire::Env;

/// How often sessions are looked through (RaftSessionService.java, `CHECK_EXPIRED_SESSIONS_TASK_PERIOD_IN_MILLIS`).
pub(super) const CHECK_SESSIONS: Duration = Duration::from_secs(1);

/// How often waits are (spi/blocking/AbstractBlockingService.java, `WAIT_TIMEOUT_TASK_PERIOD_MILLIS`).
pub(super) const CHECK_WAITS: Duration = Duration::from_millis(500);

/// Every how many looks at the sessions those are closed that have been there for a time to live and have nothing
/// attached to them (`CHECK_INACTIVE_SESSIONS_TASK_PERIOD_IN_MILLIS`: 30 s).
const LOOKS_PER_INACTIVE: u64 = 30;

/// A member's table.
#[derive(Debug)]
pub(super) struct Stamps {
    ttl: Duration,
    sessions: BTreeMap<SessionId, Stamp>,
    waits: BTreeMap<(ResourceId, u64), WallDeadline>,
    looks: u64,
}

#[derive(Clone, Copy, Debug)]
struct Stamp {
    expires: WallDeadline,
    /// A time to live after the session was opened.
    old: WallDeadline,
}

impl Stamps {
    pub fn new(ttl: Duration) -> Self {
        Stamps { ttl, sessions: BTreeMap::new(), waits: BTreeMap::new(), looks: 0 }
    }

    /// The operation was applied here and `alive` gave a sign of life by it.
    pub fn applied(&mut self, env: &Env<'_, HazelcastMessage>, group: &Group, op: &Op, alive: Option<SessionId>) {
        if let Some(session) = alive {
            let expires = env.wall_deadline(self.ttl);
            let stamp = self.sessions.entry(session).or_insert(Stamp { expires, old: expires });
            if expires.at > stamp.expires.at {
                stamp.expires = expires;
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

    /// The table for a state that came from another member. The real one brings the sender's times along; here they are
    /// counted anew, which can only be later.
    pub fn adopt(&mut self, env: &Env<'_, HazelcastMessage>, group: &Group) {
        let fresh = env.wall_deadline(self.ttl);
        self.sessions.retain(|session, _| group.version(*session).is_some());
        for session in group.sessions() {
            self.sessions.entry(session).or_insert(Stamp { expires: fresh, old: fresh });
        }
    }

    /// A new term: everybody gets a little longer (RaftSessionService.java, `onNewTermCommit`).
    pub fn shift(&mut self, env: &Env<'_, HazelcastMessage>, by: Duration) {
        for stamp in self.sessions.values_mut() {
            stamp.expires = env.wall_deadline(stamp.expires.at + by - env.wall());
        }
    }

    /// What is to be proposed about sessions, at one of the regular looks.
    pub fn look_at_sessions(&mut self, env: &mut Env<'_, HazelcastMessage>, group: &Group) -> Vec<Op> {
        let mut ops = Vec::new();
        let expired = self.sessions.iter().filter(|(_, stamp)| env.wall_passed(stamp.expires));
        let sessions: Vec<_> = expired.filter_map(|(id, _)| Some((*id, group.version(*id)?))).collect();
        if !sessions.is_empty() {
            ops.push(Op::ExpireSessions { sessions });
        }
        self.looks += 1;
        if self.looks.is_multiple_of(LOOKS_PER_INACTIVE) {
            let old = self.sessions.iter().filter(|(id, stamp)| env.wall() > stamp.old.at && !group.attached(**id));
            let sessions: Vec<_> = old.map(|(id, _)| *id).filter(|id| group.version(*id).is_some()).collect();
            if !sessions.is_empty() {
                ops.push(Op::CloseInactive { sessions });
            }
        }
        ops
    }

    /// The same for waits.
    pub fn look_at_waits(&mut self, env: &mut Env<'_, HazelcastMessage>, group: &Group) -> Option<Op> {
        self.waits.retain(|(resource, uid), _| group.waits(*resource, *uid));
        let over = self.waits.iter().filter(|(_, until)| env.wall_passed(**until));
        let waits: Vec<_> = over.map(|(wait, _)| *wait).collect();
        (!waits.is_empty()).then_some(Op::ExpireWaits { waits })
    }

    /// Whether somebody waits, as far as the table knows.
    pub fn waits(&self) -> bool {
        !self.waits.is_empty()
    }

    /// How long the session lasts yet.
    pub fn left(&self, env: &Env<'_, HazelcastMessage>, session: SessionId) -> Duration {
        self.sessions.get(&session).map_or(Duration::ZERO, |stamp| stamp.expires.at - env.wall())
    }

    pub fn clear(&mut self) {
        self.sessions.clear();
        self.waits.clear();
    }
}
