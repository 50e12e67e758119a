//! What faults do to a world.

use std::collections::VecDeque;
use std::time::Duration;

use crate::agenda::Pending;
use crate::burden::{ActiveSlowdown, Strobe};
use crate::disk::DiskFate;
use crate::faults::{CrashWhat, LinkEffect, Nemesis, Slowdown};
use crate::message::Message;
use crate::net::Packet;
use crate::node::{HOLDER, NodeId, Role, Stop, WaitKey, Withheld};
use crate::schedule::InjectionId;
use crate::trace::Occurrence;
use crate::waits::WaitKind;
use crate::world::World;

impl<M: Message, N: Message> Nemesis for World<M, N> {
    fn pause(&mut self, node: NodeId, by: InjectionId) {
        self.stop(node, by, false);
    }

    fn freeze(&mut self, node: NodeId, by: InjectionId) {
        self.stop(node, by, true);
    }

    fn resume(&mut self, id: NodeId, by: InjectionId) {
        let node = &mut self.nodes[id.index()];
        let machine_was_stopped = node.stopped_by.iter().any(|stop| stop.machine);
        let before = node.stopped_by.len();
        node.stopped_by.retain(|stop| stop.by != by);
        if node.stopped_by.len() == before {
            return;
        }
        if machine_was_stopped && !node.stopped_by.iter().any(|stop| stop.machine) {
            node.clock.thaw(self.now);
            self.clock_changed(id);
        }
        if !self.nodes[id.index()].stopped() {
            self.release_withheld(id);
        }
    }

    fn crash(&mut self, id: NodeId, by: InjectionId, what: CrashWhat, disk: DiskFate, restart_after: Option<Duration>) {
        if !self.nodes[id.index()].up {
            return;
        }
        let fault = &self.schedule.plans[self.schedule.injections[by.0 as usize].fault].fault;
        let permanent = fault.permanent();
        if self.busy(id) {
            self.touch(by, &[id]);
        }
        self.touch_lies(id, disk);
        self.record(&Occurrence::Crashed { node: id });
        self.observer.crashed(self.now, id);
        let now = self.now;
        let node = &mut self.nodes[id.index()];
        node.up = false;
        node.host_down = what == CrashWhat::Host;
        node.never_restarts = permanent;
        node.crashed_by = Some(by);
        node.tags.clear();
        node.withheld.clear();
        node.unsent.clear();
        node.holds_back = false;
        node.alarms.clear();
        if node.stopped_by.iter().any(|stop| stop.machine) {
            node.clock.thaw(now);
        }
        node.stopped_by.clear();
        let incarnation = node.incarnation;
        self.clock_changed(id);
        self.serve(id, |service, env| service.on_crash(env, disk));
        self.drop_connections(id, what == CrashWhat::Host);
        if self.nodes[id.index()].role == Role::Client {
            self.schedule_at(self.now, Pending::Died { node: id, incarnation });
        }
        if let Some(after) = restart_after {
            self.schedule_at(self.now + after, Pending::Restart { node: id, incarnation });
        }
    }

    fn step_clock(&mut self, id: NodeId, by: InjectionId, nanos: i64) {
        let node = &mut self.nodes[id.index()];
        node.clock.step(nanos);
        node.clock_faults.push(by);
    }

    fn skew_clock(&mut self, id: NodeId, by: InjectionId, ppm: i64) {
        let node = &mut self.nodes[id.index()];
        node.skewed_by.push((by, ppm));
        node.clock_faults.push(by);
        self.change_rate(id);
    }

    fn unskew_clock(&mut self, id: NodeId, by: InjectionId) {
        self.nodes[id.index()].skewed_by.retain(|(other, _)| *other != by);
        self.change_rate(id);
    }

    fn strobe_clock(&mut self, id: NodeId, by: InjectionId, nanos: i64, period: Duration) {
        let node = &mut self.nodes[id.index()];
        node.clock_faults.push(by);
        node.strobes.push(Strobe { by, nanos, period, away: false });
        self.strobe(id, by);
    }

    fn unstrobe_clock(&mut self, id: NodeId, by: InjectionId) {
        let node = &mut self.nodes[id.index()];
        let Some(place) = node.strobes.iter().position(|strobe| strobe.by == by) else { return };
        let strobe = node.strobes.remove(place);
        if strobe.away {
            node.clock.step(-strobe.nanos);
        }
    }

