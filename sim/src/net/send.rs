//! Sending: opening connections, and launching, stalling or losing messages.

use crate::event_queue::Pending;
use crate::faults::LinkEffect;
use crate::message::Message;
use crate::net::{
    Body, Conn, ConnId, ConnState, Lane, Link, NO_CALL, PEER_BUFFER, PEER_TIMEOUT, Packet, Session, Transport, Way,
    fate, retransmission_delay,
};
use crate::node::{NodeId, Role, WaitKey};
use crate::schedule::InjectionId;
use crate::service::Caller;
use crate::trace::Occurrence;
use crate::waits::{CallError, WaitState};
use crate::world::World;

impl WaitKey {
    fn as_call(self) -> u64 {
        u64::from(self.slot) << 32 | u64::from(self.serial)
    }

    pub(crate) fn of_call(call: u64) -> Self {
        WaitKey { slot: (call >> 32) as u32, serial: call as u32 }
    }
}

impl<M: Message, N: Message> World<M, N> {
    /// Creates a client's connection to a server. The first call opens it.
    pub(crate) fn connect(&mut self, client: NodeId, server: NodeId) -> ConnId {
        self.conns.push(Conn::new(client, server));
        ConnId(self.conns.len() as u32 - 1)
    }

    /// Sends a request. Its reply completes the wait.
    pub(crate) fn request(&mut self, id: ConnId, key: WaitKey, message: M) {
        let datagram = self.network.transport == Transport::Datagram;
        let conn = &mut self.conns[id.0 as usize];
        if conn.state == ConnState::Broken {
            conn.state = ConnState::Closed;
            self.complete_wait(key, WaitState::Failed(CallError::Refused));
            return;
        }
        if conn.state == ConnState::Closed && !datagram {
            self.dial(id);
        }
        self.send(id, key.as_call(), message);
    }

    /// Opens a connection from the client's side.
    fn dial(&mut self, id: ConnId) {
        let conn = &mut self.conns[id.0 as usize];
        conn.state = ConnState::Opening;
        conn.epoch += 1;
        conn.accepted = false;
        conn.inbox.clear();
        conn.lanes = [Lane::default(), Lane::default()];
        let session = Session { conn: id, epoch: conn.epoch };
        let (way, sent) = (Way::ToServer, self.now);
        self.transmit(Packet { session, way, call: NO_CALL, sent, order: 0, body: Body::Open });
    }

    /// Sends a message to the server once the connection is open.
    fn send(&mut self, id: ConnId, call: u64, message: M) {
        let conn = &mut self.conns[id.0 as usize];
        let session = Session { conn: id, epoch: conn.epoch };
        let (way, sent) = (Way::ToServer, self.now);
        let packet = Packet { session, way, call, sent, order: 0, body: Body::Data(message) };
        if conn.state == ConnState::Opening { conn.backlog.push(packet) } else { self.transmit(packet) }
    }

    /// Sends a message from one server to another, on a dedicated connection.
    pub(crate) fn send_to_peer(&mut self, from: NodeId, to: NodeId, message: M) {
        let id = self.peer_connection(from, to);
        let now = self.now;
        if self.network.transport == Transport::Stream {
            let conn = &mut self.conns[id.0 as usize];
            let lane = &conn.lanes[Way::ToServer as usize];
            let stalled = !lane.stalled.is_empty() && now.since(lane.stalled_since) > PEER_TIMEOUT;
            let unanswered = conn.state == ConnState::Opening && conn.lanes[Way::ToClient as usize].is_late(now);
            if stalled || lane.is_late(now) || unanswered || conn.state == ConnState::Broken {
                conn.state = ConnState::Closed;
                conn.backlog.clear();
            }
            if conn.state == ConnState::Closed {
                self.dial(id);
            }
            let conn = &self.conns[id.0 as usize];
            if conn.backlog.len() + conn.lanes[Way::ToServer as usize].stalled.len() >= PEER_BUFFER {
                return;
            }
        }
        self.send(id, NO_CALL, message);
    }

    fn peer_connection(&mut self, from: NodeId, to: NodeId) -> ConnId {
        let known = self.link(from, to).peer;
        known.filter(|id| !self.conns[id.0 as usize].forgotten).unwrap_or_else(|| {
            let id = self.connect(from, to);
            self.link(from, to).peer = Some(id);
            id
        })
    }

    /// Takes the oldest pushed message that the client has not received yet.
    pub(crate) fn pushed(&mut self, id: ConnId) -> Option<M> {
        self.conns[id.0 as usize].inbox.pop_front()
    }

    /// Sends an unsolicited message to a client.
    pub(crate) fn push(&mut self, session: Session, message: M) {
        self.send_to_client(session, NO_CALL, Body::Data(message));
    }

    /// Closes a connection from the server's side. Messages sent before still arrive, then the client sees a reset.
    pub(crate) fn close(&mut self, session: Session) {
        let conn = &mut self.conns[session.conn.0 as usize];
        if conn.epoch == session.epoch && std::mem::take(&mut conn.accepted) {
            self.send_to_client(session, NO_CALL, Body::Reset);
        }
    }

    /// Closes the connection from the client's side and creates a new one to the same server. Messages sent before still
    /// arrive, then the server sees a reset.
    pub(crate) fn reopen(&mut self, id: ConnId) -> ConnId {
        let conn = &mut self.conns[id.0 as usize];
        let (client, server) = (conn.client, conn.server);
        let open = matches!(conn.state, ConnState::Open | ConnState::Opening);
        (conn.state, conn.forgotten) = (ConnState::Closed, true);
        conn.backlog.clear();
        let session = Session { conn: id, epoch: conn.epoch };
        if open && self.network.transport == Transport::Stream {
            let (way, sent) = (Way::ToServer, self.now);
            self.transmit(Packet { session, way, call: 0, sent, order: 0, body: Body::Reset });
        }
        self.connect(client, server)
    }

