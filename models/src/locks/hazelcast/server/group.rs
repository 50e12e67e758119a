//! The replicated state of a CP group: its sessions and its locks (cp/internal/session/RaftSessionRegistry.java,
//! cp/internal/datastructures/lock/LockService.java). It knows no clock: see [`super::stamps`].

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::lock::{FencedLock, Key, Outcome};
use super::{Endpoint, Op, Reply, SessionId};
use crate::history::ResourceId;
use crate::history::{Cause, Event, GrantId, Token};
use crate::servers::raft::{GroundTruthLog, Machine};

/// Sessions and locks.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// How often a holder may acquire.
    limit: u32,
    ttl: Duration,
    heartbeat: Duration,
    next_session: SessionId,
    /// Each with its version, which every sign of life raises.
    sessions: BTreeMap<SessionId, u64>,
    locks: BTreeMap<ResourceId, FencedLock>,
}

/// What came of an operation.
#[derive(Debug, Default)]
pub struct Effects {
    /// The answer to it; nothing if it waits.
    pub reply: Option<Reply>,
    /// Answers to operations that waited, by their places in the log.
    pub others: Vec<(Token, Reply)>,
    /// What happened to grants, in this order.
    pub notes: Vec<Note>,
    /// The session that gave a sign of life.
    pub alive: Option<SessionId>,
}

/// What happened to a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// Its Record began.
    Granted(GrantId),
    /// Its Record ended.
    Ended(GrantId, Cause),
}

impl Note {
    /// The event of the history, at this server.
    pub fn at(self, server: fencepost_sim::NodeId) -> Event {
        match self {
            Note::Granted(grant) => Event::Granted { server, grant },
            Note::Ended(grant, cause) => Event::Ended { server, grant, cause },
        }
    }
}

impl Group {
    /// No sessions, no locks. A holder may acquire `limit` times; 0 is no limit, as in `FencedLockConfig`.
    pub fn new(limit: u32, ttl: Duration, heartbeat: Duration) -> Self {
        let limit = if limit == 0 { u32::MAX } else { limit };
        let (sessions, locks) = (BTreeMap::new(), BTreeMap::new());
        Group { limit, ttl, heartbeat, next_session: 0, sessions, locks }
    }

    /// Carries out the operation that stands at `index` of the log.
    pub fn run(&mut self, index: Token, op: &Op) -> Effects {
        match op {
            Op::CreateSession => self.create_session(),
            Op::Heartbeat { session } => {
                self.alive(*session, |_| Outcome { reply: Some(Reply::Done), ..Outcome::default() })
            }
            Op::TryLock { resource, endpoint, uid, timeout_ms, attempt } => {
                let key = Key { endpoint: *endpoint, uid: *uid, index, attempt: *attempt };
                let (wait, limit) = (*timeout_ms > 0, self.limit);
                self.alive(endpoint.session, |group| group.lock(*resource).acquire(key, wait, limit))
            }
            Op::Unlock { resource, endpoint, uid, on_behalf } => self.unlock(*resource, *endpoint, *uid, *on_behalf),
            Op::ExpireSessions { sessions } => {
                let expired = sessions.iter().filter(|(id, version)| self.sessions.get(id) == Some(version));
                let expired: Vec<_> = expired.map(|(id, _)| *id).collect();
                self.close(&expired, Cause::Expired)
            }
            Op::CloseInactive { sessions } => {
                let idle = |id: &&SessionId| !self.attached(**id);
                let idle: Vec<_> = sessions.iter().filter(idle).copied().collect();
                self.close(&idle, Cause::Revoked)
            }
            Op::ExpireWaits { waits } => {
                let others = waits.iter().flat_map(|(resource, uid)| self.lock(*resource).expire(*uid)).collect();
                Effects { reply: Some(Reply::Done), others, ..Effects::default() }
            }
        }
    }

    /// The version of a session, if it is open.
    pub fn version(&self, session: SessionId) -> Option<u64> {
        self.sessions.get(&session).copied()
    }

    /// Whether the session holds or waits for something.
    pub fn attached(&self, session: SessionId) -> bool {
        self.locks.values().any(|lock| lock.attached(session))
    }

    /// Whether this request waits.
    pub fn waits(&self, resource: ResourceId, uid: u64) -> bool {
        self.locks.get(&resource).is_some_and(|lock| lock.waits(uid))
    }

    /// The sessions that are open.
    pub fn sessions(&self) -> impl Iterator<Item = SessionId> + '_ {
        self.sessions.keys().copied()
    }

    /// All grants that are held, with the sessions that they depend on.
    pub fn holders(&self) -> impl Iterator<Item = (GrantId, SessionId)> + '_ {
        self.locks.values().filter_map(FencedLock::holder)
    }

    /// The same for a group that takes the place of one that was lost: nobody can take its sessions for those of the
    /// other, as the identifiers of two groups differ in their seeds (cp/internal/RaftGroupId.java).
    pub(super) fn seeded(self, seed: u32) -> Self {
        Group { next_session: u64::from(seed) << 32, ..self }
    }

    fn create_session(&mut self) -> Effects {
        self.next_session += 1;
        let session = self.next_session;
        self.sessions.insert(session, 0);
        let reply = Reply::Session { session, ttl: self.ttl, heartbeat: self.heartbeat };
        Effects { reply: Some(reply), alive: Some(session), ..Effects::default() }
    }

    /// Each operation of a session is a heartbeat too (`AbstractBlockingService.heartbeatSession`).
    fn alive(&mut self, session: SessionId, act: impl FnOnce(&mut Self) -> Outcome) -> Effects {
        let Some(version) = self.sessions.get_mut(&session) else {
            return Effects { reply: Some(Reply::SessionExpired), ..Effects::default() };
        };
        *version += 1;
        let mut effects = Effects { alive: Some(session), ..Effects::default() };
        let outcome = act(self);
        effects.reply = outcome.reply;
        effects.add(outcome, Cause::Revoked);
        effects
    }

    fn unlock(&mut self, resource: ResourceId, endpoint: Endpoint, uid: u64, on_behalf: GrantId) -> Effects {
        let mut effects = self.alive(endpoint.session, |group| group.lock(resource).release(endpoint, uid));
        for note in &mut effects.notes {
            if let Note::Ended(_, cause) = note {
                *cause = Cause::Released(on_behalf);
            }
        }
        effects
    }

    fn close(&mut self, sessions: &[SessionId], cause: Cause) -> Effects {
        let mut effects = Effects { reply: Some(Reply::Done), ..Effects::default() };
        for session in sessions {
            self.sessions.remove(session);
        }
        for session in sessions {
            for lock in self.locks.values_mut() {
                effects.add(lock.close_session(*session), cause);
            }
        }
        effects
    }

    fn lock(&mut self, resource: ResourceId) -> &mut FencedLock {
        self.locks.entry(resource).or_default()
    }
}

impl Effects {
    fn add(&mut self, outcome: Outcome, cause: Cause) {
        self.others.extend(outcome.others);
        self.notes.extend(outcome.ended.map(|grant| Note::Ended(grant, cause)));
        self.notes.extend(outcome.granted.map(Note::Granted));
    }
}

impl Machine for Group {
    type Command = Op;
    type Answer = Effects;

    fn apply(&mut self, truth: &mut GroundTruthLog, index: u64, op: &Op) -> Effects {
        let effects = self.run(index, op);
        for note in &effects.notes {
            truth.note(note.at(truth.server()));
        }
        effects
    }
}
