//! How messages travel: connections opened, kept in order, stalled, flushed and reset; datagrams lost and doubled.

use crate::fault::LinkEffect;
use crate::message::Message;
use crate::net::{
    Body, Conn, ConnId, ConnState, KEEP_ALIVE, Lane, Packet, STALL_LIMIT, Session, Transport, Way, fate,
    retransmission_delay,
};
use crate::node::{NodeId, WaitKey, Withheld};
use crate::schedule::InjectionId;
use crate::service::{Caller, Env, Service};
use crate::trace::Occurrence;
use crate::waits::{CallError, WaitKind, WaitState};
use crate::world::{Pending, World};

impl WaitKey {
    fn as_call(self) -> u64 {
        u64::from(self.slot) << 32 | u64::from(self.serial)
    }

    fn of_call(call: u64) -> Self {
        WaitKey { slot: (call >> 32) as u32, serial: call as u32 }
    }
}

impl<M: Message, N: Message> World<M, N> {
    /// A client's handle on a server. The connection opens with the first call.
    pub(crate) fn connect(&mut self, client: NodeId, server: NodeId) -> ConnId {
        self.conns.push(Conn::new(client, server));
        ConnId(self.conns.len() as u32 - 1)
    }

    /// Sends a request whose reply the wait will get.
    pub(crate) fn request(&mut self, id: ConnId, key: WaitKey, message: M) {
        let datagram = self.network.transport == Transport::Datagram;
        let conn = &mut self.conns[id.0 as usize];
        if conn.state == ConnState::Broken {
            conn.state = ConnState::Closed;
            self.fulfil(key, WaitState::Failed(CallError::Refused));
            return;
        }
        if conn.state == ConnState::Closed && !datagram {
            conn.state = ConnState::Opening;
            conn.epoch += 1;
            conn.accepted = false;
            conn.lanes = [Lane::default(), Lane::default()];
            let session = Session { conn: id, epoch: conn.epoch };
            self.transmit(Packet { session, way: Way::ToServer, call: 0, sent: self.now, body: Body::Open });
        }
        let conn = &mut self.conns[id.0 as usize];
        let session = Session { conn: id, epoch: conn.epoch };
        let packet =
            Packet { session, way: Way::ToServer, call: key.as_call(), sent: self.now, body: Body::Data(message) };
        if conn.state == ConnState::Opening { conn.backlog.push(packet) } else { self.transmit(packet) }
    }

    /// The client closes the connection: what it sent before still arrives, then its server learns of the end.
    pub(crate) fn close(&mut self, id: ConnId) {
        let conn = &mut self.conns[id.0 as usize];
        let open = matches!(conn.state, ConnState::Open | ConnState::Opening);
        conn.state = ConnState::Closed;
        conn.backlog.clear();
        let session = Session { conn: id, epoch: conn.epoch };
        if open && self.network.transport == Transport::Stream {
            self.transmit(Packet { session, way: Way::ToServer, call: 0, sent: self.now, body: Body::Reset });
        }
    }

    /// Whether the client may still believe that the connection lives.
    pub(crate) fn seems_open(&self, id: ConnId) -> bool {
        matches!(self.conns[id.0 as usize].state, ConnState::Open | ConnState::Opening)
    }

    pub(crate) fn send_reply(&mut self, to: Caller, message: M) {
        if self.conns[to.session.conn.0 as usize].epoch == to.session.epoch {
            let (session, call) = (to.session, to.call);
            self.transmit(Packet { session, way: Way::ToClient, call, sent: self.now, body: Body::Data(message) });
        }
    }

    /// A call got no reply in time. One that was never sent has certainly failed.
    pub(crate) fn time_out(&mut self, id: ConnId, key: WaitKey) {
        let backlog = &mut self.conns[id.0 as usize].backlog;
        let unsent = backlog.iter().position(|packet| packet.call == key.as_call());
        let error = match unsent {
            Some(place) => {
                backlog.remove(place);
                CallError::Refused
            }
            None => CallError::TimedOut,
        };
        self.fulfil(key, WaitState::Failed(error));
    }

