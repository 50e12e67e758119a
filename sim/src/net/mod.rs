//! Links between nodes, one way each, and the connections that run over them.
//!
//! A connection behaves as TCP does: messages arrive in order and at most once. A lost message arrives late. What is sent
//! over a cut link or to a dead host is retransmitted, or the connection is reset.

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

/// The first retransmission of a stream comes after this, and each further one after twice as long: the minimum
/// retransmission timeout of Linux (`TCP_RTO_MIN`, include/net/tcp.h).
pub const RETRANSMIT_FIRST: Duration = Duration::from_millis(200);

/// No retransmission waits longer than this (`TCP_RTO_MAX`, include/net/tcp.h).
pub const RETRANSMIT_LONGEST: Duration = Duration::from_secs(120);

/// A stream that gets nothing through for this long is reset: 15 retransmissions (`tcp_retries2`, ip-sysctl of Linux).
pub const STALL_LIMIT: Duration = Duration::from_millis(924_600);

/// A server notices a dead host on an idle connection after this: `tcp_keepalive_time` (2 h) and nine probes 75 s apart
/// (tcp(7) of Linux).
pub const KEEP_ALIVE: Duration = Duration::from_secs(7_200 + 9 * 75);

/// A server gives up a connection to another one that gets nothing through for this long, and dials again:
/// `DefaultConnReadTimeout` and `DefaultConnWriteTimeout` of etcd (server/etcdserver/api/rafthttp/peer.go).
pub const PEER_TIMEOUT: Duration = Duration::from_secs(5);

/// The buffer of a connection between servers, in messages. Messages beyond it are dropped, as by the full buffers of
/// rafthttp.
pub(crate) const PEER_BUFFER: usize = 64;

/// How messages travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// As TCP carries them: in order, at most once, late rather than lost.
    #[default]
    Stream,
    /// As UDP carries them: lost, duplicated and reordered.
    Datagram,
}

/// The network as a scenario sets it.
#[derive(Clone, Copy, Debug)]
pub struct NetworkConfig {
    /// One-way latency of each message.
    pub latency: Dist,
    /// Messages lost, in ppm.
    pub loss_per_million: u32,
    /// How messages travel.
    pub transport: Transport,
}

/// Identifies a connection: the client's handle on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnId(pub(crate) u32);

/// One incarnation of a connection, as its server sees it. A connection that is reopened after a reset is a new session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Session {
    pub(crate) conn: ConnId,
    pub(crate) epoch: u32,
}

/// Which way along a connection.
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
    /// Its position among all messages sent in this direction of the connection.
    pub order: u32,
    pub body: Body<M>,
}

/// Not a call: serial numbers of waits begin at 1.
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
    /// The client lost the connection in a crash, and answers any message on it with a reset.
    pub forgotten: bool,
    /// The server accepted this epoch.
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
