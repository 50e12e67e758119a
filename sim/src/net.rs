//! Links between nodes, one way each, and the connections that run over them.
//!
//! A connection is a byte stream as TCP gives it: in order, at most once. Loss shows as retransmission delay; what a cut
//! or a dead host swallows is sent again later, or the connection is reset.

use std::collections::VecDeque;
use std::time::Duration;

use crate::faults::LinkEffect;
use crate::node::NodeId;
use crate::schedule::InjectionId;
use crate::stream::Stream;
use crate::time::SimTime;
use crate::units::Dist;

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

/// So many messages wait for a connection between servers to get through; more are dropped, as rafthttp's full buffers
/// drop them.
pub(crate) const PEER_BUFFER: usize = 64;

/// How messages travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// As TCP carries them: in order, at most once, late rather than lost.
    #[default]
    Stream,
    /// As UDP carries them: lost, doubled and overtaken.
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

/// Names a connection: its client's handle on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnId(pub(crate) u32);

/// One incarnation of a connection, as its server knows it: a connection made again after a reset is another session.
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
    /// The call that this asks or answers, as its client numbers it; [`NO_CALL`] for what nobody asked for.
    pub call: u64,
    pub sent: SimTime,
    /// Its place among all that was sent this way on its connection.
    pub order: u32,
    pub body: Body<M>,
}

/// The number of no call: serial numbers of waits begin at 1.
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
    /// Reset by the peer while nobody was waiting: the next call learns of it.
    Broken,
}

pub(crate) struct Conn<M> {
    pub client: NodeId,
    pub server: NodeId,
    pub state: ConnState,
    pub epoch: u32,
    /// The client lost the connection in a crash, and resets whoever speaks on it.
    pub forgotten: bool,
    /// The server accepted this epoch.
    pub accepted: bool,
    /// What waits for the connection to open.
    pub backlog: Vec<Packet<M>>,
    /// What the server pushed and the client's code has not taken yet.
    pub inbox: VecDeque<M>,
    pub lanes: [Lane<M>; 2],
}

/// One direction of a connection.
pub(crate) struct Lane<M> {
    pub last_arrival: SimTime,
    /// Since when and until when nothing comes through: retransmissions of one message take longer than peers wait.
    pub late: (SimTime, SimTime),
    /// How many messages were sent.
    pub sent: u32,
    /// How many messages came through in order.
    pub received: u32,
    /// What came through ahead of its turn.
    pub early: Vec<Packet<M>>,
    /// What did not get through, oldest first, and since when.
    pub stalled: VecDeque<Packet<M>>,
    pub stalled_since: SimTime,
    pub flush_pending: bool,
}

impl<M> Default for Lane<M> {
    fn default() -> Self {
        Lane {
            last_arrival: SimTime(0),
            late: (SimTime(0), SimTime(0)),
            sent: 0,
            received: 0,
            early: Vec::new(),
            stalled: VecDeque::new(),
            stalled_since: SimTime(0),
            flush_pending: false,
        }
    }
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

impl<M> Lane<M> {
    pub fn blocked(&self) -> bool {
        self.flush_pending || !self.stalled.is_empty()
    }

    /// What was sent last arrives then.
    pub fn expect(&mut self, now: SimTime, arrival: SimTime) {
        self.last_arrival = arrival;
        let (since, until) = self.late;
        if arrival.since(now) > PEER_TIMEOUT {
            self.late = (if until > now { since } else { now }, arrival);
        }
    }

    /// Whether nothing has come through for as long as peers wait, although nothing is in the way.
    pub fn is_late(&self, now: SimTime) -> bool {
        let (since, until) = self.late;
        until > now && now.since(since) > PEER_TIMEOUT
    }

    /// Keeps a message that does not get through: before those that were sent after it, even if they stalled earlier.
    pub fn stall(&mut self, now: SimTime, packet: Packet<M>) {
        if self.stalled.is_empty() {
            self.stalled_since = now;
        }
        let place = self.stalled.partition_point(|other| other.order <= packet.order);
        self.stalled.insert(place, packet);
    }

