//! The part of a Chubby cell that locks need: sessions with leases, exclusive locks with generation numbers,
//! lock-delay, a master with its own lease, and its fail-over. Modelled from the paper: Burrows, "The Chubby lock
//! service for loosely-coupled distributed systems", OSDI 2006. There is no public code.
//!
//! - The replicas elect a master and promise not to elect another for some seconds; the master has that lease renewed
//!   by a majority (section 2.1). The model uses Raft as the consensus protocol. A follower of a leader votes for
//!   nobody until an election timeout has passed: that is the promise. The master renews its lease each second, and
//!   answers nothing without it.
//! - The master promises not to end a session before its lease is over. A lease is extended when the session is
//!   created, at a fail-over, and with the answer to a KeepAlive, which the master delays until the last lease is close
//!   to its end (2.8). The paper does not say how close; here it is a sixth of the lease.
//! - Holders and generations of locks are in the replicated database; leases are in the master's memory. A lock freed
//!   by the end of a session cannot be acquired for the lock-delay that its holder chose (2.4).
//! - A new master (2.9) has a new epoch, and rejects calls with an older one. It takes the sessions from the database
//!   and gives each the longest lease that the old master may have given. It does nothing else until every session has
//!   acknowledged the fail-over or ended.
//!
//! Choices that the paper leaves open: a waiting client has an `Acquire` outstanding, and the master grants the lock to
//! the longest waiter. It drops the calls of a closed connection. A new master restarts a lock-delay, since it cannot
//! know when it began.
//!
//! Left out: files, caching and its invalidation, shared locks, idle sessions.

mod machine;
mod master;
mod replica;

pub use self::machine::{Database, Outcome, Update};
pub use self::replica::{Chubby, Ticket, Timing};

use std::time::Duration;

use serde::Serialize;

use crate::history::{GrantId, ResourceId, Token};
use crate::servers::raft::{Carries, Packet};

/// A request, a reply, or a message between replicas. A session has the ID of the attempt for which it was created.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum ChubbyMessage {
    /// Creates a session.
    Create { session: GrantId },
    /// The session was created in this epoch, with a lease of this length.
    Created { epoch: u64, left: Duration },
    /// Keeps the session alive; `seen` is the number of the last lease that its client knows.
    KeepAlive { session: GrantId, epoch: u64, seen: u64 },
    /// The lease ends after `left`. The KeepAlive was delayed by `held_back`.
    Lease { number: u64, held_back: Duration, left: Duration },
    /// A call within a session.
    Call { session: GrantId, epoch: u64, call: Call },
    /// The generation of the acquired lock.
    Acquired { generation: Token },
    /// Whether the sequencer is valid.
    Checked { valid: bool },
    /// Whether the released lock was held.
    Released { held: bool },
    /// There is no such session, or it closed the handle.
    Gone,
    /// This replica is not the master; the one with this index may be.
    NotMaster { master: Option<u8> },
    /// There is a new master. Each call needs its epoch.
    NewEpoch { epoch: u64 },
    /// Between replicas.
    Raft(Packet<Database>),
}

/// A call of a client. Each attempt has its own handle, with the same ID.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum Call {
    /// `Acquire`, in exclusive mode. The answer comes once the lock is held, with the content of `GetSequencer`; lock
    /// name and mode are implied.
    Acquire {
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        resource: ResourceId,
        handle: GrantId,
        lock_delay: Duration,
    },
    /// `CheckSequencer`: whether the handle holds the lock.
    Check {
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        resource: ResourceId,
        handle: GrantId,
    },
    /// `Release` and `Close` of the handle, which also ends a waiting `Acquire`.
    Release {
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        resource: ResourceId,
        handle: GrantId,
    },
}

impl From<Packet<Database>> for ChubbyMessage {
    fn from(packet: Packet<Database>) -> Self {
        ChubbyMessage::Raft(packet)
    }
}

impl Carries<Packet<Database>> for ChubbyMessage {
    fn unpack(self) -> Result<Packet<Database>, Self> {
        match self {
            ChubbyMessage::Raft(packet) => Ok(packet),
            other => Err(other),
        }
    }
}
