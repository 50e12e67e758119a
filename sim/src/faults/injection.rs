//! Begins and ends the injections of faults in a world, and heals all faults at the end.

use super::triggers::Armed;
use super::{Injected, Topology};
use crate::event_queue::Pending;
use crate::message::Message;
use crate::node::{HOLDER, NodeId, Role, WaitKey};
use crate::schedule::{InjectionId, Trigger, resolve};
use crate::time::SimTime;
use crate::trace::Occurrence;
use crate::waits::WaitKind;
use crate::world::World;

impl<M: Message, N: Message> World<M, N> {
    pub(crate) fn arm_faults(&mut self) {
        for index in 0..self.schedule.injections.len() {
            let injection = InjectionId(index as u32);
            let Some(at) = self.schedule.injections[index].at else {
                self.arm_trigger(injection);
                continue;
            };
            self.schedule_at(at, Pending::FaultBegins(injection));
        }
    }

    fn arm_trigger(&mut self, injection: InjectionId) {
        let plan = &self.schedule.plans[self.schedule.injections[injection.0 as usize].fault];
        if let Trigger::On(on) = &plan.trigger {
            let client = on.client.as_ref().map(|name| self.named(name));
            // A client that does not exist never reaches a step.
            if client == Some(None) {
                return;
            }
            let (step, left, after) = (on.step.clone(), on.nth, on.after);
            self.triggers.add(Armed { injection, client: client.flatten(), step, left, after });
        }
    }

    /// Records that a client has reached a step, and begins the faults that it triggers.
    pub(crate) fn reach_step(&mut self, node: NodeId, step: &'static str) {
        self.record(&Occurrence::Step { node, step });
        if self.triggers.is_empty() {
            return;
        }
        for (injection, after_ns) in self.triggers.pass(node, step) {
            match after_ns {
                0 => self.begin_fault(injection),
                _ => self.schedule_at(SimTime(self.now.0 + after_ns), Pending::FaultBegins(injection)),
            }
        }
    }

    pub(crate) fn begin_fault(&mut self, id: InjectionId) {
        if self.healed {
            return;
        }
        let injection = self.schedule.injections[id.0 as usize].clone();
        let plans = self.schedule.plans.clone();
        let plan = &plans[injection.fault];
        let tagged = |tag: &str| self.all().into_iter().filter(|node| self.nodes[node.index()].tagged(tag)).collect();
        let Ok(placement) = resolve(plan, self, injection.pick, &tagged) else { return };
        if placement.nodes.is_empty() && placement.links.is_empty() {
            return;
        }
        let (fault, kind) = (plan.name.as_str(), plan.kind);
        self.record(&Occurrence::FaultBegan { fault, kind, nodes: &placement.nodes, links: &placement.links });
        let state = &mut self.injected[id.0 as usize];
        (state.fired, state.active, state.began) = (true, true, self.now);
        self.observer.fault(self.now, true, &placement);
        plan.fault.begin(self, &Injected { id, at: &placement, drawn: injection.drawn });
        match injection.lasts {
            Some(lasts) => self.schedule_at(self.now + lasts, Pending::FaultEnds(id)),
            None => {
                self.injected[id.0 as usize].active = false;
                self.observer.fault(self.now, false, &placement);
            }
        }
        self.injected[id.0 as usize].placement = placement;
    }

    pub(crate) fn end_fault(&mut self, id: InjectionId) {
        if !std::mem::take(&mut self.injected[id.0 as usize].active) {
            return;
        }
        let plans = self.schedule.plans.clone();
        let injection = &self.schedule.injections[id.0 as usize];
        let (plan, drawn) = (&plans[injection.fault], injection.drawn);
        let placement = self.injected[id.0 as usize].placement.clone();
        self.record(&Occurrence::FaultEnded { fault: &plan.name, placement: &placement });
        plan.fault.end(self, &Injected { id, at: &placement, drawn });
        self.observer.fault(self.now, false, &placement);
    }

    /// Ends all faults: restores links and clock rates, and resumes or restarts nodes except after permanent crashes. Wall
    /// clocks keep their offsets, since undoing a step would be another step.
    pub(crate) fn heal(&mut self) {
        self.healed = true;
        self.triggers.disarm();
        for index in 0..self.injected.len() {
            self.end_fault(InjectionId(index as u32));
        }
        for node in self.all() {
            let state = &self.nodes[node.index()];
            if !state.up && !state.never_restarts {
                self.restart(node);
            }
        }
        self.record(&Occurrence::Healed);
        self.observer.healed(self.now);
        let waiting: Vec<(NodeId, WaitKey)> = (self.waits.iter())
            .filter(|(_, wait)| wait.kind == WaitKind::Healing)
            .map(|(slot, wait)| (wait.node, WaitKey { slot: slot as u32, serial: wait.serial }))
            .collect();
        for (node, key) in waiting {
            let incarnation = self.nodes[node.index()].incarnation;
            self.schedule_at(self.now, Pending::Continue { node, incarnation, wait: Some(key) });
        }
    }

    /// Records that the injection changed something at these nodes.
    pub(crate) fn touch(&mut self, injection: InjectionId, nodes: &[NodeId]) {
        self.injected[injection.0 as usize].touched = true;
        if nodes.iter().any(|node| self.concerns_holder(*node)) {
            self.touched_holder = true;
        }
    }

    /// Returns whether the node holds the lock, or is a server of the lock while a client holds it.
    fn concerns_holder(&self, node: NodeId) -> bool {
        match self.nodes[node.index()].role {
            Role::Server => self.clients.iter().any(|client| self.nodes[client.index()].tagged(HOLDER)),
            Role::Client | Role::Store => self.nodes[node.index()].tagged(HOLDER),
        }
    }
}
