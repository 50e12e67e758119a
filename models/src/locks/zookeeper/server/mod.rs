//! ZooKeeper, as far as locks use it: sessions, ephemeral sequential nodes, watches, and conditional writes.
//!
//! From the ZooKeeper Programmer's Guide (zookeeperProgrammers.md) and the server's source:
//! - Every member answers reads from what it has applied itself; all changes go through the leader. A client never sees
//!   older state than it has seen: a member refuses a connection from one that has seen more than itself
//!   (ZooKeeperServer.java, `processConnectRequest`).
//! - A session lives as long as the leader hears of it in time. Members tell the leader whom they have heard of when it
//!   pings them, each half tick (Learner.java, `ping`; LearnerSessionTracker.java). Deadlines are rounded up to the next
//!   whole tick of the leader's monotonic clock (ExpiryQueue.java, `roundToNextInterval`), and a new leader gives every
//!   session its full timeout again (SessionTrackerImpl.java, its constructor).
//! - The end of a session is a change like any other. It removes all of the session's ephemeral nodes at once.
//! - A watch belongs to a connection. Its event comes before the result of any read that sees the change.
//!
//! **Raft stands in for Zab**, ZooKeeper's own protocol. What locks rely on is the same: one order of all changes, in
//! effect once a majority has them; a leader that has applied all earlier changes before it acts; sessions expire by its
//! decision alone. What may differ is the time that a change of leaders takes: ZooKeeper elects at once when the
//! connection to the leader breaks, but after `syncLimit` ticks (10 s in the sample configuration) where it goes silent;
//! Raft's election timeout serves both cases here. ZooKeeper's `sync` is not used. Two things are told to everybody
//! through the log that real leaders keep in memory: which member a session is connected to, and that a client came back.

mod connections;
mod member;
mod tracker;
mod tree;

pub use self::member::{Member, Timing};
pub use self::tree::{Change, Tree};

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::guarded::{ReadReply, Write};
use crate::history::ResourceId;
use crate::history::{GrantId, OrderId, Refusal};
use crate::servers::raft::{Carries, Packet};

/// A session's id: the zxid of the change that opened it.
pub type SessionId = u64;

/// The path of a lock node: the resource's own parent node, and the number that the parent gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Path {
    /// Whose parent node.
    pub resource: ResourceId,
    /// The sequence number.
    pub sequence: u32,
}

/// A child as its parent lists it: its name has the sequence number and what protects its creation, a unique value of
/// the attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Child {
    /// The sequence number.
    pub sequence: u32,
    /// The attempt that it was created for.
    pub attempt: GrantId,
}

/// What a node says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Stat {
    /// The zxid of its creation.
    pub czxid: u64,
    /// The session that it lives and dies with.
    pub ephemeral_owner: SessionId,
}

/// What ZooKeeper and its clients say to each other, and its members among themselves.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum ZkMessage {
    /// The first words on a connection: the session to go on with, the wanted timeout, the last zxid that was seen.
    Connect { session: Option<SessionId>, timeout: Duration, seen: u64 },
    /// I am still there.
    Ping,
    /// Create an ephemeral sequential node.
    Create { resource: ResourceId, attempt: GrantId },
    /// List the children of the resource's parent.
    GetChildren { resource: ResourceId },
    /// Read a node; tell this connection when it is deleted, if `watch`.
    GetData { path: Path, watch: bool },
    /// Delete a node.
    Delete { path: Path },
    /// Read the guarded row, which is a node's data.
    ReadRow { grant: GrantId, order: OrderId },
    /// `multi(check(path), setData(row))`: write the row if the node at `path` exists.
    WriteRow { path: Path, write: Write },

    /// The answer to a request, and the last zxid that the member has applied.
    Reply { zxid: u64, reply: Reply },
    /// Answers a ping.
    Pong,
    /// A node that this connection watches is gone.
    Deleted { path: Path },

    /// The leader asks a member whom it has heard of.
    WhoIsThere,
    /// These.
    These(Vec<SessionId>),
    /// The replicated log.
    Raft(Packet<Tree>),
}

/// What a member answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum Reply {
    /// The session, and its timeout as the server has it.
    Session { id: SessionId, timeout: Duration },
    /// The session has expired.
    Expired,
    /// The session is connected to another member by now.
    Moved,
    /// The node was created.
    Created { sequence: u32, stat: Stat },
    /// The children.
    Children(Vec<Child>),
    /// The node is there.
    Data(Stat),
    /// It is deleted, or written.
    Done,
    /// There is no such node.
    NoNode,
    /// The row.
    Row(ReadReply),
    /// The row's own condition did not hold.
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
