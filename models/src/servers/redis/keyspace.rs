//! The data set of Redis, without a node.

use std::collections::BTreeMap;
use std::time::Duration;

use fencepost_sim::{Message, Wall, WallDeadline};
use serde::Serialize;

use super::RedisMessage;
use super::scripts::whole_millis;
use crate::history::{Cause, GrantId, ResourceId};
use crate::wire::Env;

/// The clock by which a master sets and checks expiries.
pub trait WallClock {
    /// The time.
    fn now(&self) -> Wall;
    /// The deadline `after` from now.
    fn deadline(&self, after: Duration) -> WallDeadline;
    /// Whether the deadline has passed.
    fn passed(&mut self, deadline: WallDeadline) -> bool;
}

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Key {
    /// The lock.
    Lock(ResourceId),
    /// The counter of the lock's tokens: `redisson_lock_token:{name}`.
    Token(ResourceId),
}

/// The value of a key, with its expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The value.
    pub value: Value,
    /// The expiry, by the master's wall clock.
    pub expires: Option<WallDeadline>,
}

/// The value of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// A string: the attempt that set the key.
    Text(GrantId),
    /// A hash with one field, since Redisson's script adds none beside another owner's: the owner, its number of
    /// acquisitions and, as ground truth, the attempt that began the grant. Also the string of a lock whose value is
    /// its owner's id, with a count of 1.
    Held {
        /// The field.
        owner: GrantId,
        /// The field's value.
        count: u32,
        /// Ground truth.
        grant: GrantId,
    },
    /// A number.
    Number(u64),
}

/// A change of the data set, for replicas and the append-only file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// The key has this value now.
    Put(Key, Entry),
    /// The key was deleted.
    Del(Key),
}

/// A change of a grant, as ground truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantChange {
    /// The grant began.
    Granted(GrantId),
    /// The grant ended.
    Ended(GrantId, Cause),
}

/// The result of a command.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The reply.
    pub reply: RedisMessage,
    /// The changes: one transaction, to be replayed as a whole.
    pub records: Vec<Record>,
    /// The changes of grants.
    pub grant_changes: Vec<GrantChange>,
    /// The lock whose subscribers are notified.
    pub publish: Option<ResourceId>,
}

/// The data set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keyspace {
    keys: BTreeMap<Key, Entry>,
}

impl Keyspace {
    /// Applies a command as a master. Other messages change nothing.
    pub fn apply(&mut self, command: &RedisMessage, clock: &mut impl WallClock) -> Applied {
        let mut change = Change { keys: self, clock, applied: Applied::default() };
        change.applied.reply = change.command(command);
        change.applied
    }

    /// Deletes all expired keys, as a master.
    pub fn expire(&mut self, clock: &mut impl WallClock) -> Applied {
        let keys: Vec<Key> = self.keys.keys().copied().collect();
        let mut change = Change { keys: self, clock, applied: Applied::default() };
        keys.into_iter().for_each(|key| {
            change.get(key);
        });
        change.applied
    }

    /// Applies a change that a master made.
    pub fn replay(&mut self, record: &Record) {
        match *record {
            Record::Put(key, entry) => {
                self.keys.insert(key, entry);
            }
            Record::Del(key) => {
                self.keys.remove(&key);
            }
        }
    }

    /// The records that create this data set from an empty one.
    pub fn records(&self) -> Vec<Record> {
        self.keys.iter().map(|(key, entry)| Record::Put(*key, *entry)).collect()
    }

    /// The earliest expiry.
    pub fn next_expiry(&self) -> Option<WallDeadline> {
        self.keys.values().filter_map(|entry| entry.expires).min_by_key(|deadline| deadline.at)
    }

    /// The grants in the data set and their ends.
    pub fn grants(&self) -> impl Iterator<Item = (GrantId, Option<WallDeadline>)> {
        self.keys.values().filter_map(|entry| Some((entry.value.grant()?, entry.expires)))
    }
}

impl Value {
    /// The grant that the value represents.
    pub fn grant(&self) -> Option<GrantId> {
        match *self {
            Value::Text(grant) | Value::Held { grant, .. } => Some(grant),
            Value::Number(_) => None,
        }
    }

    /// Whether the value names this owner.
    pub fn is_held_by(&self, by: GrantId) -> bool {
        matches!(*self, Value::Held { owner, .. } if owner == by)
    }
}

impl Default for Applied {
    fn default() -> Self {
        Applied { reply: RedisMessage::Nothing, records: Vec::new(), grant_changes: Vec::new(), publish: None }
    }
}

/// A command while it is applied, atomically.
pub(super) struct Change<'a, C> {
    keys: &'a mut Keyspace,
    clock: &'a mut C,
    pub applied: Applied,
}

