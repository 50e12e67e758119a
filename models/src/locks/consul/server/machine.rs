//! The replicated state of Consul: sessions and keys (agent/consul/state/session.go, kvs.go).

use std::collections::BTreeMap;
use std::time::Duration;

use fencepost_sim::NodeId;
use serde::{Deserialize, Serialize};

use crate::history::{Cause, Event, GrantId, ResourceId};
use crate::servers::raft::{GroundTruthLog, Machine};

/// Sessions and keys.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Catalog {
    sessions: BTreeMap<GrantId, Terms>,
    keys: BTreeMap<ResourceId, Key>,
}

/// The settings of a session.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Terms {
    /// The session lives at least this long after its last renewal.
    pub ttl: Duration,
    /// The time after its end during which its keys cannot be acquired.
    pub lock_delay: Duration,
    /// The node of the agent that created it.
    pub node: NodeId,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Key {
    holder: Option<GrantId>,
    lock_index: u64,
    modify_index: u64,
}

/// A command of Consul's log.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum Change {
    /// Creates a session.
    Create { session: GrantId, terms: Terms },
    /// Ends a session, after its expiry or on its client's request, and frees its keys.
    Destroy { session: GrantId, expired: bool },
    /// A session acquires a key.
    Lock { resource: ResourceId, session: GrantId },
    /// A session releases a key.
    Unlock { resource: ResourceId, session: GrantId },
}

/// The result of a command.
#[derive(Debug)]
pub enum Outcome {
    /// Whether the command took effect.
    Done(bool),
    /// The session does not exist.
    Invalid,
    /// The session has ended and its keys are free after the lock-delay.
    Ended {
        /// The freed keys.
        freed: Vec<ResourceId>,
        /// Its lock-delay.
        lock_delay: Duration,
    },
}

impl Machine for Catalog {
    type Command = Change;
    type Answer = Outcome;

    fn apply(&mut self, truth: &mut GroundTruthLog, index: u64, change: &Change) -> Outcome {
        match *change {
            Change::Create { session, terms } => {
                self.sessions.insert(session, terms);
                Outcome::Done(true)
            }
            Change::Destroy { session, expired } => self.destroy(truth, index, session, expired),
            Change::Lock { resource, session } => self.lock(truth, index, resource, session),
            Change::Unlock { resource, session } => self.unlock(truth, index, resource, session),
        }
    }
}

impl Catalog {
    /// The terms of a session.
    pub fn session(&self, session: GrantId) -> Option<Terms> {
        self.sessions.get(&session).copied()
    }

    /// All sessions.
    pub fn sessions(&self) -> impl Iterator<Item = (GrantId, Terms)> {
        self.sessions.iter().map(|(session, terms)| (*session, *terms))
    }

    /// A key's index, its holder and its `LockIndex`. The index of a key that was never written is 1: 0 would make a
    /// blocking query return at once, for ever (kvs_endpoint.go, `Get`).
    pub fn entry(&self, resource: ResourceId) -> (u64, Option<(GrantId, u64)>) {
        match self.keys.get(&resource) {
            Some(key) => (key.modify_index, key.holder.map(|holder| (holder, key.lock_index))),
            None => (1, None),
        }
    }

    fn lock(&mut self, truth: &mut GroundTruthLog, index: u64, resource: ResourceId, session: GrantId) -> Outcome {
        if !self.sessions.contains_key(&session) {
            return Outcome::Invalid;
        }
        let key = self.keys.entry(resource).or_default();
        match key.holder {
            Some(holder) if holder != session => return Outcome::Done(false),
            Some(_) => {}
            None => {
                key.holder = Some(session);
                key.lock_index += 1;
                truth.note(Event::Granted { server: truth.server(), grant: session });
            }
        }
        key.modify_index = index;
        Outcome::Done(true)
    }

    fn unlock(&mut self, truth: &mut GroundTruthLog, index: u64, resource: ResourceId, session: GrantId) -> Outcome {
        let held = self.keys.get_mut(&resource).filter(|key| key.holder == Some(session));
        let Some(key) = held else { return Outcome::Done(false) };
        (key.holder, key.modify_index) = (None, index);
        let cause = Cause::Released(session);
        truth.note(Event::Ended { server: truth.server(), grant: session, cause });
        Outcome::Done(true)
    }

    fn destroy(&mut self, truth: &mut GroundTruthLog, index: u64, session: GrantId, expired: bool) -> Outcome {
        let Some(terms) = self.sessions.remove(&session) else { return Outcome::Done(true) };
        let mut freed = Vec::new();
        for (resource, key) in self.keys.iter_mut().filter(|(_, key)| key.holder == Some(session)) {
            (key.holder, key.modify_index) = (None, index);
            let cause = if expired { Cause::Expired } else { Cause::Revoked };
            truth.note(Event::Ended { server: truth.server(), grant: session, cause });
            freed.push(*resource);
        }
        Outcome::Ended { freed, lock_delay: terms.lock_delay }
    }
}
