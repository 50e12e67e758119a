//! The effects of a pause: what a paused process or machine does not do, and what happens when it resumes.
//!
//! - Messages that arrive wait: [`World::receive_while_paused`]. The operating system of a paused process still accepts
//!   connections; that of a paused machine does not.
//! - Timers that expire wait: [`World::tick`].
//! - A client's code stops at its next step: [`World::wait_at_step`].
//! - The clocks of a paused process keep running. The monotonic clock of a paused machine stops, and its wall clock steps
//!   forward on resume.
//! - On resume, everything that waited happens at once: [`World::release_withheld`].
//!
//! A node that is slow or waits for its disk is also paused: see [`super::slowdown`].

use std::collections::VecDeque;

use crate::event_queue::Pending;
use crate::message::Message;
use crate::net::{Body, Packet};
use crate::node::{HOLDER, NodeId, Role, WaitKey};
use crate::schedule::InjectionId;
use crate::trace::Occurrence;
use crate::waits::{WaitKind, WaitState};
use crate::world::World;

/// Pauses and resumes nodes.
pub trait Pauses {
    /// Pauses the node's process; its clocks keep running.
    fn pause_process(&mut self, node: NodeId, by: InjectionId);
    /// Pauses the node's machine: its monotonic clock also stops.
    fn pause_machine(&mut self, node: NodeId, by: InjectionId);
    /// Ends the pause by this injection. The node resumes when its last pause ends.
    fn resume(&mut self, node: NodeId, by: InjectionId);
}

/// One reason why a node is paused.
pub(crate) struct Pause {
    pub by: InjectionId,
    /// Whether the whole machine is paused.
    pub machine: bool,
}

/// Work that arrived while a node was paused, to be done on resume.
pub(crate) enum Withheld<M> {
    Packet(Packet<M>),
    /// The client's code continues after the step with this wait, or starts if `None`.
    Code(Option<WaitKey>),
}

impl<M: Message, N: Message> Pauses for World<M, N> {
    fn pause_process(&mut self, node: NodeId, by: InjectionId) {
        self.pause(node, by, false);
    }

    fn pause_machine(&mut self, node: NodeId, by: InjectionId) {
        self.pause(node, by, true);
    }

    fn resume(&mut self, id: NodeId, by: InjectionId) {
        let node = &mut self.nodes[id.index()];
        let machine_was_paused = node.paused_by.iter().any(|pause| pause.machine);
        let before = node.paused_by.len();
        node.paused_by.retain(|pause| pause.by != by);
        if node.paused_by.len() == before {
            return;
        }
        if machine_was_paused && !node.paused_by.iter().any(|pause| pause.machine) {
            node.clock.thaw(self.now);
            self.clock_changed(id);
        }
        if !self.nodes[id.index()].paused() {
            self.release_withheld(id);
        }
    }
}

impl<M: Message, N: Message> World<M, N> {
    fn pause(&mut self, id: NodeId, by: InjectionId, machine: bool) {
        if !self.nodes[id.index()].up {
            return;
        }
        if self.nodes[id.index()].role == Role::Client && self.busy(id) {
            self.touch(by, &[id]);
        }
        let now = self.now;
        let node = &mut self.nodes[id.index()];
        if machine && !node.paused_by.iter().any(|pause| pause.machine) {
            node.clock.freeze(now);
            node.alarms.disarm();
            node.notices.disarm();
        }
        node.paused_by.push(Pause { by, machine });
    }

    /// Receives a message at a paused node. The operating system of a paused process still opens connections and buffers
    /// their data, but the code does not run. A paused machine does nothing.
    pub(crate) fn receive_while_paused(&mut self, to: NodeId, packet: Packet<M>) {
        let machine = self.nodes[to.index()].paused_by.iter().any(|pause| pause.machine);
        match packet.body {
            Body::Accept if !machine => self.accept(packet),
            Body::Open if !machine => {
                self.open(packet.session);
                self.nodes[to.index()].withheld.push(Withheld::Packet(packet));
            }
            _ => self.withhold(to, packet),
        }
    }

    /// Keeps a message until the node resumes.
    pub(crate) fn withhold(&mut self, node: NodeId, packet: Packet<M>) {
        for i in 0..self.nodes[node.index()].paused_by.len() {
            let by = self.nodes[node.index()].paused_by[i].by;
            let (from, to) = self.conns[packet.session.conn.0 as usize].ends(packet.way);
            self.touch(by, &[from, to]);
        }
        self.nodes[node.index()].withheld.push(Withheld::Packet(packet));
    }