    fn begin_slowdown(&mut self, id: NodeId, by: InjectionId, slowdown: Slowdown, drawn: i64) {
        let stream = self.stream(&["burden", self.name(id), &drawn.to_string()]);
        let node = &mut self.nodes[id.index()];
        if slowdown == Slowdown::DiskLies {
            node.lies.push(by);
        }
        node.slowdowns.push(ActiveSlowdown { by, slowdown, stream });
        self.withhold_syncs(id);
    }

    fn end_slowdown(&mut self, id: NodeId, by: InjectionId) {
        self.settle_disks(id, by);
        self.nodes[id.index()].slowdowns.retain(|active| active.by != by);
        self.withhold_syncs(id);
        self.resume(id, by);
    }

    fn add_link_effect(&mut self, from: NodeId, to: NodeId, by: InjectionId, effect: LinkEffect) {
        self.link(from, to).effects.push((by, effect));
    }

    fn remove_link_effect(&mut self, from: NodeId, to: NodeId, by: InjectionId) {
        let link = self.link(from, to);
        let was_cut = link.cut();
        link.effects.retain(|(other, _)| *other != by);
        if !link.closed() {
            self.unstall(|a, b| (a, b) == (from, to), !was_cut);
        }
    }
}

impl<M: Message, N: Message> World<M, N> {
    fn stop(&mut self, id: NodeId, by: InjectionId, machine: bool) {
        if !self.nodes[id.index()].up {
            return;
        }
        if self.nodes[id.index()].role == Role::Client && self.busy(id) {
            self.touch(by, &[id]);
        }
        let now = self.now;
        let node = &mut self.nodes[id.index()];
        if machine && !node.stopped_by.iter().any(|stop| stop.machine) {
            node.clock.freeze(now);
            node.alarms.disarm();
            node.notices.disarm();
        }
        node.stopped_by.push(Stop { by, machine });
    }

    /// Whether a fault of the node itself would disturb anything: a belief, an operation that is under way.
    pub(crate) fn busy(&self, id: NodeId) -> bool {
        self.nodes[id.index()].tagged(HOLDER) || self.calling(id) || self.called(id)
    }

    /// Whether the client has a call out.
    fn calling(&self, client: NodeId) -> bool {
        self.waits.iter().any(|(_, wait)| wait.node == client && matches!(wait.kind, WaitKind::Call(_)))
    }

    /// Whether anybody has a call out to the server.
    fn called(&self, server: NodeId) -> bool {
        self.waits
            .iter()
            .any(|(_, wait)| matches!(wait.kind, WaitKind::Call(conn) if self.conns[conn.0 as usize].server == server))
    }

    /// The most that overlapping rate faults add up to, either way.
    fn change_rate(&mut self, id: NodeId) {
        let now = self.now;
        let node = &mut self.nodes[id.index()];
        let ppm: i64 = node.skewed_by.iter().map(|(_, ppm)| ppm).sum();
        node.clock.set_rate(now, ppm.clamp(-900_000, 9_000_000));
        self.clock_changed(id);
    }

    fn clock_changed(&mut self, id: NodeId) {
        let node = &mut self.nodes[id.index()];
        node.alarms.disarm();
        node.notices.disarm();
        self.arm(id);
    }

    pub(crate) fn restart(&mut self, id: NodeId) {
        let node = &mut self.nodes[id.index()];
        if node.up {
            return;
        }
        (node.up, node.host_down) = (true, false);
        node.incarnation += 1;
        let incarnation = node.incarnation;
        self.record(&Occurrence::Restarted { node: id });
        self.observer.restarted(self.now, id);
        if self.nodes[id.index()].service.is_some() {
            self.serve(id, |service, env| service.on_start(env));
        } else {
            self.schedule_at(self.now, Pending::Continue { node: id, incarnation, wait: None });
        }
        self.unstall(|_, to| to == id, false);
    }

    /// What happened during a pause now happens, in an order that is drawn: messages of one connection stay in order, and
    /// so do timers, but which of them the process deals with first is anybody's guess.
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
                    self.deal_with_later(id, packet);
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
}

enum Item<M> {
    Packet(Packet<M>),
    Code(Option<WaitKey>),
    DueAlarm,
}

/// Items that keep their order among themselves: each connection's messages, the timers, the stopped code.
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
