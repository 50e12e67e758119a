//! The state of one lock: its owner, its count, the waiters, and the answers to the owner's requests
//! (cp/internal/datastructures/lock/Lock.java, spi/blocking/BlockingResource.java).

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::{Endpoint, Reply, SessionId};
use crate::history::{GrantId, Token};

/// A request for the lock (`LockInvocationKey`). Its log index is the fence, if it is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Key {
    pub endpoint: Endpoint,
    pub uid: u64,
    pub index: Token,
    pub attempt: GrantId,
}

/// A waiting request, and the log indices of its repetitions.
#[derive(Clone, Debug, Serialize)]
struct Wait {
    key: Key,
    retries: Vec<Token>,
}

/// A lock.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct FencedLock {
    owner: Option<Key>,
    count: u32,
    /// In order of arrival.
    waits: Vec<Wait>,
    /// The answers to requests of the owner, to failed requests, and to the last unlock of the previous owner
    /// (`ownerInvocationRefUids`), so that a repeated request has no second effect.
    #[serde(serialize_with = "pairs")]
    answered: BTreeMap<(Endpoint, u64), Reply>,
}

/// The result of a request.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// `None` if the request waits.
    pub reply: Option<Reply>,
    /// Answers to other requests, by log index.
    pub others: Vec<(Token, Reply)>,
    /// The grant that ended.
    pub ended: Option<GrantId>,
    /// The grant that began.
    pub granted: Option<GrantId>,
}

impl Outcome {
    fn with_reply(reply: Reply) -> Self {
        Outcome { reply: Some(reply), ..Outcome::default() }
    }
}

impl FencedLock {
    /// `acquire`: with `wait`, the request waits if another endpoint has the lock.
    pub fn acquire(&mut self, key: Key, wait: bool, limit: u32) -> Outcome {
        if let Some(answered) = self.answered.get(&(key.endpoint, key.uid)) {
            return Outcome::with_reply(*answered);
        }
        let granted = self.owner.is_none().then_some(key.attempt);
        let owner = *self.owner.get_or_insert(key);
        if owner.endpoint == key.endpoint {
            let reply = if self.count == limit { Reply::NotLocked } else { locked(&owner) };
            self.count = limit.min(self.count + 1);
            self.answered.insert((key.endpoint, key.uid), reply);
            return Outcome { granted, ..Outcome::with_reply(reply) };
        }
        let others = self.cancel(key.endpoint, key.uid);
        if !wait {
            self.answered.insert((key.endpoint, key.uid), Reply::NotLocked);
            return Outcome { others, ..Outcome::with_reply(Reply::NotLocked) };
        }
        match self.waits.iter_mut().find(|wait| wait.key.endpoint == key.endpoint) {
            Some(same) => same.retries.push(key.index),
            None => self.waits.push(Wait { key, retries: Vec::new() }),
        }
        Outcome { others, ..Outcome::default() }
    }

    /// `release`.
    pub fn release(&mut self, endpoint: Endpoint, uid: u64) -> Outcome {
        if let Some(answered) = self.answered.get(&(endpoint, uid)) {
            return Outcome::with_reply(*answered);
        }
        let Some(owner) = self.owner.filter(|owner| owner.endpoint == endpoint) else {
            return Outcome { others: self.cancel(endpoint, uid), ..Outcome::with_reply(Reply::NotOwner) };
        };
        self.count -= 1;
        if self.count > 0 {
            let reply = Reply::Unlocked { still: true };
            self.answered.insert((endpoint, uid), reply);
            return Outcome::with_reply(reply);
        }
        let mut outcome = self.hand_over(&owner);
        let reply = Reply::Unlocked { still: false };
        self.answered.insert((endpoint, uid), reply);
        outcome.reply = Some(reply);
        outcome
    }

    /// Ends a wait.
    pub fn expire(&mut self, uid: u64) -> Vec<(Token, Reply)> {
        let Some(index) = self.waits.iter().position(|wait| wait.key.uid == uid) else { return Vec::new() };
        let wait = self.waits.remove(index);
        self.answered.insert((wait.key.endpoint, uid), Reply::NotLocked);
        wait.answer(Reply::NotLocked)
    }

    /// Ends the waits and the holding of a closed session.
    pub fn close_session(&mut self, session: SessionId) -> Outcome {
        let mut others = self.remove_waits(|wait| wait.key.endpoint.session == session, Reply::SessionExpired);
        self.answered.retain(|(endpoint, _), _| endpoint.session != session);
        let Some(owner) = self.owner.filter(|owner| owner.endpoint.session == session) else {
            return Outcome { others, ..Outcome::default() };
        };
        let mut outcome = self.hand_over(&owner);
        others.append(&mut outcome.others);
        Outcome { others, ..outcome }
    }

    /// Whether the session holds or waits for this lock.
    pub fn is_in_use(&self, session: SessionId) -> bool {
        let mut keys = self.owner.iter().chain(self.waits.iter().map(|wait| &wait.key));
        keys.any(|key| key.endpoint.session == session)
    }

    /// The grant and the session of the owner.
    pub fn holder(&self) -> Option<(GrantId, SessionId)> {
        self.owner.map(|owner| (owner.attempt, owner.endpoint.session))
    }