    /// Fires the node's earliest timer, unless the node is paused.
    pub(crate) fn tick(&mut self, id: NodeId) {
        let current = self.nodes[id.index()].alarms.take_tick(self.now);
        if current && !self.nodes[id.index()].paused() {
            self.fire_alarm(id);
        }
    }

    /// Fires a timer that expired during a pause, unless the node is paused again.
    pub(crate) fn fire_due_alarm(&mut self, id: NodeId) {
        if !self.nodes[id.index()].paused() {
            self.fire_alarm(id);
        }
    }

    /// Starts a client's code, or continues it after a step. If the client is paused, the code waits.
    pub(crate) fn continue_client(&mut self, id: NodeId, incarnation: u32, wait: Option<WaitKey>) {
        let node = &mut self.nodes[id.index()];
        if !node.up || node.incarnation != incarnation {
            return;
        }
        if node.paused() {
            node.withheld.push(Withheld::Code(wait));
            return;
        }
        if let Some(key) = wait {
            self.complete_wait(key, WaitState::Over);
            self.record(&Occurrence::Continued { node: id });
        }
        self.wake = Some(id);
    }

    /// Returns the wait for the end of the pause if the client has reached a step while paused. The code of a client that is
    /// down waits until it is dropped.
    pub(crate) fn wait_at_step(&mut self, id: NodeId) -> Option<WaitKey> {
        let node = &self.nodes[id.index()];
        if node.up && !node.paused() && !self.exhausted() {
            return None;
        }
        let key = self.wait(id, WaitKind::Step);
        if self.nodes[id.index()].up {
            self.nodes[id.index()].withheld.push(Withheld::Code(Some(key)));
        }
        Some(key)
    }

    /// Schedules everything that waited during a pause. Messages of one connection stay in order, as do timers. The order
    /// among these groups is random.
    fn release_withheld(&mut self, id: NodeId) {
        self.send_unsent(id);
        let due = self.nodes[id.index()].alarms.due_count(self.mono(id));
        let mut groups = grouped(std::mem::take(&mut self.nodes[id.index()].withheld), due);
        let mut order: Vec<usize> =
            groups.iter().enumerate().flat_map(|(group, items)| vec![group; items.len()]).collect();
        if groups.len() > 1 {
            self.stream(&["resume", self.name(id), &self.now.0.to_string()]).shuffle(&mut order);
        }
        let incarnation = self.nodes[id.index()].incarnation;
        for group in order {
            let event = match groups[group].pop_front() {
                Some(Item::Packet(packet)) => {
                    self.handle_later(id, packet);
                    continue;
                }
                Some(Item::Code(wait)) => Pending::Continue { node: id, incarnation, wait },
                Some(Item::DueAlarm) => Pending::DueAlarm { node: id },
                None => continue,
            };
            self.schedule_at(self.now, event);
        }
        self.arm(id);
    }

    /// Returns whether a fault at the node can change anything: it holds the lock, or a call from or to it is pending.
    pub(crate) fn busy(&self, id: NodeId) -> bool {
        self.nodes[id.index()].tagged(HOLDER) || self.calling(id) || self.called(id)
    }

    /// Returns whether a call from the client is pending.
    fn calling(&self, client: NodeId) -> bool {
        self.waits.iter().any(|(_, wait)| wait.node == client && matches!(wait.kind, WaitKind::Call(_)))
    }

    /// Returns whether a call to the server is pending.
    fn called(&self, server: NodeId) -> bool {
        self.waits
            .iter()
            .any(|(_, wait)| matches!(wait.kind, WaitKind::Call(conn) if self.conns[conn.0 as usize].server == server))
    }
}

enum Item<M> {
    Packet(Packet<M>),
    Code(Option<WaitKey>),
    DueAlarm,
}

/// Groups items that keep their order: the messages of each connection, the timers, the client's code.
fn grouped<M>(withheld: Vec<Withheld<M>>, due_alarms: usize) -> Vec<VecDeque<Item<M>>> {
    let mut groups: Vec<(Option<u32>, VecDeque<Item<M>>)> = Vec::new();
    for item in withheld {
        match item {
            Withheld::Code(wait) => groups.push((None, VecDeque::from([Item::Code(wait)]))),
            Withheld::Packet(packet) => {
                let conn = Some(packet.session.conn.0);
                match groups.iter_mut().find(|(of, _)| *of == conn) {
                    Some((_, items)) => items.push_back(Item::Packet(packet)),
                    None => groups.push((conn, VecDeque::from([Item::Packet(packet)]))),
                }
            }
        }
    }
    if due_alarms > 0 {
        groups.push((None, (0..due_alarms).map(|_| Item::DueAlarm).collect()));
    }
    groups.into_iter().map(|(_, items)| items).collect()
}
