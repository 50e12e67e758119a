//! Receiving: messages arrive in order and are handled by their node.

use crate::event_queue::Pending;
use crate::message::Message;
use crate::net::{Body, ConnId, ConnState, NO_CALL, Packet, Session, Transport, Way};
use crate::node::{NodeId, WaitKey};
use crate::service::Caller;
use crate::trace::Occurrence;
use crate::waits::{CallError, WaitKind, WaitState};
use crate::world::World;

impl<M: Message, N: Message> World<M, N> {
    /// Delivers a message at the far end of its link.
    pub(crate) fn arrive(&mut self, packet: Packet<M>) {
        let conn = &self.conns[packet.session.conn.0 as usize];
        if packet.session.epoch != conn.epoch {
            return;
        }
        let (from, to) = conn.ends(packet.way);
        let link = self.link(from, to);
        let (closed, cut) = (link.closed(), link.cut());
        if self.network.transport == Transport::Datagram {
            match closed {
                _ if cut || !self.nodes[to.index()].up => self.lose(&packet),
                true => self.stall(packet),
                false => self.receive(packet, from, to),
            }
            return;
        }
        if closed || self.nodes[to.index()].host_down {
            self.stall(packet);
            return;
        }
        let (conn, way) = (packet.session.conn, packet.way);
        let Some(packet) = self.lane(&packet).receive(packet) else { return };
        self.receive(packet, from, to);
        if let Some(next) = self.conns[conn.0 as usize].lanes[way as usize].next_early() {
            self.schedule_at(self.now, Pending::Arrival(next));
        }
    }

    /// Passes a message to a node, which may be down, paused or busy.
    fn receive(&mut self, packet: Packet<M>, from: NodeId, to: NodeId) {
        let node = &mut self.nodes[to.index()];
        if !node.up {
            self.touch_closing(from, to);
            self.bounce(&packet);
        } else if node.paused() {
            self.receive_while_paused(to, packet);
        } else if node.resuming > 0 {
            self.handle_later(to, packet);
        } else {
            self.accept(packet);
        }
    }

    /// Accepts a new connection on the server's side.
    pub(crate) fn open(&mut self, session: Session) {
        let conn = &mut self.conns[session.conn.0 as usize];
        conn.accepted = true;
        let (client, server) = (conn.client, conn.server);
        self.record(&Occurrence::Connected { client, server });
        let (way, sent) = (Way::ToClient, self.now);
        self.transmit(Packet { session, way, call: 0, sent, order: 0, body: Body::Accept });
    }

    /// Schedules a message for now, after the messages that the node already has to handle.
    pub(crate) fn handle_later(&mut self, node: NodeId, packet: Packet<M>) {
        self.nodes[node.index()].resuming += 1;
        self.schedule_at(self.now, Pending::Resumed(packet));
    }

    pub(crate) fn resumed(&mut self, packet: Packet<M>) {
        let conn = &self.conns[packet.session.conn.0 as usize];
        let to = conn.ends(packet.way).1;
        let node = &mut self.nodes[to.index()];
        node.resuming -= 1;
        if !node.up || packet.session.epoch != conn.epoch {
            return;
        }
        if node.paused() { self.withhold(to, packet) } else { self.accept(packet) }
    }

    /// Answers on behalf of a process that is down or does not know the connection.
    fn bounce(&mut self, packet: &Packet<M>) {
        let body = match packet.body {
            Body::Open => Body::Refuse,
            Body::Data(_) | Body::Accept => Body::Reset,
            Body::Refuse | Body::Reset => return,
        };
        let (session, way) = (packet.session, packet.way.back());
        self.transmit(Packet { session, way, call: 0, sent: self.now, order: 0, body });
    }

    /// Handles a message at its node.
    pub(crate) fn accept(&mut self, packet: Packet<M>) {
        let id = packet.session.conn;
        let (from, to) = self.conns[id.0 as usize].ends(packet.way);
        match packet.way {
            Way::ToServer => self.accept_at_server(packet, from, to),
            Way::ToClient => self.accept_at_client(packet, from, to),
        }
    }

    fn accept_at_server(&mut self, packet: Packet<M>, client: NodeId, server: NodeId) {
        let session = packet.session;
        let stream = self.network.transport == Transport::Stream;
        let accepted = self.conns[session.conn.0 as usize].accepted;
        match packet.body {
            Body::Open => {
                if !accepted {
                    self.open(session);
                }
                if self.is_client(client) {
                    self.serve(server, |service, env| service.on_connect(env, session));
                }
            }
            Body::Data(_) if stream && !accepted => self.bounce(&packet),
            Body::Data(message) => {
                let sent_ns = packet.sent.0;
                self.mark_active(server);
                self.record(&Occurrence::Delivered { from: client, to: server, sent_ns, message: &message });
                if self.is_client(client) {
                    let caller = Caller { session, call: packet.call, client };
                    self.serve(server, |service, env| service.on_message(env, caller, message));
                } else {
                    self.serve(server, |service, env| service.on_peer(env, client, message));
                }
            }
            Body::Reset if accepted => self.disconnect(session),
            Body::Reset | Body::Accept | Body::Refuse => {}
        }
    }

