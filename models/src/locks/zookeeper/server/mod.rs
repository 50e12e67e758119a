//! The part of ZooKeeper that locks use: sessions, ephemeral sequential nodes, watches, and conditional writes.
//!
//! From the ZooKeeper Programmer's Guide (zookeeperProgrammers.md) and the server's source:
//! - Every member answers reads from its own state; all changes go through the leader. A client never sees an older
//!   state than before: a member refuses a connection from a client that has seen a newer one (ZooKeeperServer.java,
//!   `processConnectRequest`).
//! - A session lives as long as the leader learns of its activity in time. Members report active sessions when the
//!   leader pings them, each half tick (Learner.java, `ping`; LearnerSessionTracker.java). Deadlines are rounded up to
//!   the next whole tick of the leader's monotonic clock (ExpiryQueue.java, `roundToNextInterval`). A new leader gives
//!   every session its full timeout again (SessionTrackerImpl.java, its constructor).
//! - The end of a session is a change like any other. It removes all of the session's ephemeral nodes at once.
//! - A watch belongs to a connection. Its event precedes the result of any read that sees the change.
//!
//! **The model uses Raft in place of Zab**, ZooKeeper's own protocol. Locks rely on what both provide: one order of all
//! changes, in effect once a majority has them; a leader that has applied all earlier changes before it acts; expiry of
//! sessions by its decision alone. The time of a leader change may differ: ZooKeeper elects at once when the connection
//! to the leader breaks, but after `syncLimit` ticks (10 s in the sample configuration) if the leader falls silent;
//! Raft's election timeout covers both cases here. ZooKeeper's `sync` is not used. Two facts go through the log that
//! real leaders keep in memory: the member to which a session is connected, and the return of a client.

mod connections;
mod member;
mod tracker;
mod tree;

pub use self::member::{Member, Timing};
pub use self::tree::{Change, Tree};

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::guarded::{ReadReply, Write};
use crate::history::{GrantId, OrderId, Refusal, ResourceId};
use crate::servers::raft::{Carries, Packet};

/// The ID of a session: the zxid of the change that opened it.
pub type SessionId = u64;

/// The path of a lock node: the resource's parent node, and the number that the parent assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Path {
    /// The resource of the parent node.
    pub resource: ResourceId,
    /// The sequence number.
    pub sequence: u32,
}

/// A child in its parent's listing. Its name has the sequence number and a unique value of the attempt, which protects
/// its creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Child {
    /// The sequence number.
    pub sequence: u32,
    /// The attempt for which it was created.
    pub attempt: GrantId,
}

/// The metadata of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Stat {
    /// The zxid of its creation.
    pub czxid: u64,
    /// The session with which it ends.
    pub ephemeral_owner: SessionId,
}

/// A request, a reply, or a message between members.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum ZkMessage {
    /// Starts a connection: the session to resume, the requested timeout, the last zxid seen.
    Connect { session: Option<SessionId>, timeout: Duration, seen: u64 },
    /// Keeps the session alive.
    Ping,
    /// Creates an ephemeral sequential node.
    Create { resource: ResourceId, attempt: GrantId },
    /// Lists the children of the resource's parent.
    GetChildren { resource: ResourceId },
    /// Reads a node; with `watch`, this connection is notified of its deletion.
    GetData { path: Path, watch: bool },
    /// Deletes a node.
    Delete { path: Path },
    /// Reads the guarded row, which is a node's data.
    ReadRow { grant: GrantId, order: OrderId },
    /// `multi(check(path), setData(row))`: writes the row if the node at `path` exists.
    WriteRow { path: Path, write: Write },

    /// The answer to a request, and the last zxid that the member has applied.
    Reply { zxid: u64, reply: Reply },
    /// Answers a ping.
    Pong,
    /// A watched node was deleted.
    Deleted { path: Path },

    /// The leader asks a member for its active sessions.
    WhoIsThere,
    /// The active sessions.
    These(Vec<SessionId>),
    /// The replicated log.
    Raft(Packet<Tree>),
}

/// The answer of a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum Reply {
    /// The session and its negotiated timeout.
    Session { id: SessionId, timeout: Duration },
    /// The session has expired.
    Expired,
    /// The session has moved to another member.
    Moved,
    /// The node was created.
    Created { sequence: u32, stat: Stat },
    /// The children.
    Children(Vec<Child>),
    /// The metadata of the node.
    Data(Stat),
    /// The node was deleted, or the row written.
    Done,
    /// There is no such node.
    NoNode,
    /// The row.
    Row(ReadReply),
    /// The condition of the write did not hold.
    Refused(Refusal),
}

impl From<Packet<Tree>> for ZkMessage {
    fn from(packet: Packet<Tree>) -> Self {
        ZkMessage::Raft(packet)
    }
}

impl Carries<Packet<Tree>> for ZkMessage {
    fn unpack(self) -> Result<Packet<Tree>, Self> {
        match self {
            ZkMessage::Raft(packet) => Ok(packet),
            other => Err(other),
        }
    }
}
