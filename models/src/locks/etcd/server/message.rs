//! What etcd's members and clients say to each other.

use serde::{Deserialize, Serialize};

use super::keyspace::Keyspace;
use crate::guarded::{ReadReply, Write};
use crate::history::ResourceId;
use crate::history::{GrantId, OrderId, Refusal};
use crate::servers::raft::{Carries, Packet};

/// The number of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeaseId(pub u64);

/// A key of a mutex: the mutex' prefix, then the lease of whoever holds it or waits (concurrency/mutex.go).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// What is locked: the prefix.
    pub resource: ResourceId,
    /// Whose key it is, and with what it ends.
    pub lease: LeaseId,
}

/// A place in the history of the keyspace.
pub type Revision = u64;

/// What etcd's members and clients say to each other.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum EtcdMessage {
    // Requests.
    /// `LeaseGrant`: a lease of so many seconds.
    GrantLease { seconds: u64 },
    /// `LeaseKeepAlive`.
    KeepAlive { lease: LeaseId },
    /// `Txn` of `Mutex.tryAcquire`: put the key unless it is there, and get the first-created key of the prefix.
    Lock { key: Key, attempt: GrantId },
    /// `DeleteRange` of `Mutex.Unlock`, whatever the key is by then.
    Unlock { key: Key, on_behalf: GrantId },
    /// Linearizable `Range`: the last-created key of the prefix up to this create revision (`waitDeletes`).
    Before { resource: ResourceId, most: Revision },
    /// Linearizable `Range` of one key.
    Get { key: Key },
    /// `Watch` for the key's deletion from this revision on; answered when that happens.
    Watch { key: Key, from: Revision },
    /// Linearizable `Range` of the guarded row.
    GetRow { grant: GrantId, order: OrderId },
    /// `Txn` that puts the guarded row if `Mutex.IsOwner` holds: if the key has this create revision.
    PutRow { key: Key, created: Revision, write: Write },
    /// HTTP/2's ping.
    Ping,

    // Replies.
    /// The lease, and its seconds, which may be more than was asked for.
    Leased { lease: LeaseId, seconds: u64 },
    /// The lease lives for so many seconds; none: it is gone.
    Alive { seconds: u64 },
    /// The create revisions of the caller's key and of the first key of the prefix.
    Locked { created: Revision, first: Revision, revision: Revision },
    /// The keys are gone, if they were there.
    Deleted,
    /// The key that was asked for, if there is one.
    Found { key: Option<Key>, revision: Revision },
    /// The guarded row.
    Row(ReadReply),
    /// It is written.
    Written,
    /// A condition does not hold.
    Refused(Refusal),
    /// `etcdserver: requested lease not found`.
    LeaseNotFound,
    /// `etcdserver: request timed out` or `etcdserver: no leader`: it may have taken effect, or may still.
    Unavailable,
    /// To a ping.
    Pong,

    // Between members.
    /// A renewal on its way to the leader (leasehttp).
    Renew { lease: LeaseId, number: u64 },
    /// What came of it: the seconds, none if the lease is gone; nothing at all if the member does not lead.
    Renewed { number: u64, seconds: Option<u64> },
    /// Raft's own.
    Raft(Packet<Keyspace>),
}

impl From<Packet<Keyspace>> for EtcdMessage {
    fn from(packet: Packet<Keyspace>) -> Self {
        EtcdMessage::Raft(packet)
    }
}

impl Carries<Packet<Keyspace>> for EtcdMessage {
    fn unpack(self) -> Result<Packet<Keyspace>, Self> {
        match self {
            EtcdMessage::Raft(packet) => Ok(packet),
            other => Err(other),
        }
    }
}
