//! One-way links between nodes, and the connections that run over them.
//!
//! A connection behaves as TCP does: messages arrive in order and at most once. A lost message arrives late. Messages on a
//! cut link or to a dead host are retransmitted, or the connection is reset.

mod lane;
pub(crate) mod link;
mod outage;
mod receive;
mod send;

use std::collections::VecDeque;
use std::time::Duration;

use crate::node::NodeId;
use crate::time::SimTime;
use crate::units::Dist;

pub(crate) use self::lane::Lane;
pub(crate) use self::link::{Link, fate, retransmission_delay};

/// The delay of a stream's first retransmission; it doubles with each further one. This is Linux's minimum retransmission
/// timeout (`TCP_RTO_MIN`, include/net/tcp.h).
pub const RETRANSMIT_FIRST: Duration = Duration::from_millis(200);

/// The longest delay between retransmissions (`TCP_RTO_MAX`, include/net/tcp.h).
pub const RETRANSMIT_LONGEST: Duration = Duration::from_secs(120);

/// The time after which a stream without progress is reset: 15 retransmissions (`tcp_retries2`, ip-sysctl of Linux).
pub const STALL_LIMIT: Duration = Duration::from_millis(924_600);

/// The time after which a server notices a dead host on an idle connection: `tcp_keepalive_time` (2 h) and nine probes
/// 75 s apart (tcp(7) of Linux).
pub const KEEP_ALIVE: Duration = Duration::from_secs(7_200 + 9 * 75);

/// The time after which a server drops a connection to another server without progress, and dials again:
/// `DefaultConnReadTimeout` and `DefaultConnWriteTimeout` of etcd (server/etcdserver/api/rafthttp/peer.go).
pub const PEER_TIMEOUT: Duration = Duration::from_secs(5);

/// The buffer size of a connection between servers, in messages. When it is full, messages are dropped, as in rafthttp.
pub(crate) const PEER_BUFFER: usize = 64;

/// How messages travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// As in TCP: in order, at most once, late rather than lost.
    #[default]
    Stream,
    /// As in UDP: possibly lost, duplicated or reordered.
    Datagram,
}

/// The configuration of the network.
#[derive(Clone, Copy, Debug)]
pub struct NetworkConfig {
    /// The one-way latency of each message.
    pub latency: Dist,
    /// The share of messages lost, in ppm.
    pub loss_per_million: u32,
    /// How messages travel.
    pub transport: Transport,
}

/// Identifies a connection: the client's handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnId(pub(crate) u32);

/// One incarnation of a connection, as its server sees it. A connection that is reopened after a reset is a new session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Session {
    pub(crate) conn: ConnId,
    pub(crate) epoch: u32,
}

/// The direction of a message on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    ToServer,
    ToClient,
}

#[derive(Clone, Debug)]
pub(crate) struct Packet<M> {
    pub session: Session,
    pub way: Way,
    /// The call that this message belongs to; [`NO_CALL`] if it is unsolicited.
    pub call: u64,
    pub sent: SimTime,
    /// The position among all messages sent in this direction of the connection.
    pub order: u32,
    pub body: Body<M>,
}

/// No call: the serial numbers of waits begin at 1.
pub(crate) const NO_CALL: u64 = 0;

#[derive(Clone, Debug)]
pub(crate) enum Body<M> {
    Open,
    Accept,
    Refuse,
    Reset,
    Data(M),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnState {
    Closed,
    Opening,
    Open,
    /// Reset by the peer while no call was pending: the next call fails.
    Broken,
}

pub(crate) struct Conn<M> {
    pub client: NodeId,
    pub server: NodeId,
    pub state: ConnState,
    pub epoch: u32,
    /// Whether the client closed the connection, or lost it in a crash, and answers any message on it with a reset.
    pub forgotten: bool,
    /// Whether the server accepted this epoch.
    pub accepted: bool,
    /// Messages that wait for the connection to open.
    pub backlog: Vec<Packet<M>>,
    /// Pushed messages that the client's code has not received yet.
    pub inbox: VecDeque<M>,
    pub lanes: [Lane<M>; 2],
}

impl<M> Conn<M> {
    pub fn new(client: NodeId, server: NodeId) -> Self {
        Conn {
            client,
            server,
            state: ConnState::Closed,
            epoch: 0,
            forgotten: false,
            accepted: false,
            backlog: Vec::new(),
            inbox: VecDeque::new(),
            lanes: [Lane::default(), Lane::default()],
        }
    }

    pub fn ends(&self, way: Way) -> (NodeId, NodeId) {
        match way {
            Way::ToServer => (self.client, self.server),
            Way::ToClient => (self.server, self.client),
        }
    }
}

impl Way {
    pub fn back(self) -> Way {
        match self {
            Way::ToServer => Way::ToClient,
            Way::ToClient => Way::ToServer,
        }
    }
}
