//! Failures of the network or a peer: stalled messages are retransmitted, or the connection is reset.

use crate::event_queue::Pending;
use crate::message::Message;
use crate::net::{Body, ConnId, ConnState, KEEP_ALIVE, Packet, STALL_LIMIT, Session, Transport, Way};
use crate::node::NodeId;
use crate::world::World;

impl<M: Message, N: Message> World<M, N> {
    /// Retransmits the stalled messages of a connection.
    pub(crate) fn flush(&mut self, id: ConnId, way: Way, epoch: u32) {
        let conn = &mut self.conns[id.0 as usize];
        if conn.epoch != epoch {
            return;
        }
        let (from, to) = conn.ends(way);
        let lane = &mut conn.lanes[way as usize];
        lane.flush_pending = false;
        let since = lane.stalled_since;
        if self.link(from, to).closed() || self.nodes[to.index()].host_down {
            return;
        }
        let stalled = self.conns[id.0 as usize].lanes[way as usize].stalled.drain(..).collect::<Vec<_>>();
        if self.network.transport == Transport::Stream && self.now.since(since) > STALL_LIMIT {
            self.give_up(id);
            return;
        }
        for packet in stalled {
            self.launch(packet, from, to);
        }
    }

    /// Resets a stream that made no progress for [`STALL_LIMIT`], as the operating systems of both ends would.
    fn give_up(&mut self, id: ConnId) {
        let session = Session { conn: id, epoch: self.conns[id.0 as usize].epoch };
        for way in [Way::ToServer, Way::ToClient] {
            self.notice_reset(session, way);
        }
    }

    /// Resets the connection at one end. The process there sees the reset as soon as it runs.
    fn notice_reset(&mut self, session: Session, way: Way) {
        let node = self.conns[session.conn.0 as usize].ends(way).1;
        let packet = Packet { session, way, call: 0, sent: self.now, order: 0, body: Body::Reset };
        self.handle_later(node, packet);
    }

    /// Schedules retransmissions of stalled messages on links for which `over` is true, `at_once` if they were only held.
    pub(crate) fn unstall(&mut self, over: impl Fn(NodeId, NodeId) -> bool, at_once: bool) {
        for index in 0..self.conns.len() {
            for way in [Way::ToServer, Way::ToClient] {
                let conn = &mut self.conns[index];
                let (from, to) = conn.ends(way);
                let (epoch, lane) = (conn.epoch, &mut conn.lanes[way as usize]);
                if lane.stalled.is_empty() || lane.flush_pending || !over(from, to) {
                    continue;
                }
                lane.flush_pending = true;
                let at = if at_once { self.now } else { lane.next_retransmission(self.now) };
                self.schedule_at(at, Pending::Flush { conn: ConnId(index as u32), way, epoch });
            }
        }
    }

    /// Breaks the connections of a node that crashed. After a crash of the process, its operating system closes them; a dead
    /// host loses them silently.
    pub(crate) fn drop_connections(&mut self, node: NodeId, host: bool) {
        for index in 0..self.conns.len() {
            let conn = &mut self.conns[index];
            let session = Session { conn: ConnId(index as u32), epoch: conn.epoch };
            if conn.client == node && matches!(conn.state, ConnState::Open | ConnState::Opening) {
                conn.state = ConnState::Closed;
                conn.backlog.clear();
                conn.forgotten = true;
                if host {
                    conn.lanes[Way::ToServer as usize].stalled.clear();
                    let event = Pending::KeepAlive { conn: session.conn, epoch: session.epoch };
                    self.schedule_at(self.now + KEEP_ALIVE, event);
                } else {
                    let (way, sent) = (Way::ToServer, self.now);
                    self.transmit(Packet { session, way, call: 0, sent, order: 0, body: Body::Reset });
                }
            } else if conn.server == node && conn.accepted {
                conn.accepted = false;
                if host {
                    conn.lanes[Way::ToClient as usize].stalled.clear();
                } else {
                    let (way, sent) = (Way::ToClient, self.now);
                    self.transmit(Packet { session, way, call: 0, sent, order: 0, body: Body::Reset });
                }
            }
        }
    }

    /// Resets a connection whose keep-alive probes were not answered.
    pub(crate) fn keep_alive(&mut self, id: ConnId, epoch: u32) {
        let conn = &self.conns[id.0 as usize];
        if conn.epoch == epoch && conn.accepted {
            self.notice_reset(Session { conn: id, epoch }, Way::ToServer);
        }
    }
}