    fn transmit(&mut self, packet: Packet<M>) {
        let (from, to) = self.conns[packet.session.conn.0 as usize].ends(packet.way);
        let (closed, cut) = (self.link(from, to).closed(), self.link(from, to).cut());
        match self.network.transport {
            Transport::Stream => {
                let lane = self.lane(&packet);
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

    /// Puts a message on its way.
    fn launch(&mut self, packet: Packet<M>, from: NodeId, to: NodeId) {
        let network = self.network;
        let mut stream = match self.link(from, to).stream.take() {
            Some(stream) => stream,
            None => Box::new(self.stream(&["latency", self.name(from), self.name(to)])),
        };
        let mut involved: Vec<InjectionId> = Vec::new();
        let fate = fate(&network, self.link(from, to), &mut stream, |injection| involved.push(injection));
        self.link(from, to).stream = Some(stream);
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
        let arrival = self.now + fate.latency + retransmission_delay(fate.losses);
        let lane = self.lane(&packet);
        lane.last_arrival = lane.last_arrival.max(arrival);
        let at = lane.last_arrival;
        self.schedule_at(at, Pending::Arrival(packet));
    }

    fn lane(&mut self, packet: &Packet<M>) -> &mut Lane<M> {
        &mut self.conns[packet.session.conn.0 as usize].lanes[packet.way as usize]
    }

    /// Keeps a message that does not get through, to be sent again.
    fn stall(&mut self, packet: Packet<M>) {
        let (from, to) = self.conns[packet.session.conn.0 as usize].ends(packet.way);
        self.touch_closing(from, to);
        let now = self.now;
        self.lane(&packet).stall(now, packet);
    }

    fn lose(&mut self, packet: &Packet<M>) {
        let (from, to) = self.conns[packet.session.conn.0 as usize].ends(packet.way);
        self.touch_closing(from, to);
        self.record_lost(packet, from, to);
    }

    fn record_lost(&mut self, packet: &Packet<M>, from: NodeId, to: NodeId) {
        if let Body::Data(message) = &packet.body {
            self.record(&Occurrence::Lost { from, to, message });
        }
    }

    /// The faults that close a link, and the crash of its far end, made a difference.
    fn touch_closing(&mut self, from: NodeId, to: NodeId) {
        let closing = |effect: &LinkEffect| matches!(effect, LinkEffect::Cut | LinkEffect::Hold);
        let effects = &self.link(from, to).effects;
        let mut involved: Vec<_> = effects.iter().filter(|(_, effect)| closing(effect)).map(|(by, _)| *by).collect();
        involved.extend(self.nodes[to.index()].crashed_by.filter(|_| !self.nodes[to.index()].up));
        for injection in involved {
            self.touch(injection, &[from, to]);
        }
    }

    /// A message reaches the far end of its link.
    pub(crate) fn arrive(&mut self, packet: Packet<M>) {
        let conn = &self.conns[packet.session.conn.0 as usize];
        if packet.session.epoch != conn.epoch {
            return;
        }
        let (from, to) = conn.ends(packet.way);
        let closed = self.link(from, to).closed();
        let host_down = self.nodes[to.index()].host_down;
        if self.network.transport == Transport::Datagram {
            if closed || !self.nodes[to.index()].up {
                self.lose(&packet);
                return;
            }
        } else if closed || host_down || self.lane(&packet).blocked() {
            self.stall(packet);
            return;
        }
        if !self.nodes[to.index()].up {
            self.touch_closing(from, to);
            self.bounce(&packet);
            return;
        }
        if self.nodes[to.index()].stopped() {
            self.withhold(to, packet);
            return;
        }
        self.accept(packet);
    }

    pub(crate) fn withhold(&mut self, node: NodeId, packet: Packet<M>) {
        for i in 0..self.nodes[node.index()].stopped_by.len() {
            let by = self.nodes[node.index()].stopped_by[i].by;
            let (from, to) = self.conns[packet.session.conn.0 as usize].ends(packet.way);
            self.touch(by, &[from, to]);
        }
        self.nodes[node.index()].withheld.push(Withheld::Packet(packet));
    }

    /// Answers for a process that is not there, or does not know the connection.
    fn bounce(&mut self, packet: &Packet<M>) {
        let body = match packet.body {
            Body::Open => Body::Refuse,
            Body::Data(_) | Body::Accept => Body::Reset,
            Body::Refuse | Body::Reset => return,
        };
        let (session, way) = (packet.session, packet.way.back());
        self.transmit(Packet { session, way, call: 0, sent: self.now, body });
    }

    /// A message is dealt with by the node that it reached.
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
                self.conns[session.conn.0 as usize].accepted = true;
                self.record(&Occurrence::Connected { client, server });
                self.transmit(Packet { session, way: Way::ToClient, call: 0, sent: self.now, body: Body::Accept });
                self.serve(server, |service, env| service.on_connect(env, session));
            }
            Body::Data(_) if stream && !accepted => self.bounce(&packet),
            Body::Data(message) => {
                let sent_ns = packet.sent.0;
                self.stir(server);
                self.record(&Occurrence::Delivered { from: client, to: server, sent_ns, message: &message });
                let caller = Caller { session, call: packet.call, client };
                self.serve(server, |service, env| service.on_message(env, caller, message));
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
                self.stir(client);
                self.record(&Occurrence::Delivered { from: server, to: client, sent_ns, message: &message });
                if self.fulfil(WaitKey::of_call(packet.call), WaitState::Reply(message)) {
                    self.wake = Some(client);
                }
            }
            Body::Refuse => {
                self.record(&Occurrence::Refused { node: client, peer: server });
                self.conns[id.0 as usize].backlog.clear();
                self.fail_calls(id, client, CallError::Refused);
                self.conns[id.0 as usize].state = ConnState::Closed;
            }
            Body::Reset => self.reset_at_client(id),
            Body::Open => {}
        }
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
    }

