//! The replicated state of etcd, as far as a mutex needs it: keys with create revisions, attached to leases, and one
//! row of data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::guarded::{Guard, ReadReply, Row, Write};
use crate::history::{Cause, Event, GrantId, OrderId, Refusal, ResourceId};
use crate::servers::raft::{GroundTruthLog, Machine};

/// The number of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeaseId(pub u64);

/// A key of a mutex: the prefix of the mutex and the lease of the owner (concurrency/mutex.go).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The locked resource: the prefix.
    pub resource: ResourceId,
    /// The lease of the owner, with which the key ends.
    pub lease: LeaseId,
}

/// A position in the history of the keyspace.
pub type Revision = u64;

/// The keyspace at one revision. It has no clock: the leader decides that a lease has expired.
#[derive(Clone, Debug, Serialize)]
pub struct Keyspace {
    revision: Revision,
    /// In order of creation.
    keys: Vec<Kv>,
    /// The duration of each lease in seconds.
    leases: BTreeMap<LeaseId, u64>,
    row: Row,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Kv {
    key: Key,
    created: Revision,
    /// Ground truth only: to etcd, the owner of the key is its lease.
    attempt: GrantId,
}

/// A change of the keyspace: the requests of `InternalRaftRequest` that a mutex makes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum Command {
    /// `LeaseGrant`.
    GrantLease { lease: LeaseId, seconds: u64 },
    /// `LeaseRevoke`: deletes the lease's keys, in one revision.
    RevokeLease { lease: LeaseId },
    /// `Txn` of `Mutex.tryAcquire`.
    Lock { key: Key, attempt: GrantId },
    /// `DeleteRange` of one key.
    Unlock { key: Key, on_behalf: GrantId },
    /// `Txn` that puts the row if the key has this create revision.
    PutRow { key: Key, created: Revision, write: Write },
}

/// The result of a change, which [`super::EtcdMessage`] reports under the same names.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the message explains the variants")]
pub enum Outcome {
    Leased { lease: LeaseId, seconds: u64 },
    Locked { created: Revision, first: Revision, revision: Revision },
    Deleted,
    Written,
    Refused(Refusal),
    LeaseNotFound,
}

impl Keyspace {
    /// The state before the first change, with this stock.
    pub fn new(stock: u32) -> Self {
        Keyspace { revision: 1, keys: Vec::new(), leases: BTreeMap::new(), row: Row::new(stock.into()) }
    }

    /// The revision of the newest change.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The leases and their seconds.
    pub fn leases(&self) -> impl Iterator<Item = (LeaseId, u64)> {
        self.leases.iter().map(|(lease, seconds)| (*lease, *seconds))
    }

    /// The guarded row.
    pub fn row(&self) -> ReadReply {
        self.row.reply()
    }

    /// The key, if it exists.
    pub fn find(&self, key: Key) -> Option<Key> {
        self.keys.iter().find(|kv| kv.key == key).map(|kv| kv.key)
    }

    /// The last-created key of the prefix up to this create revision.
    pub fn last_before(&self, resource: ResourceId, most: Revision) -> Option<Key> {
        let fits = |kv: &&Kv| kv.key.resource == resource && kv.created <= most;
        self.keys.iter().rfind(fits).map(|kv| kv.key)
    }

    /// Whether a key that existed at revision `from` has been deleted since. A member that lags behind `from` has seen
    /// no deletion yet.
    pub fn deleted_since(&self, key: Key, from: Revision) -> bool {
        self.revision >= from && !self.keys.iter().any(|kv| kv.key == key && kv.created <= from)
    }

    fn first(&self, resource: ResourceId) -> Option<&Kv> {
        self.keys.iter().find(|kv| kv.key.resource == resource)
    }

