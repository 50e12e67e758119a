//! The replicated state of a Chubby cell: sessions and locks.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::history::{Cause, Event, GrantId, ResourceId, Token};
use crate::servers::raft::{GroundTruthLog, Machine};

/// Sessions and locks.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Database {
    sessions: BTreeMap<GrantId, Session>,
    locks: BTreeMap<ResourceId, Lock>,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Session {
    /// The newest closed handle. A session opens one handle after the other.
    closed: Option<GrantId>,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Lock {
    holder: Option<Holder>,
    /// "The lock generation number ... increases when the node's lock transitions from free to held" (2.2).
    generation: Token,
    /// The lock-delay of the session whose end freed the lock.
    delay: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Holder {
    session: GrantId,
    handle: GrantId,
    lock_delay: Duration,
}

/// A change of the database.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum Update {
    /// Creates a session.
    Create { session: GrantId },
    /// Ends a session whose lease expired.
    End { session: GrantId },
    /// Acquires a lock for a handle.
    Acquire { resource: ResourceId, session: GrantId, handle: GrantId, lock_delay: Duration },
    /// Closes a handle and releases the lock if it holds it.
    Release { resource: ResourceId, session: GrantId, handle: GrantId },
}

/// The result of a change.
#[derive(Debug)]
pub enum Outcome {
    /// Done.
    Done,
    /// The lock is held with this generation.
    Acquired(Token),
    /// Another handle holds it.
    Busy,
    /// Whether the lock was held; it is free now.
    Released(bool),
    /// No such session or handle.
    Gone,
    /// The session has ended and these locks are free.
    Ended(Vec<ResourceId>),
}

impl Machine for Database {
    type Command = Update;
    type Answer = Outcome;

    fn apply(&mut self, truth: &mut GroundTruthLog, _: u64, update: &Update) -> Outcome {
        match *update {
            Update::Create { session } => {
                self.sessions.entry(session).or_default();
                Outcome::Done
            }
            Update::End { session } => self.end(truth, session),
            Update::Acquire { resource, session, handle, lock_delay } => {
                self.acquire(truth, resource, Holder { session, handle, lock_delay })
            }
            Update::Release { resource, session, handle } => self.release(truth, resource, session, handle),
        }
    }
}

impl Database {
    /// Whether the session exists.
    pub fn has_session(&self, session: GrantId) -> bool {
        self.sessions.contains_key(&session)
    }

    /// All sessions.
    pub fn sessions(&self) -> impl Iterator<Item = GrantId> {
        self.sessions.keys().copied()
    }

    /// Whether the lock is free.
    pub fn is_free(&self, resource: ResourceId) -> bool {
        self.locks.get(&resource).is_none_or(|lock| lock.holder.is_none())
    }

    /// Whether this handle holds the lock.
    pub fn holds(&self, resource: ResourceId, handle: GrantId) -> bool {
        let holder = self.locks.get(&resource).and_then(|lock| lock.holder);
        holder.is_some_and(|holder| holder.handle == handle)
    }

    /// The locks freed by the end of a session, and their lock-delays.
    pub fn delays(&self) -> impl Iterator<Item = (ResourceId, Duration)> {
        self.locks.iter().filter_map(|(resource, lock)| Some((*resource, lock.delay?)))
    }

    fn acquire(&mut self, truth: &mut GroundTruthLog, resource: ResourceId, asks: Holder) -> Outcome {
        let open = |session: &&Session| session.closed.is_none_or(|closed| closed < asks.handle);
        if self.sessions.get(&asks.session).filter(open).is_none() {
            return Outcome::Gone;
        }
        let lock = self.locks.entry(resource).or_default();
        match lock.holder {
            Some(holder) if holder.handle == asks.handle => Outcome::Acquired(lock.generation),
            Some(_) => Outcome::Busy,
            None => {
                *lock = Lock { holder: Some(asks), generation: lock.generation + 1, delay: None };
                truth.note(Event::Granted { server: truth.server(), grant: asks.handle });
                Outcome::Acquired(lock.generation)
            }
        }
    }

    fn release(
        &mut self,
        truth: &mut GroundTruthLog,
        resource: ResourceId,
        session: GrantId,
        handle: GrantId,
    ) -> Outcome {
        let Some(owner) = self.sessions.get_mut(&session) else { return Outcome::Gone };
        owner.closed = owner.closed.max(Some(handle));
        let held = |lock: &&mut Lock| lock.holder.is_some_and(|holder| holder.handle == handle);
        let Some(lock) = self.locks.get_mut(&resource).filter(held) else { return Outcome::Released(false) };
        lock.holder = None;
        truth.note(Event::Ended { server: truth.server(), grant: handle, cause: Cause::Released(handle) });
        Outcome::Released(true)
    }

    fn end(&mut self, truth: &mut GroundTruthLog, session: GrantId) -> Outcome {
        self.sessions.remove(&session);
        let mut freed = Vec::new();
        for (resource, lock) in &mut self.locks {
            let Some(holder) = lock.holder.take_if(|holder| holder.session == session) else { continue };
            lock.delay = Some(holder.lock_delay);
            truth.note(Event::Ended { server: truth.server(), grant: holder.handle, cause: Cause::Expired });
            freed.push(*resource);
        }
        Outcome::Ended(freed)
    }
}
