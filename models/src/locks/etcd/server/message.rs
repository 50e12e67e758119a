//! The messages of etcd's members and clients.

use serde::Serialize;

use super::keyspace::{Key, Keyspace, LeaseId, Outcome, Revision};
use crate::guarded::{ReadReply, Write};
use crate::history::{GrantId, OrderId, Refusal, ResourceId};
use crate::servers::raft::{Carries, Packet};

/// A request, a reply, or a message between members.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum EtcdMessage {
    // Requests.
    /// `LeaseGrant`: a lease of this many seconds.
    GrantLease { seconds: u64 },
    /// `LeaseKeepAlive`.
    KeepAlive { lease: LeaseId },
    /// `Txn` of `Mutex.tryAcquire`: puts the key unless it exists, and gets the first-created key of the prefix.
    Lock { key: Key, attempt: GrantId },
    /// `DeleteRange` of `Mutex.Unlock`, even if the key has changed.
    Unlock { key: Key, on_behalf: GrantId },
    /// Linearizable `Range`: the last-created key of the prefix up to this create revision (`waitDeletes`).
    Before { resource: ResourceId, most: Revision },
    /// Linearizable `Range` of one key.
    Get { key: Key },
    /// `Watch` for the key's deletion from this revision on; answered when it occurs.
    Watch { key: Key, from: Revision },
    /// Linearizable `Range` of the guarded row.
    GetRow { grant: GrantId, order: OrderId },
    /// `Txn` that puts the guarded row if `Mutex.IsOwner` holds: if the key has this create revision.
    PutRow { key: Key, created: Revision, write: Write },
    /// HTTP/2's ping.
    Ping,

    // Replies.
    /// The lease and its duration, which may exceed the requested one.
    Leased { lease: LeaseId, seconds: u64 },
    /// The remaining seconds of the lease; 0 if it is gone.
    Alive { seconds: u64 },
    /// The create revisions of the caller's key and of the first key of the prefix.
    Locked { created: Revision, first: Revision, revision: Revision },
    /// The keys no longer exist.
    Deleted,
    /// The requested key, if it exists.
    Found { key: Option<Key>, revision: Revision },
    /// The guarded row.
    Row(ReadReply),
    /// The row was written.
    Written,
    /// A condition does not hold.
    Refused(Refusal),
    /// `etcdserver: requested lease not found`.
    LeaseNotFound,
    /// `etcdserver: request timed out` or `etcdserver: no leader`: it may have taken effect, or may still.
    Unavailable,
    /// The answer to a ping.
    Pong,

    // Between members.
    /// A renewal forwarded to the leader (leasehttp).
    Renew { lease: LeaseId, number: u64 },
    /// The result: the remaining seconds, 0 if the lease is gone; `None` if the member does not lead.
    Renewed { number: u64, seconds: Option<u64> },
    /// A message of Raft.
    Raft(Packet<Keyspace>),
}

impl From<Outcome> for EtcdMessage {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Leased { lease, seconds } => EtcdMessage::Leased { lease, seconds },
            Outcome::Locked { created, first, revision } => EtcdMessage::Locked { created, first, revision },
            Outcome::Deleted => EtcdMessage::Deleted,
            Outcome::Written => EtcdMessage::Written,
            Outcome::Refused(why) => EtcdMessage::Refused(why),
            Outcome::LeaseNotFound => EtcdMessage::LeaseNotFound,
        }
    }
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