    /// Takes a message out of the network, if its turn has come. A reset does not wait for its turn.
    pub fn receive(&mut self, packet: Packet<M>) -> Option<Packet<M>> {
        if matches!(packet.body, Body::Reset | Body::Refuse) {
            return Some(packet);
        }
        if packet.order != self.received {
            self.early.push(packet);
            return None;
        }
        self.received += 1;
        Some(packet)
    }

    /// The message whose turn it is now, if it came early.
    pub fn next_early(&mut self) -> Option<Packet<M>> {
        let place = self.early.iter().position(|packet| packet.order == self.received)?;
        Some(self.early.swap_remove(place))
    }

    /// The first retransmission of what stalled that comes at or after `now`.
    pub fn next_retransmission(&self, now: SimTime) -> SimTime {
        let (mut at, mut wait) = (self.stalled_since, RETRANSMIT_FIRST);
        loop {
            at = at + wait;
            if at >= now {
                return at;
            }
            wait = (wait * 2).min(RETRANSMIT_LONGEST);
        }
    }
}

/// What faults do to a link at the moment, and its own randomness.
#[derive(Default)]
pub(crate) struct Link {
    pub effects: Vec<(InjectionId, LinkEffect)>,
    /// Made at first use.
    pub stream: Option<Box<Stream>>,
    /// The connection for what one server sends to another, made at first use.
    pub peer: Option<ConnId>,
}

impl Link {
    pub fn cut(&self) -> bool {
        self.effects.iter().any(|(_, effect)| *effect == LinkEffect::Cut)
    }

    pub fn closed(&self) -> bool {
        self.effects.iter().any(|(_, effect)| matches!(effect, LinkEffect::Cut | LinkEffect::Hold))
    }
}

/// How one message fares on a link, before its order among others is looked at.
pub(crate) struct Fate {
    pub latency: Duration,
    /// How many times it was lost before it got through (streams), or whether it is lost (datagrams).
    pub losses: u32,
    pub doubled: bool,
}

/// No message is lost more often than this in a row: by then a stream has given up waiting in all but name.
const MOST_LOSSES: u32 = 10;

/// Draws a message's fate. `touched` is told which injections had a part in it.
pub(crate) fn fate(
    config: &NetworkConfig,
    effects: &[(InjectionId, LinkEffect)],
    stream: &mut Stream,
    mut touched: impl FnMut(InjectionId),
) -> Fate {
    let mut fate = Fate { latency: config.latency.draw(stream), losses: 0, doubled: false };
    let mut keep_per_million = 1_000_000 - u64::from(config.loss_per_million);
    for (injection, effect) in effects {
        match effect {
            LinkEffect::Delay(add) => {
                fate.latency += add.draw(stream);
                touched(*injection);
            }
            LinkEffect::Lose(rate) => keep_per_million = keep_per_million * (1_000_000 - u64::from(*rate)) / 1_000_000,
            LinkEffect::Duplicate(rate) if config.transport == Transport::Datagram && stream.chance(*rate) => {
                fate.doubled = true;
                touched(*injection);
            }
            LinkEffect::Duplicate(_) | LinkEffect::Cut | LinkEffect::Hold => {}
        }
    }
    if keep_per_million < 1_000_000 {
        let lose = (1_000_000 - keep_per_million) as u32;
        while fate.losses < MOST_LOSSES && stream.chance(lose) {
            fate.losses += 1;
        }
        if fate.losses > 0 {
            let losing = effects.iter().filter(|(_, effect)| matches!(effect, LinkEffect::Lose(_)));
            losing.for_each(|(injection, _)| touched(*injection));
        }
    }
    fate
}

/// How much later a message arrives that was lost so often before it got through.
pub(crate) fn retransmission_delay(losses: u32) -> Duration {
    (0..losses).fold(Duration::ZERO, |sum, n| sum + (RETRANSMIT_FIRST * 2u32.pow(n)).min(RETRANSMIT_LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retransmissions_come_after_200_ms_doubling() {
        assert_eq!(retransmission_delay(0), Duration::ZERO);
        assert_eq!(retransmission_delay(3), Duration::from_millis(200 + 400 + 800));
        let lane = Lane::<()>::default();
        assert_eq!(lane.next_retransmission(SimTime(1)), SimTime(200_000_000));
        assert_eq!(lane.next_retransmission(SimTime(1_000_000_000)), SimTime(1_400_000_000));
    }
}
