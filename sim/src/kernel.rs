//! The event loop: takes the next event, lets the node concerned deal with it, and stops whenever a client's task is to
//! run, so that only one thing ever happens at a time.

use crate::agenda::Pending;
use crate::burden::syncs;
use crate::faults::{Injected, Topology};
use crate::message::Message;
use crate::node::{Alarm, NodeId, WaitKey, Withheld};
use crate::schedule::{InjectionId, Trigger, resolve};
use crate::service::{Env, Service};
use crate::time::SimTime;
use crate::trace::Occurrence;
use crate::triggers::Armed;
use crate::waits::{WaitKind, WaitState};
use crate::world::World;

/// Why the event loop stopped.
pub(crate) enum Step {
    /// This client's task is to run first.
    Wake(NodeId),
    Stop(Stop),
}

/// Why a phase ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Its time was over.
    Reached,
    /// The observer asked for it.
    Halted,
    /// The event budget was used up.
    Exhausted,
}

impl<M: Message, N: Message> World<M, N> {
    /// Makes the links, starts every process and arms every fault.
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

    fn arm_faults(&mut self) {
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
            // A step of a client that does not exist is never passed.
            if client == Some(None) {
                return;
            }
            let (step, left, after) = (on.step.clone(), on.nth, on.after);
            self.triggers.add(Armed { injection, client: client.flatten(), step, left, after });
        }
    }

    /// Lets events happen until a client's task is to run or the phase is over.
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
            Pending::Tick { node } => {
                let current = self.nodes[node.index()].alarms.take_tick(self.now);
                if current && !self.nodes[node.index()].stopped() {
                    self.fire_alarm(node);
                }
            }
            Pending::DueAlarm { node } if !self.nodes[node.index()].stopped() => self.fire_alarm(node),
            Pending::DueAlarm { .. } => {}
            Pending::NoticeTick { node } => self.fire_notices(node),
            Pending::Continue { node, incarnation, wait } => self.go_on(node, incarnation, wait),
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

    /// Lets a node's service act.
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

    fn fire_alarm(&mut self, id: NodeId) {
        let mono = self.mono(id);
        let expired = self.nodes[id.index()].alarms.pop_due(mono);
        self.arm(id);
        let Some(expired) = expired else { return };
        self.judge_timing(id, expired.undisturbed);
        self.mark_active(id);
        self.record(&Occurrence::Timer { node: id });
        match expired.what {
            Alarm::Tag(tag) => self.serve(id, |service, env| service.on_timer(env, tag)),
            Alarm::Wait(key) => {
                match self.waits.get(key.slot as usize).map(|wait| wait.kind) {
                    Some(WaitKind::Call(conn)) => self.time_out(conn, key),
                    _ => {
                        self.fulfil(key, WaitState::Over);
                    }
                }
                self.wake = Some(id);
            }
        }
    }

    /// A timer that a clock fault moved made a difference if something happened on the node in between.
    fn judge_timing(&mut self, id: NodeId, undisturbed: SimTime) {
        let node = &mut self.nodes[id.index()];
        if node.clock_faults.is_empty() || undisturbed == self.now {
            return;
        }
        if undisturbed > self.now {
            node.early_until = node.early_until.max(undisturbed);
        } else if node.last_event > undisturbed {
            self.touch_clock_faults(id);
        }
    }

    fn fire_notices(&mut self, id: NodeId) {
        if !self.nodes[id.index()].notices.take_tick(self.now) {
            return;
        }
        let mono = self.mono(id);
        while let Some(expired) = self.nodes[id.index()].notices.pop_due(mono) {
            self.note(&expired.what);
        }
        self.arm(id);
    }

    fn go_on(&mut self, id: NodeId, incarnation: u32, wait: Option<WaitKey>) {
        let node = &mut self.nodes[id.index()];
        if !node.up || node.incarnation != incarnation {
            return;
        }
        if node.stopped() {
            node.withheld.push(Withheld::Code(wait));
            return;
        }
        if let Some(key) = wait {
            self.fulfil(key, WaitState::Over);
            self.record(&Occurrence::Continued { node: id });
        }
        self.wake = Some(id);
    }

    /// A client reaches a step, which may trigger faults at once.
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

    fn begin_fault(&mut self, id: InjectionId) {
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

    fn end_fault(&mut self, id: InjectionId) {
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

    /// Ends all faults: links restored, nodes resumed and restarted (but for permanent crashes), rates back to normal.
    /// Offsets of wall clocks stay, since undoing a step would be another step.
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
}