    /// Returns whether the connection is open, as far as the client knows.
    pub(crate) fn seems_open(&self, id: ConnId) -> bool {
        matches!(self.conns[id.0 as usize].state, ConnState::Open | ConnState::Opening)
    }

    pub(crate) fn send_reply(&mut self, to: Caller, message: M) {
        self.send_to_client(to.session, to.call, Body::Data(message));
    }

    fn send_to_client(&mut self, session: Session, call: u64, body: Body<M>) {
        if self.conns[session.conn.0 as usize].epoch == session.epoch {
            self.transmit(Packet { session, way: Way::ToClient, call, sent: self.now, order: 0, body });
        }
    }

    /// Times out a call. If its request was never sent, the call has certainly failed.
    pub(crate) fn time_out(&mut self, id: ConnId, key: WaitKey) {
        let backlog = &mut self.conns[id.0 as usize].backlog;
        let unsent = backlog.iter().position(|packet| packet.call == key.as_call());
        let error = match unsent {
            Some(index) => {
                backlog.remove(index);
                CallError::Refused
            }
            None => CallError::TimedOut,
        };
        self.complete_wait(key, WaitState::Failed(error));
    }

    pub(crate) fn transmit(&mut self, mut packet: Packet<M>) {
        let (from, to) = self.conns[packet.session.conn.0 as usize].ends(packet.way);
        if self.nodes[from.index()].holds_back {
            self.nodes[from.index()].unsent.push(packet);
            return;
        }
        let guarded = |node: NodeId| self.nodes[node.index()].role == Role::Store;
        if matches!(packet.body, Body::Data(_)) && !guarded(from) && !guarded(to) {
            self.lock_messages += 1;
        }
        let (closed, cut) = (self.link(from, to).closed(), self.link(from, to).cut());
        match self.network.transport {
            Transport::Stream => {
                let lane = self.lane(&packet);
                packet.order = lane.sent;
                if !matches!(packet.body, Body::Reset | Body::Refuse) {
                    lane.sent += 1;
                }
                if closed || lane.blocked() {
                    self.stall(packet);
                } else {
                    self.launch(packet, from, to);
                }
            }
            Transport::Datagram if cut => self.lose(&packet),
            Transport::Datagram if closed => self.stall(packet),
            Transport::Datagram => self.launch(packet, from, to),
        }
    }

    /// Draws a message's fate and schedules its arrival.
    pub(crate) fn launch(&mut self, packet: Packet<M>, from: NodeId, to: NodeId) {
        let network = self.network;
        let mut involved: Vec<InjectionId> = Vec::new();
        let index = from.index() * self.nodes.len() + to.index();
        let Link { effects, stream, .. } = &mut self.links[index];
        let stream = stream.get_or_insert_with(|| {
            let (from, to) = (&self.nodes[from.index()].name, &self.nodes[to.index()].name);
            Box::new(self.streams.labelled(&["latency", from, to]))
        });
        let fate = fate(&network, effects, stream, |injection| involved.push(injection));
        for injection in involved {
            self.touch(injection, &[from, to]);
        }
        if network.transport == Transport::Datagram {
            if fate.losses > 0 {
                self.record_lost(&packet, from, to);
                return;
            }
            if fate.doubled {
                self.schedule_at(self.now + fate.latency, Pending::Arrival(packet.clone()));
            }
            self.schedule_at(self.now + fate.latency, Pending::Arrival(packet));
            return;
        }
        let now = self.now;
        let arrival = now + fate.latency + retransmission_delay(fate.losses);
        let lane = self.lane(&packet);
        let at = lane.last_arrival.max(arrival);
        lane.expect(now, at);
        self.schedule_at(at, Pending::Arrival(packet));
    }

    pub(crate) fn lane(&mut self, packet: &Packet<M>) -> &mut Lane<M> {
        &mut self.conns[packet.session.conn.0 as usize].lanes[packet.way as usize]
    }

    /// Keeps a message for retransmission. A dead host does not retransmit.
    pub(crate) fn stall(&mut self, packet: Packet<M>) {
        let (from, to) = self.conns[packet.session.conn.0 as usize].ends(packet.way);
        self.touch_closing(from, to);
        if self.nodes[from.index()].host_down {
            return;
        }
        let now = self.now;
        self.lane(&packet).stall(now, packet);
    }

    pub(crate) fn lose(&mut self, packet: &Packet<M>) {
        let (from, to) = self.conns[packet.session.conn.0 as usize].ends(packet.way);
        self.touch_closing(from, to);
        self.record_lost(packet, from, to);
    }

    fn record_lost(&mut self, packet: &Packet<M>, from: NodeId, to: NodeId) {
        if let Body::Data(message) = &packet.body {
            self.record(&Occurrence::Lost { from, to, message });
        }
    }

    /// Records that the faults that close a link, and the crash of its far end, changed something.
    pub(crate) fn touch_closing(&mut self, from: NodeId, to: NodeId) {
        let closing = |effect: &LinkEffect| matches!(effect, LinkEffect::Cut | LinkEffect::Hold);
        let effects = &self.link(from, to).effects;
        let mut involved: Vec<_> = effects.iter().filter(|(_, effect)| closing(effect)).map(|(by, _)| *by).collect();
        involved.extend(self.nodes[to.index()].crashed_by.filter(|_| !self.nodes[to.index()].up));
        for injection in involved {
            self.touch(injection, &[from, to]);
        }
    }
}
