//! A Chubby cell, as far as locks need it: sessions with leases, exclusive locks with generation numbers, lock-delay, a
//! master with a lease of its own, and its fail-over. Modelled from the paper: Burrows, "The Chubby lock service for
//! loosely-coupled distributed systems", OSDI 2006. There is no public code.
//!
//! - The replicas elect a master and promise not to elect another for some seconds, which the master has renewed by a
//!   majority: its lease (section 2.1). Raft stands in for the consensus protocol here, and a follower that has heard
//!   of its leader votes for nobody until an election timeout has passed: that is the promise. The master renews its
//!   lease each second, and answers nothing without.
//! - The master promises not to end a session before its lease is over. A lease is extended when the session is
//!   created, at a fail-over, and with the answer to a KeepAlive, which the master holds back until the last lease is
//!   close to its end (2.8). The paper does not say how close; here it is a sixth of the lease.
//! - Who holds which lock, in which generation, is in the replicated database; leases are in the master's memory. A
//!   lock that is freed because its session ended cannot be acquired for the lock-delay that its holder chose (2.4).
//! - A new master (2.9) has a new epoch, and rejects calls that carry an older one; it takes the sessions from the
//!   database and gives all of them the longest lease that the old master may have given; and it does nothing else
//!   until every session has acknowledged the fail-over or ended.
//!
//! What the paper leaves open, and what is chosen here: whoever waits for a lock has an `Acquire` outstanding, and the
//! master grants the lock to the one that has waited longest; it drops the calls of a connection that is closed. A new
//! master begins a lock-delay anew, for it cannot know when it began.
//!
//! Left out: files, caching and its invalidation, shared locks, idle sessions.

mod machine;
mod master;
mod server;

pub use self::machine::{Database, Outcome, Update};
pub use self::server::{Chubby, Ticket, Timing};

use std::time::Duration;

use serde::Serialize;

use crate::history::ResourceId;
use crate::history::{GrantId, Token};
use crate::servers::raft::{Carries, Packet};

/// What the replicas and their clients say to each other. A session has the id of the attempt that it was created for.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum ChubbyMessage {
    /// Begin a session.
    Create { session: GrantId },
    /// It began, in this epoch, with a lease of this length.
    Created { epoch: u64, left: Duration },
    /// The session lives; `seen` is the number of the last lease that its client knows of.
    KeepAlive { session: GrantId, epoch: u64, seen: u64 },
    /// Its lease ends after `left`. The KeepAlive was held back for so long.
    Lease { number: u64, held_back: Duration, left: Duration },
    /// A call within a session.
    Call { session: GrantId, epoch: u64, call: Call },
    /// The lock is held: its generation.
    Acquired { generation: Token },
    /// It was released, or was not held.
    Released { held: bool },
    /// There is no such session, or it has closed the handle.
    Gone,
    /// I am not the master; the replica with this place may be.
    NotMaster { master: Option<u8> },
    /// There is a new master. Its epoch must be on every call.
    NewEpoch { epoch: u64 },
    /// Between replicas.
    Raft(Packet<Database>),
}

/// What a client asks for. Each attempt has a handle of its own, which has its id.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum Call {
    /// `Acquire`, in exclusive mode. The answer comes once the lock is held. It brings what `GetSequencer` would: lock
    /// name and mode go without saying.
    Acquire {
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        resource: ResourceId,
        handle: GrantId,
        lock_delay: Duration,
    },
    /// `Release`, and `Close` of the handle, which ends a waiting `Acquire` too.
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