impl<C: WallClock> Change<'_, C> {
    fn command(&mut self, command: &RedisMessage) -> RedisMessage {
        match *command {
            RedisMessage::SetNxPx { value, ttl_ms, key } => self.set_if_absent(key, value, Some(ttl_ms)),
            RedisMessage::SetNx { value, key } => self.set_if_absent(key, value, None),
            RedisMessage::Expire { ttl_ms, key } => self.renew_if(key, ttl_ms, |_| true),
            RedisMessage::ExtendIfEqual { value, ttl_ms, key } => {
                self.renew_if(key, ttl_ms, |found| found == Value::Text(value))
            }
            RedisMessage::Del { on_behalf, key } => self.delete_if(key, on_behalf, |_| true),
            RedisMessage::DelIfEqual { value, key } => self.delete_if(key, value, |found| found == Value::Text(value)),
            RedisMessage::Lock { owner, ttl_ms, numbered, attempt, within, key } => {
                self.lock(key, owner, Duration::from_millis(ttl_ms), numbered, (attempt, within))
            }
            RedisMessage::Unlock { owner, ttl_ms, on_behalf, key } => self.unlock(key, owner, ttl_ms, on_behalf),
            RedisMessage::Renew { owner, ttl_ms, key } => self.renew_if(key, ttl_ms, |found| found.is_held_by(owner)),
            RedisMessage::GetToken { key } => match self.get(Key::Token(key)) {
                Some(Entry { value: Value::Number(token), .. }) => RedisMessage::Number(token),
                _ => RedisMessage::Nothing,
            },
            RedisMessage::Get { key } => {
                RedisMessage::Found { value: self.get(Key::Lock(key)).and_then(|entry| entry.value.grant()) }
            }
            RedisMessage::HExists { owner, key } => match self.get(Key::Lock(key)) {
                Some(entry) if entry.value.is_held_by(owner) => RedisMessage::Done,
                _ => RedisMessage::Nothing,
            },
            RedisMessage::PttlIfEqual { value, key } => match self.get(Key::Lock(key)) {
                Some(entry) if entry.value == Value::Text(value) => {
                    RedisMessage::Number(self.left(&entry).map_or(0, whole_millis))
                }
                _ => RedisMessage::Nothing,
            },
            RedisMessage::Obtain { value, ttl_ms, key } => match self.set_if_absent(key, value, Some(ttl_ms)) {
                RedisMessage::Done => RedisMessage::Done,
                _ => self.renew_if(key, ttl_ms, |found| found == Value::Text(value)),
            },
            RedisMessage::ObtainAsOwner { owner, ttl_ms, attempt, within, key } => {
                self.obtain_as_owner(key, owner, Duration::from_millis(ttl_ms), (attempt, within))
            }
            RedisMessage::UnlinkIfOwner { owner, on_behalf, key } => {
                self.delete_if(key, on_behalf, |found| found.is_held_by(owner))
            }
            _ => RedisMessage::Nothing,
        }
    }

    fn set_if_absent(&mut self, key: ResourceId, value: GrantId, ttl_ms: Option<u64>) -> RedisMessage {
        if self.get(Key::Lock(key)).is_some() {
            return RedisMessage::Nothing;
        }
        let expires = ttl_ms.map(|ttl| self.deadline(Duration::from_millis(ttl)));
        self.put(Key::Lock(key), Entry { value: Value::Text(value), expires });
        self.note(GrantChange::Granted(value));
        RedisMessage::Done
    }

    pub fn renew_if(&mut self, key: ResourceId, ttl_ms: u64, same: impl Fn(Value) -> bool) -> RedisMessage {
        match self.get(Key::Lock(key)) {
            Some(entry) if same(entry.value) => {
                let expires = Some(self.deadline(Duration::from_millis(ttl_ms)));
                self.put(Key::Lock(key), Entry { expires, ..entry });
                RedisMessage::Done
            }
            _ => RedisMessage::Nothing,
        }
    }

    fn delete_if(&mut self, key: ResourceId, by: GrantId, same: impl Fn(Value) -> bool) -> RedisMessage {
        match self.get(Key::Lock(key)) {
            Some(entry) if same(entry.value) => {
                self.delete(Key::Lock(key), entry, Cause::Released(by));
                RedisMessage::Done
            }
            _ => RedisMessage::Nothing,
        }
    }

    /// The entry of the key, which is deleted first if it has expired.
    pub fn get(&mut self, key: Key) -> Option<Entry> {
        let entry = *self.keys.keys.get(&key)?;
        if entry.expires.is_some_and(|deadline| self.clock.passed(deadline)) {
            self.delete(key, entry, Cause::Expired);
            return None;
        }
        Some(entry)
    }

    pub fn put(&mut self, key: Key, entry: Entry) {
        self.record(Record::Put(key, entry));
    }

    pub fn delete(&mut self, key: Key, entry: Entry, cause: Cause) {
        self.record(Record::Del(key));
        if let Some(grant) = entry.value.grant() {
            self.note(GrantChange::Ended(grant, cause));
        }
    }

    fn record(&mut self, record: Record) {
        self.keys.replay(&record);
        self.applied.records.push(record);
    }

    pub fn note(&mut self, change: GrantChange) {
        self.applied.grant_changes.push(change);
    }

    pub fn deadline(&self, after: Duration) -> WallDeadline {
        self.clock.deadline(after)
    }

    pub fn left(&self, entry: &Entry) -> Option<Duration> {
        entry.expires.map(|deadline| deadline.at - self.clock.now())
    }
}

impl<L: Message> WallClock for Env<'_, L> {
    fn now(&self) -> Wall {
        self.wall()
    }

    fn deadline(&self, after: Duration) -> WallDeadline {
        self.wall_deadline(after)
    }

    fn passed(&mut self, deadline: WallDeadline) -> bool {
        self.wall_passed(deadline)
    }
}