    /// The owner.
    pub fn owner(&self) -> Option<Endpoint> {
        self.owner.map(|owner| owner.endpoint)
    }

    /// Whether this request waits.
    pub fn waits(&self, uid: u64) -> bool {
        self.waits.iter().any(|wait| wait.key.uid == uid)
    }

    fn hand_over(&mut self, old: &Key) -> Outcome {
        self.answered.retain(|(endpoint, _), _| *endpoint != old.endpoint);
        let mut outcome = Outcome { ended: Some(old.attempt), ..Outcome::default() };
        (self.owner, self.count) = (None, 0);
        if !self.waits.is_empty() {
            let next = self.waits.remove(0);
            let reply = locked(&next.key);
            (self.owner, self.count, outcome.granted) = (Some(next.key), 1, Some(next.key.attempt));
            self.answered.insert((next.key.endpoint, next.key.uid), reply);
            outcome.others = next.answer(reply);
        }
        outcome
    }

    /// Cancels older requests of the endpoint: a new one replaces them.
    fn cancel(&mut self, endpoint: Endpoint, uid: u64) -> Vec<(Token, Reply)> {
        self.remove_waits(|wait| wait.key.endpoint == endpoint && wait.key.uid != uid, Reply::Cancelled)
    }

    fn remove_waits(&mut self, which: impl Fn(&Wait) -> bool, reply: Reply) -> Vec<(Token, Reply)> {
        let mut answers = Vec::new();
        self.waits.retain(|wait| {
            let goes = which(wait);
            if goes {
                answers.extend(wait.clone().answer(reply));
            }
            !goes
        });
        answers
    }
}

impl Wait {
    fn answer(self, reply: Reply) -> Vec<(Token, Reply)> {
        std::iter::once(self.key.index).chain(self.retries).map(|index| (index, reply)).collect()
    }
}

/// Serializes a map as pairs, since JSON allows only strings as keys.
fn pairs<S: Serializer>(map: &BTreeMap<(Endpoint, u64), Reply>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(map)
}

fn locked(owner: &Key) -> Reply {
    Reply::Locked { fence: owner.index, attempt: owner.attempt }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(session: SessionId, index: u64) -> Key {
        Key { endpoint: Endpoint { session, thread: 1 }, uid: index, index, attempt: GrantId(index as u32) }
    }

    fn fence(index: u64) -> Reply {
        Reply::Locked { fence: index, attempt: GrantId(index as u32) }
    }

    #[test]
    fn a_holder_acquires_again_with_the_same_fence_and_releases_as_often() {
        let mut lock = FencedLock::default();
        let held = key(1, 5);
        assert_eq!(lock.acquire(held, true, 2).reply, Some(fence(5)));
        assert_eq!(lock.acquire(Key { uid: 6, index: 6, ..held }, true, 2).reply, Some(fence(5)));
        assert_eq!(lock.acquire(Key { uid: 7, index: 7, ..held }, true, 2).reply, Some(Reply::NotLocked), "the limit");
        assert_eq!(lock.acquire(held, true, 2).reply, Some(fence(5)), "a repeated request is not counted");
        assert_eq!(lock.acquire(key(2, 8), true, 2).reply, None);
        assert_eq!(lock.release(held.endpoint, 100).reply, Some(Reply::Unlocked { still: true }));
        let last = lock.release(held.endpoint, 101);
        assert_eq!((last.reply, last.others), (Some(Reply::Unlocked { still: false }), vec![(8, fence(8))]));
        assert_eq!((last.ended, last.granted), (Some(GrantId(5)), Some(GrantId(8))));
        assert_eq!(lock.release(held.endpoint, 101).reply, Some(Reply::Unlocked { still: false }), "remembered");
    }

    #[test]
    fn a_new_request_cancels_the_waiting_one_and_a_repeated_one_does_not() {
        let mut lock = FencedLock::default();
        lock.acquire(key(1, 1), true, 9);
        let waiter = key(2, 2);
        lock.acquire(waiter, true, 9);
        assert!(lock.acquire(Key { index: 3, ..waiter }, true, 9).others.is_empty());
        let newer = lock.acquire(Key { uid: 4, index: 4, ..waiter }, true, 9);
        assert_eq!(newer.others, [(2, Reply::Cancelled), (3, Reply::Cancelled)]);
        assert!(lock.waits(4) && !lock.waits(2));
        assert_eq!(lock.expire(4), [(4, Reply::NotLocked)]);
        assert_eq!(lock.release(waiter.endpoint, 9).reply, Some(Reply::NotOwner));
    }

    #[test]
    fn a_closed_session_passes_its_lock_to_the_next_waiter() {
        let mut lock = FencedLock::default();
        lock.acquire(key(1, 1), true, 9);
        lock.acquire(key(2, 2), true, 9);
        lock.acquire(key(3, 3), true, 9);
        assert_eq!(lock.close_session(2).others, [(2, Reply::SessionExpired)]);
        let outcome = lock.close_session(1);
        assert_eq!((outcome.ended, outcome.granted), (Some(GrantId(1)), Some(GrantId(3))));
        assert_eq!(lock.holder(), Some((GrantId(3), 3)));
        assert!(!lock.is_in_use(1) && lock.is_in_use(3));
    }
}
