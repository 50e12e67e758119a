//! The part of a Hazelcast cluster that `FencedLock` uses: the state of a CP group ([`Group`]), the members that
//! replicate it through Raft ([`Member`]), and those of a cluster without CP members ([`UnsafeMember`]).
//!
//! Paths in this folder are those of hazelcast/hazelcast below hazelcast/src/main/java/com/hazelcast/.

mod app;
mod cluster;
mod connections;
mod expiries;
mod group;
mod lock;
mod member;
mod unsafe_mode;

use std::time::Duration;

use fencepost_sim::NodeId;
use serde::{Deserialize, Serialize};

pub use self::group::{Effects, Group, Note};
pub(crate) use self::member::leader_failover;
pub use self::member::{CpConfig, Member};
pub(crate) use self::unsafe_mode::MERGE_EVERY;
pub use self::unsafe_mode::{Peer, UnsafeMember};
use crate::history::{GrantId, ResourceId, Token};
use crate::servers::raft::{Carries, Packet};

/// The number of a CP session.
pub type SessionId = u64;

/// A holder or waiter: a thread of a process with a session (`LockEndpoint`). In reality the group numbers threads
/// (`GenerateThreadIdOp`), so that they are unique; here a process does, which is as unique within its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the type's text explains its fields")]
pub struct Endpoint {
    pub session: SessionId,
    pub thread: u32,
}

/// An operation on a group. All go through the log, including heartbeats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum Op {
    /// Opens a session.
    CreateSession,
    /// Keeps a session open.
    Heartbeat { session: SessionId },
    /// `tryLock` with a maximal wait. `uid` distinguishes a new request from a repeated one; the attempt is ground
    /// truth.
    TryLock { resource: ResourceId, endpoint: Endpoint, uid: u64, timeout_ms: u64, attempt: GrantId },
    /// Releases one acquire.
    Unlock { resource: ResourceId, endpoint: Endpoint, uid: u64, on_behalf: GrantId },
    /// Asks for the owner of a lock (`GetLockOwnershipStateOp`). It goes through the log too, and keeps no session open.
    GetOwner { resource: ResourceId },
    /// Closes sessions that have expired by the proposer's clock, unless an activity has changed their version since.
    ExpireSessions { sessions: Vec<(SessionId, u64)> },
    /// Closes unused sessions.
    CloseInactive { sessions: Vec<SessionId> },
    /// Ends waits whose time is over by the proposer's clock.
    ExpireWaits { waits: Vec<(ResourceId, u64)> },
}

/// The answer to an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum Reply {
    /// A session and its timings.
    Session { session: SessionId, ttl: Duration, heartbeat: Duration },
    /// The operation succeeded.
    Done,
    /// The endpoint holds the lock. The attempt that began the grant is ground truth.
    Locked { fence: Token, attempt: GrantId },
    /// The endpoint does not hold the lock: `INVALID_FENCE`.
    NotLocked,
    /// One acquire was released; `still` if others remain.
    Unlocked { still: bool },
    /// The owner of the lock (`LockOwnershipState`).
    Owner { owner: Option<Endpoint> },
    /// `IllegalMonitorStateException`: the endpoint does not hold the lock.
    NotOwner,
    /// `WaitKeyCancelledException`: the same endpoint asked for something else.
    Cancelled,
    /// `SessionExpiredException`.
    SessionExpired,
}

/// A request, a reply, or a message between members.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum HazelcastMessage {
    /// A client's operation.
    Op(Op),
    /// A member's answer.
    Reply(Reply),
    /// `NotLeaderException` and similar ones: ask another member, this one if known.
    NotLeader { leader: Option<NodeId> },
    /// An attempt to connect to another member.
    Connect,
    /// Between members of a CP group.
    Raft(Packet<Group>),
    /// Between members in unsafe mode.
    Unsafe(Peer),
}

impl From<Packet<Group>> for HazelcastMessage {
    fn from(packet: Packet<Group>) -> Self {
        HazelcastMessage::Raft(packet)
    }
}

impl Carries<Packet<Group>> for HazelcastMessage {
    fn unpack(self) -> Result<Packet<Group>, Self> {
        match self {
            HazelcastMessage::Raft(packet) => Ok(packet),
            other => Err(other),
        }
    }
}