    /// The oldest key of the prefix holds the lock. A session has one key: a newer attempt replaces the one that it
    /// abandoned, whether that holds or waits. An older attempt that arrives late changes nothing.
    fn lock(&mut self, truth: &mut GroundTruthLog, key: Key, attempt: GrantId) -> Outcome {
        if !self.leases.contains_key(&key.lease) {
            return Outcome::LeaseNotFound;
        }
        let server = truth.server();
        let known = self.keys.iter().position(|kv| kv.key == key);
        let index = known.unwrap_or_else(|| {
            self.revision += 1;
            self.keys.push(Kv { key, created: self.revision, attempt });
            self.keys.len() - 1
        });
        let created = self.keys[index].created;
        let before = self.keys[index].attempt;
        self.keys[index].attempt = before.max(attempt);
        let first = self.first(key.resource).map_or(created, |kv| kv.created);
        match (known.is_some(), first == created) {
            (true, _) if before >= attempt => {}
            (true, true) => {
                truth.note(Event::Ended { server, grant: before, cause: Cause::Revoked });
                truth.note(Event::Granted { server, grant: attempt });
            }
            (true, false) => truth.note(Event::Withdrawn { server, grant: before }),
            (false, true) => truth.note(Event::Granted { server, grant: attempt }),
            (false, false) => truth.note(Event::Enqueued { server, grant: attempt }),
        }
        Outcome::Locked { created, first, revision: self.revision }
    }

    fn unlock(&mut self, truth: &mut GroundTruthLog, key: Key, on_behalf: GrantId) -> Outcome {
        if self.find(key).is_some() {
            self.revision += 1;
            self.delete(truth, key, Cause::Released(on_behalf));
        }
        Outcome::Deleted
    }

    fn revoke(&mut self, truth: &mut GroundTruthLog, lease: LeaseId) -> Outcome {
        if self.leases.remove(&lease).is_none() {
            return Outcome::LeaseNotFound;
        }
        let keys: Vec<Key> = self.keys.iter().map(|kv| kv.key).filter(|key| key.lease == lease).collect();
        self.revision += u64::from(!keys.is_empty());
        for key in keys {
            self.delete(truth, key, Cause::Expired);
        }
        Outcome::Deleted
    }

    /// Deletes a key. If its owner held the lock, the next in line holds it now.
    fn delete(&mut self, truth: &mut GroundTruthLog, key: Key, cause: Cause) {
        let Some(index) = self.keys.iter().position(|kv| kv.key == key) else { return };
        let server = truth.server();
        let held = self.first(key.resource).is_some_and(|first| first.key == key);
        let grant = self.keys.remove(index).attempt;
        if !held {
            return truth.note(Event::Withdrawn { server, grant });
        }
        truth.note(Event::Ended { server, grant, cause });
        if let Some(next) = self.first(key.resource) {
            truth.note(Event::Granted { server, grant: next.attempt });
        }
    }

    fn put_row(&mut self, truth: &mut GroundTruthLog, key: Key, created: Revision, write: &Write) -> Outcome {
        let Write { grant, order, units, .. } = *write;
        if !self.keys.iter().any(|kv| kv.key == key && kv.created == created) {
            return refuse(truth, grant, order, Refusal::NotClaimed);
        }
        if self.row.knows(write) {
            return Outcome::Written;
        }
        match self.row.write(Guard::None, write) {
            Ok((accepted, changes)) => {
                self.revision += 1;
                changes.into_iter().flatten().for_each(|change| self.row.apply(change));
                let (based_on, version, count) = (accepted.based_on, accepted.version, accepted.count);
                truth.note(Event::WriteAccepted { grant, order, units, based_on, version, count });
                Outcome::Written
            }
            Err(why) => refuse(truth, grant, order, why),
        }
    }
}

fn refuse(truth: &mut GroundTruthLog, grant: GrantId, order: OrderId, why: Refusal) -> Outcome {
    truth.note(Event::OperationRefused { grant, order, why });
    Outcome::Refused(why)
}

impl Machine for Keyspace {
    type Command = Command;
    type Answer = Outcome;

    fn apply(&mut self, truth: &mut GroundTruthLog, _: u64, command: &Command) -> Outcome {
        match *command {
            Command::GrantLease { lease, seconds } => {
                self.leases.insert(lease, seconds);
                Outcome::Leased { lease, seconds }
            }
            Command::RevokeLease { lease } => self.revoke(truth, lease),
            Command::Lock { key, attempt } => self.lock(truth, key, attempt),
            Command::Unlock { key, on_behalf } => self.unlock(truth, key, on_behalf),
            Command::PutRow { key, created, ref write } => self.put_row(truth, key, created, write),
        }
    }
}
