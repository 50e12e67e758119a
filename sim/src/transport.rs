//! How messages are sent: connections opened, messages put on their way, stalled or lost.

use crate::fault::LinkEffect;
use crate::message::Message;
use crate::net::{
    Body, Conn, ConnId, ConnState, Lane, Link, Packet, Session, Transport, Way, fate, retransmission_delay,
};
use crate::node::{NodeId, WaitKey};
use crate::schedule::InjectionId;
use crate::service::Caller;
use crate::trace::Occurrence;
use crate::waits::{CallError, WaitState};
use crate::world::{Pending, World};

impl WaitKey {
    fn as_call(self) -> u64 {
        u64::from(self.slot) << 32 | u64::from(self.serial)
    }

    pub(crate) fn of_call(call: u64) -> Self {
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
            self.transmit(Packet { session, way: Way::ToServer, call: 0, sent: self.now, order: 0, body: Body::Open });
        }
        let conn = &mut self.conns[id.0 as usize];
        let session = Session { conn: id, epoch: conn.epoch };
        let packet = Packet {
            session,
            way: Way::ToServer,
            call: key.as_call(),
            sent: self.now,
            order: 0,
            body: Body::Data(message),
        };
        if conn.state == ConnState::Opening { conn.backlog.push(packet) } else { self.transmit(packet) }
    }

    /// The client closes the connection and gets another one to the same server. What it sent before still arrives,
    /// then the server learns of the end.
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

    /// Whether the client may still believe that the connection lives.
    pub(crate) fn seems_open(&self, id: ConnId) -> bool {
        matches!(self.conns[id.0 as usize].state, ConnState::Open | ConnState::Opening)
    }

    pub(crate) fn send_reply(&mut self, to: Caller, message: M) {
        if self.conns[to.session.conn.0 as usize].epoch == to.session.epoch {
            let (session, call) = (to.session, to.call);
            self.transmit(Packet {
                session,
                way: Way::ToClient,
                call,
                sent: self.now,
                order: 0,
                body: Body::Data(message),
            });
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

    pub(crate) fn transmit(&mut self, mut packet: Packet<M>) {
        let (from, to) = self.conns[packet.session.conn.0 as usize].ends(packet.way);
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

    /// Puts a message on its way.
    pub(crate) fn launch(&mut self, packet: Packet<M>, from: NodeId, to: NodeId) {
        let network = self.network;
        let mut involved: Vec<InjectionId> = Vec::new();
        let place = from.index() * self.nodes.len() + to.index();
        let Link { effects, stream } = &mut self.links[place];
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
        let arrival = self.now + fate.latency + retransmission_delay(fate.losses);
        let lane = self.lane(&packet);
        lane.last_arrival = lane.last_arrival.max(arrival);
        let at = lane.last_arrival;
        self.schedule_at(at, Pending::Arrival(packet));
    }

    pub(crate) fn lane(&mut self, packet: &Packet<M>) -> &mut Lane<M> {
        &mut self.conns[packet.session.conn.0 as usize].lanes[packet.way as usize]
    }

    /// Keeps a message that does not get through, to be sent again. A dead host sends nothing again.
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

    /// The faults that close a link, and the crash of its far end, made a difference.
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
