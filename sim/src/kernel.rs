//! The event loop: pops the next event and passes it to its node. The loop stops whenever a client's task has to run, so
//! at most one node is active at any time.

use crate::event_queue::Pending;
use crate::faults::Topology;
use crate::message::Message;
use crate::node::NodeId;
use crate::process::slowdown::syncs;
use crate::service::{Env, Service};
use crate::time::SimTime;
use crate::world::World;

/// Why the event loop stopped.
pub(crate) enum Step {
    /// The task of this client has to run first.
    Wake(NodeId),
    Stop(Stop),
}

/// Why a phase ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The phase reached its time limit.
    Reached,
    /// The observer ended it.
    Halted,
    /// The event budget was used up.
    Exhausted,
}

impl<M: Message, N: Message> World<M, N> {
    /// Creates the links, starts every process and arms every fault.
    pub(crate) fn boot(&mut self) {
        self.links.resize_with(self.nodes.len() * self.nodes.len(), Default::default);
        self.arm_faults();
        for node in self.all() {
            if self.nodes[node.index()].service.is_some() {
                self.serve(node, |service, env| service.on_start(env));
            } else {
                self.schedule_at(SimTime(0), Pending::Continue { node, incarnation: 0, wait: None });
            }
        }
    }

    /// Handles events until a client's task has to run or the phase ends.
    pub(crate) fn step(&mut self, limit: SimTime) -> Step {
        loop {
            if let Some(client) = self.ran.take() {
                self.end_work(client, 0);
            }
            if let Some(client) = self.wake.take() {
                self.begin_run(client);
                return Step::Wake(client);
            }
            if self.halted {
                return Step::Stop(Stop::Halted);
            }
            if self.exhausted() {
                return Step::Stop(Stop::Exhausted);
            }
            let Some(event) = self.pop(limit) else {
                self.now = self.now.max(limit);
                return Step::Stop(Stop::Reached);
            };
            self.handle(event);
        }
    }

    fn handle(&mut self, event: Pending<M>) {
        match event {
            Pending::Arrival(packet) => self.arrive(packet),
            Pending::Resumed(packet) => self.resumed(packet),
            Pending::Tick { node } => self.tick(node),
            Pending::DueAlarm { node } => self.fire_due_alarm(node),
            Pending::NoticeTick { node } => self.fire_notices(node),
            Pending::Continue { node, incarnation, wait } => self.continue_client(node, incarnation, wait),
            Pending::FaultBegins(injection) => self.begin_fault(injection),
            Pending::FaultEnds(injection) => self.end_fault(injection),
            Pending::Unblock { node, incarnation, by } if self.nodes[node.index()].incarnation == incarnation => {
                self.unblock(node, by);
            }
            Pending::Unblock { .. } => {}
            Pending::Strobe { node, by } => self.strobe(node, by),
            Pending::Restart { node, incarnation } if self.nodes[node.index()].incarnation == incarnation => {
                self.restart(node);
            }
            Pending::Restart { .. } => {}
            Pending::Died { node, incarnation } if self.nodes[node.index()].incarnation == incarnation => {
                self.wake = Some(node);
            }
            Pending::Died { .. } => {}
            Pending::Flush { conn, way, epoch } => self.flush(conn, way, epoch),
            Pending::KeepAlive { conn, epoch } => self.keep_alive(conn, epoch),
        }
    }

    /// Calls `act` with a node's service.
    pub(crate) fn serve(&mut self, node: NodeId, act: impl FnOnce(&mut dyn Service<M, N>, &mut Env<'_, M, N>)) {
        let Some(mut service) = self.nodes[node.index()].service.take() else { return };
        if !self.slowed(node) {
            act(&mut *service, &mut Env { world: self, node });
            self.nodes[node.index()].service = Some(service);
            return;
        }
        let before = syncs(&mut *service);
        self.nodes[node.index()].holds_back = true;
        act(&mut *service, &mut Env { world: self, node });
        let synced = syncs(&mut *service) - before;
        self.nodes[node.index()].service = Some(service);
        self.end_work(node, synced);
    }
}