    /// Fails every pending call on the connection, and says whether there was one.
    fn fail_calls(&mut self, id: ConnId, client: NodeId, error: CallError) -> bool {
        let concerned = |kind: &WaitKind| *kind == WaitKind::Call(id);
        let keys: Vec<WaitKey> = (self.waits.iter())
            .filter(|(_, wait)| concerned(&wait.kind) && matches!(wait.state, WaitState::Pending))
            .map(|(slot, wait)| WaitKey { slot: slot as u32, serial: wait.serial })
            .collect();
        for key in &keys {
            self.fulfil(*key, WaitState::Failed(error));
        }
        if !keys.is_empty() && self.nodes[client.index()].up {
            self.stir(client);
            self.wake = Some(client);
        }
        !keys.is_empty()
    }

    fn disconnect(&mut self, session: Session) {
        let conn = &mut self.conns[session.conn.0 as usize];
        conn.accepted = false;
        let (client, server) = (conn.client, conn.server);
        self.record(&Occurrence::Reset { node: server, peer: client });
        self.serve(server, |service, env| service.on_disconnect(env, session));
    }

    /// Sends again what stalled on a connection.
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
        let stalled = std::mem::take(&mut self.conns[id.0 as usize].lanes[way as usize].stalled);
        if self.network.transport == Transport::Stream && self.now.since(since) > STALL_LIMIT {
            self.give_up(id);
            return;
        }
        for packet in stalled {
            self.launch(packet, from, to);
        }
    }

    /// A stream got nothing through for too long: both ends give it up.
    fn give_up(&mut self, id: ConnId) {
        let conn = &self.conns[id.0 as usize];
        if conn.accepted {
            self.disconnect(Session { conn: id, epoch: conn.epoch });
        }
        self.reset_at_client(id);
    }

    /// Sees to it that what stalled towards a node or over a link is sent again; `at_once` where it was only held.
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

    /// The connections of a node whose process died. A living operating system closes them; a dead host forgets them.
    pub(crate) fn drop_connections(&mut self, node: NodeId, host: bool) {
        for index in 0..self.conns.len() {
            let conn = &mut self.conns[index];
            let session = Session { conn: ConnId(index as u32), epoch: conn.epoch };
            if conn.client == node && matches!(conn.state, ConnState::Open | ConnState::Opening) {
                conn.state = ConnState::Closed;
                conn.backlog.clear();
                conn.forgotten = true;
                if host {
                    let event = Pending::KeepAlive { conn: session.conn, epoch: session.epoch };
                    self.schedule_at(self.now + KEEP_ALIVE, event);
                } else {
                    let (way, sent) = (Way::ToServer, self.now);
                    self.transmit(Packet { session, way, call: 0, sent, body: Body::Reset });
                }
            } else if conn.server == node && conn.accepted {
                conn.accepted = false;
                if !host {
                    let (way, sent) = (Way::ToClient, self.now);
                    self.transmit(Packet { session, way, call: 0, sent, body: Body::Reset });
                }
            }
        }
    }

    /// Keep-alive probes of a server found nobody.
    pub(crate) fn keep_alive(&mut self, id: ConnId, epoch: u32) {
        let conn = &self.conns[id.0 as usize];
        if conn.epoch == epoch && conn.accepted && self.nodes[conn.server.index()].up {
            self.disconnect(Session { conn: id, epoch });
        }
    }

    pub(crate) fn serve(&mut self, node: NodeId, act: impl FnOnce(&mut dyn Service<M, N>, &mut Env<'_, M, N>)) {
        let Some(mut service) = self.nodes[node.index()].service.take() else { return };
        act(&mut *service, &mut Env { world: self, node });
        self.nodes[node.index()].service = Some(service);
    }

    /// Whether the client has a call out.
    pub(crate) fn calling(&self, client: NodeId) -> bool {
        self.waits.iter().any(|(_, wait)| wait.node == client && matches!(wait.kind, WaitKind::Call(_)))
    }

    /// Whether anybody has a call out to the server.
    pub(crate) fn called(&self, server: NodeId) -> bool {
        self.waits
            .iter()
            .any(|(_, wait)| matches!(wait.kind, WaitKind::Call(conn) if self.conns[conn.0 as usize].server == server))
    }
}
