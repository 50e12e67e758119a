//! The messages of Sentinels, Redis servers and clients.

use std::time::Duration;

use fencepost_sim::NodeId;
use serde::Serialize;

/// A message to or from a Sentinel.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum SentinelMessage {
    /// `PING`, to a Redis server.
    Ping,
    /// `+PONG`.
    Pong,
    /// `INFO`, to a Redis server.
    Info,
    /// The reply to `INFO`.
    InfoIs(Info),
    /// `REPLICAOF master` or `REPLICAOF NO ONE`, in one transaction with `CONFIG REWRITE` and `CLIENT KILL TYPE normal`
    /// and `pubsub` (`sentinelSendSlaveOf` in sentinel.c).
    ReplicaOf { master: Option<NodeId> },

    /// `SENTINEL IS-MASTER-DOWN-BY-ADDR`, to another Sentinel; `seeks_vote` if the sender wants to lead this epoch's
    /// failover.
    IsMasterDown { master: NodeId, epoch: u64, seeks_vote: bool },
    /// The answer: whether the master seems down to the sender, and the sender's vote and its epoch.
    MasterDown { down: bool, vote: Option<(NodeId, u64)> },
    /// A hello message: the sender's epoch, its master and the epoch of that configuration.
    Hello { epoch: u64, master: NodeId, config_epoch: u64 },

    /// `SENTINEL GET-MASTER-ADDR-BY-NAME`, from a client.
    GetMaster,
    /// The address.
    Master { node: NodeId },
}

/// The part of `INFO` that Sentinels read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Info {
    /// `run_id`: drawn at each start.
    pub run_id: u64,
    /// `master_host`; a master has none.
    pub replica_of: Option<NodeId>,
    /// `master_link_down_since_seconds`; `None` if the link is up.
    pub link_down_for: Option<Duration>,
    /// `slave_repl_offset`.
    pub offset: u64,
}
