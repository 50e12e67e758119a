//! Redisson's scripts (redisson/redisson, RedissonLock.java and RedissonFencedLock.java of 2024, RedissonBaseLock.java
//! of 2022), and those of other libraries. Redis runs each atomically.

use std::time::Duration;

use super::RedisMessage;
use super::keyspace::{Change, Entry, GrantChange, Key, Value, WallClock};
use crate::history::{Cause, GrantId, ResourceId, Token};

impl<C: WallClock> Change<'_, C> {
    /// If the key is absent or has the owner's field: `HINCRBY`, `PEXPIRE`; otherwise `PTTL`. The fenced lock's script
    /// does an `INCR` of the counter first.
    pub fn lock(
        &mut self,
        key: ResourceId,
        owner: GrantId,
        lease: Duration,
        numbered: bool,
        (attempt, within): (GrantId, Option<GrantId>),
    ) -> RedisMessage {
        let held = match self.get(Key::Lock(key)) {
            Some(Entry { value: Value::Held { owner: of, count, grant }, .. }) if of == owner => Some((count, grant)),
            Some(entry) => return RedisMessage::Busy { left_ms: self.left(&entry).map(whole_millis) },
            None => None,
        };
        let token = numbered.then(|| self.next_token(key));
        let grant = self.resolve_grant(held.map(|(_, grant)| grant), attempt, within);
        let count = held.map_or(0, |(count, _)| count) + 1;
        let expires = Some(self.deadline(lease));
        self.put(Key::Lock(key), Entry { value: Value::Held { owner, count, grant }, expires });
        RedisMessage::Locked { grant, token }
    }

    /// Spring Integration's `OBTAIN_LOCK_SCRIPT`: `PEXPIRE` if the key has the owner's id, `SET PX` if it is absent.
    pub fn obtain_as_owner(
        &mut self,
        key: ResourceId,
        owner: GrantId,
        ttl: Duration,
        (attempt, within): (GrantId, Option<GrantId>),
    ) -> RedisMessage {
        let held = match self.get(Key::Lock(key)) {
            Some(entry) if !entry.value.is_held_by(owner) => return RedisMessage::Nothing,
            held => held.and_then(|entry| entry.value.grant()),
        };
        let grant = self.resolve_grant(held, attempt, within);
        let expires = Some(self.deadline(ttl));
        self.put(Key::Lock(key), Entry { value: Value::Held { owner, count: 1, grant }, expires });
        RedisMessage::Locked { grant, token: None }
    }

    /// Ground truth: a client that knows its grant re-enters it. If the reply to an earlier attempt was lost, the
    /// client does not know that grant: it ends and a new one begins. The server's count continues all the same.
    fn resolve_grant(&mut self, held: Option<GrantId>, attempt: GrantId, within: Option<GrantId>) -> GrantId {
        match held {
            Some(grant) if within == Some(grant) => return grant,
            Some(unknown) => self.note(GrantChange::Ended(unknown, Cause::Revoked)),
            None => {}
        }
        self.note(GrantChange::Granted(attempt));
        attempt
    }

    /// `INCR` of a key without expiry that no release deletes.
    fn next_token(&mut self, key: ResourceId) -> Token {
        let last = match self.get(Key::Token(key)) {
            Some(Entry { value: Value::Number(last), .. }) => last,
            _ => 0,
        };
        self.put(Key::Token(key), Entry { value: Value::Number(last + 1), expires: None });
        last + 1
    }

    /// Without the owner's field: null. Otherwise `HINCRBY -1`; above zero `PEXPIRE`, at zero `DEL` and `PUBLISH`.
    pub fn unlock(&mut self, key: ResourceId, owner: GrantId, ttl_ms: u64, by: GrantId) -> RedisMessage {
        match self.get(Key::Lock(key)) {
            Some(Entry { value: Value::Held { owner: of, count, grant }, .. }) if of == owner && count > 1 => {
                let expires = Some(self.deadline(Duration::from_millis(ttl_ms)));
                self.put(Key::Lock(key), Entry { value: Value::Held { owner, count: count - 1, grant }, expires });
                RedisMessage::Done
            }
            Some(entry @ Entry { value: Value::Held { owner: of, .. }, .. }) if of == owner => {
                self.delete(Key::Lock(key), entry, Cause::Released(by));
                self.applied.publish = Some(key);
                RedisMessage::Done
            }
            _ => RedisMessage::Nothing,
        }
    }
}

/// The unit of `PTTL`.
pub(super) fn whole_millis(left: Duration) -> u64 {
    u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
}