    fn accept_at_client(&mut self, packet: Packet<M>, server: NodeId, client: NodeId) {
        let id = packet.session.conn;
        let conn = &mut self.conns[id.0 as usize];
        if conn.forgotten {
            self.bounce(&packet);
            return;
        }
        match packet.body {
            Body::Accept => {
                conn.state = ConnState::Open;
                for waiting in std::mem::take(&mut conn.backlog) {
                    self.transmit(waiting);
                }
            }
            Body::Data(message) => {
                let sent_ns = packet.sent.0;
                self.mark_active(client);
                self.record(&Occurrence::Delivered { from: server, to: client, sent_ns, message: &message });
                let taken = match packet.call {
                    NO_CALL => self.take_pushed(id, message),
                    call => self.complete_wait(WaitKey::of_call(call), WaitState::Reply(message)),
                };
                if taken {
                    self.wake = Some(client);
                }
            }
            Body::Refuse => {
                self.record(&Occurrence::Refused { node: client, peer: server });
                self.conns[id.0 as usize].backlog.clear();
                self.fail_calls(id, client, CallError::Refused);
                self.conns[id.0 as usize].state = ConnState::Closed;
                self.report_lost_peer(client, server);
            }
            Body::Reset => self.reset_at_client(id),
            Body::Open => {}
        }
    }

    /// Completes the wait for a pushed message, or buffers the message. Returns whether a wait was completed.
    fn take_pushed(&mut self, id: ConnId, message: M) -> bool {
        let waiting = self.waits_on(|kind| *kind == WaitKind::Receive(id)).next();
        if let Some(key) = waiting {
            return self.complete_wait(key, WaitState::Reply(message));
        }
        self.conns[id.0 as usize].inbox.push_back(message);
        false
    }

    fn waits_on(&self, concerned: impl Fn(&WaitKind) -> bool) -> impl Iterator<Item = WaitKey> {
        (self.waits.iter())
            .filter(move |(_, wait)| concerned(&wait.kind) && matches!(wait.state, WaitState::Pending))
            .map(|(slot, wait)| WaitKey { slot: slot as u32, serial: wait.serial })
    }

    fn reset_at_client(&mut self, id: ConnId) {
        let conn = &mut self.conns[id.0 as usize];
        if !matches!(conn.state, ConnState::Open | ConnState::Opening) {
            return;
        }
        let (client, server) = (conn.client, conn.server);
        conn.backlog.clear();
        self.record(&Occurrence::Reset { node: client, peer: server });
        let noticed = self.fail_calls(id, client, CallError::Reset);
        self.conns[id.0 as usize].state = if noticed { ConnState::Closed } else { ConnState::Broken };
        self.report_lost_peer(client, server);
    }

    /// Tells a server that its connection to another server broke.
    fn report_lost_peer(&mut self, node: NodeId, peer: NodeId) {
        if !self.is_client(node) && !self.is_client(peer) && self.nodes[node.index()].up {
            self.serve(node, |service, env| service.on_peer_lost(env, peer));
        }
    }

    /// Fails all pending calls on the connection, and returns whether there were any.
    fn fail_calls(&mut self, id: ConnId, client: NodeId, error: CallError) -> bool {
        let concerned = |kind: &WaitKind| matches!(kind, WaitKind::Call(on) | WaitKind::Receive(on) if *on == id);
        let keys: Vec<WaitKey> = self.waits_on(concerned).collect();
        for key in &keys {
            self.complete_wait(*key, WaitState::Failed(error));
        }
        if !keys.is_empty() && self.nodes[client.index()].up {
            self.mark_active(client);
            self.wake = Some(client);
        }
        !keys.is_empty()
    }

    fn disconnect(&mut self, session: Session) {
        let conn = &mut self.conns[session.conn.0 as usize];
        conn.accepted = false;
        let (client, server) = (conn.client, conn.server);
        self.record(&Occurrence::Reset { node: server, peer: client });
        if self.is_client(client) {
            self.serve(server, |service, env| service.on_disconnect(env, session));
        } else {
            self.report_lost_peer(server, client);
        }
    }
}
