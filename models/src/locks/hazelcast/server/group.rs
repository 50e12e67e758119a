//! The replicated state of a CP group: its sessions and its locks (cp/internal/session/RaftSessionRegistry.java,
//! cp/internal/datastructures/lock/LockService.java). It has no clock: see [`super::expiries`].

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::lock::{FencedLock, Key, Outcome};
use super::{Endpoint, Op, Reply, SessionId};
use crate::history::{Cause, Event, GrantId, ResourceId, Token};
use crate::servers::raft::{GroundTruthLog, Machine};

/// Sessions and locks.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// The maximal number of nested acquires; 0 is unlimited.
    limit: u32,
    ttl: Duration,
    heartbeat: Duration,
    next_session: SessionId,
    /// Each session with its version, which every activity increments.
    sessions: BTreeMap<SessionId, u64>,
    locks: BTreeMap<ResourceId, FencedLock>,
}

/// The effects of an operation.
#[derive(Debug, Default)]
pub struct Effects {
    /// The answer; `None` if the operation waits.
    pub reply: Option<Reply>,
    /// Answers to waiting operations, by log index.
    pub others: Vec<(Token, Reply)>,
    /// The changes of grants, in this order.
    pub notes: Vec<Note>,
    /// The active session.
    pub alive: Option<SessionId>,
}

/// A change of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// The grant began.
    Granted(GrantId),
    /// The grant ended.
    Ended(GrantId, Cause),
}

impl Note {
    /// The event of the history, at this server.
    pub fn to_event(self, server: fencepost_sim::NodeId) -> Event {
        match self {
            Note::Granted(grant) => Event::Granted { server, grant },
            Note::Ended(grant, cause) => Event::Ended { server, grant, cause },
        }
    }
}

impl Group {
    /// An empty group. A holder may acquire `limit` times; 0 is unlimited, as in `FencedLockConfig`.
    pub fn new(limit: u32, ttl: Duration, heartbeat: Duration) -> Self {
        let limit = if limit == 0 { u32::MAX } else { limit };
        let (sessions, locks) = (BTreeMap::new(), BTreeMap::new());
        Group { limit, ttl, heartbeat, next_session: 0, sessions, locks }
    }

    /// Applies the operation at `index` of the log.
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
            Op::GetOwner { resource } => {
                Effects { reply: Some(Reply::Owner { owner: self.owner(*resource) }), ..Effects::default() }
            }
            Op::ExpireSessions { sessions } => {
                let expired = sessions.iter().filter(|(id, version)| self.sessions.get(id) == Some(version));
                let expired: Vec<_> = expired.map(|(id, _)| *id).collect();
                self.close(&expired, Cause::Expired)
            }
            Op::CloseInactive { sessions } => {
                let idle = |id: &&SessionId| !self.is_in_use(**id);
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

    /// Whether the session holds or waits for a lock.
    pub fn is_in_use(&self, session: SessionId) -> bool {
        self.locks.values().any(|lock| lock.is_in_use(session))
    }

    /// The owner of a lock.
    pub fn owner(&self, resource: ResourceId) -> Option<Endpoint> {
        self.locks.get(&resource).and_then(FencedLock::owner)
    }

    /// Whether this request waits.
    pub fn waits(&self, resource: ResourceId, uid: u64) -> bool {
        self.locks.get(&resource).is_some_and(|lock| lock.waits(uid))
    }

    /// The open sessions.
    pub fn sessions(&self) -> impl Iterator<Item = SessionId> + '_ {
        self.sessions.keys().copied()
    }

    /// The current grants and their sessions.
    pub fn holders(&self) -> impl Iterator<Item = (GrantId, SessionId)> + '_ {
        self.locks.values().filter_map(FencedLock::holder)
    }

    /// Makes the session IDs of a replacement group distinct from those of the lost one, as the identifiers of two
    /// groups differ in their seeds (cp/internal/RaftGroupId.java).
    pub(super) fn with_seed(self, seed: u32) -> Self {
        Group { next_session: u64::from(seed) << 32, ..self }
    }

    fn create_session(&mut self) -> Effects {
        self.next_session += 1;
        let session = self.next_session;
        self.sessions.insert(session, 0);
        let reply = Reply::Session { session, ttl: self.ttl, heartbeat: self.heartbeat };
        Effects { reply: Some(reply), alive: Some(session), ..Effects::default() }
    }

    /// Runs an operation of a session, which is a heartbeat too (`AbstractBlockingService.heartbeatSession`).
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
            truth.note(note.to_event(truth.server()));
        }
        effects
    }
}
