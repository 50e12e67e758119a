//! Members of a Hazelcast cluster, as far as `FencedLock` uses them: the state of a CP group ([`Group`]), the members
//! that replicate it through Raft ([`Member`]), and those that do without when there are no CP members
//! ([`UnsafeMember`]).
//!
//! Paths in this folder are those of hazelcast/hazelcast below hazelcast/src/main/java/com/hazelcast/.

mod cluster;
mod duties;
mod group;
mod lock;
mod member;
mod stamps;
mod unsafe_mode;

use std::time::Duration;

use fencepost_sim::NodeId;
use serde::{Deserialize, Serialize};

pub use self::group::{Effects, Group, Note};
pub(crate) use self::member::leader_failover;
pub use self::member::{CpConfig, Member};
pub(crate) use self::unsafe_mode::MERGE_EVERY;
pub use self::unsafe_mode::{Peer, UnsafeMember};
use crate::history::ResourceId;
use crate::history::{GrantId, Token};
use crate::servers::raft::{Carries, Packet};

/// The number of a CP session.
pub type SessionId = u64;

/// Who holds or waits: a thread of a process with a session (`LockEndpoint`). The group itself numbers threads in
/// reality (`GenerateThreadIdOp`), so that they are unique; within its session a number of the process's own is, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the type's text explains its fields")]
pub struct Endpoint {
    pub session: SessionId,
    pub thread: u32,
}

/// What is done to a group. It goes through the log, heartbeats too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum Op {
    /// Opens a session.
    CreateSession,
    /// Keeps a session open.
    Heartbeat { session: SessionId },
    /// `tryLock`, which waits for so long at the most. `uid` tells a repeated request from a new one; the attempt is
    /// there for the ground truth.
    TryLock { resource: ResourceId, endpoint: Endpoint, uid: u64, timeout_ms: u64, attempt: GrantId },
    /// Gives back one acquire.
    Unlock { resource: ResourceId, endpoint: Endpoint, uid: u64, on_behalf: GrantId },
    /// Closes sessions that have expired by the proposer's clock, unless they were heard of since: then their version is
    /// another.
    ExpireSessions { sessions: Vec<(SessionId, u64)> },
    /// Closes sessions that nothing is attached to.
    CloseInactive { sessions: Vec<SessionId> },
    /// Ends waits that have lasted long enough, by the proposer's clock.
    ExpireWaits { waits: Vec<(ResourceId, u64)> },
}

/// What comes of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum Reply {
    /// A session, and what its owner needs to know.
    Session { session: SessionId, ttl: Duration, heartbeat: Duration },
    /// It was done.
    Done,
    /// The endpoint holds the lock. The attempt that began this holding is ground truth.
    Locked { fence: Token, attempt: GrantId },
    /// It does not: `INVALID_FENCE`.
    NotLocked,
    /// It was given back; `still`: not for the last time.
    Unlocked { still: bool },
    /// `IllegalMonitorStateException`: the endpoint does not hold the lock.
    NotOwner,
    /// `WaitKeyCancelledException`: the same endpoint asked for something else.
    Cancelled,
    /// `SessionExpiredException`.
    SessionExpired,
}

/// What members and their clients say to each other.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum HazelcastMessage {
    /// A client asks.
    Op(Op),
    /// A member answers.
    Reply(Reply),
    /// `NotLeaderException` and its like: ask another member, this one if it is known.
    NotLeader { leader: Option<NodeId> },
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
