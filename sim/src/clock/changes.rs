//! Clock faults, and whether they changed anything.

use std::time::Duration;

use crate::event_queue::Pending;
use crate::message::Message;
use crate::node::{NodeId, Role};
use crate::schedule::InjectionId;
use crate::time::SimTime;
use crate::world::World;

/// Changes clocks.
pub trait ClockChanges {
    /// Steps the node's wall clock by `nanos`, backward if negative.
    fn step_clock(&mut self, node: NodeId, by: InjectionId, nanos: i64);
    /// Makes the node's clocks run fast by `ppm`, or slow if negative, until the injection ends.
    fn skew_clock(&mut self, node: NodeId, by: InjectionId, ppm: i64);
    /// Ends a skew.
    fn unskew_clock(&mut self, node: NodeId, by: InjectionId);
    /// Steps the node's wall clock by `nanos` and back, alternating every `period`.
    fn strobe_clock(&mut self, node: NodeId, by: InjectionId, nanos: i64, period: Duration);
    /// Ends a strobe; the clock reads as if it had never been strobed.
    fn unstrobe_clock(&mut self, node: NodeId, by: InjectionId);
}

/// A wall clock that steps forward and back.
pub(crate) struct Strobe {
    pub by: InjectionId,
    pub nanos: i64,
    pub period: Duration,
    /// Whether the clock is currently stepped.
    pub away: bool,
}

impl<M: Message, N: Message> ClockChanges for World<M, N> {
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
        let Some(index) = node.strobes.iter().position(|strobe| strobe.by == by) else { return };
        let strobe = node.strobes.remove(index);
        if strobe.away {
            node.clock.step(-strobe.nanos);
        }
    }
}

impl<M: Message, N: Message> World<M, N> {
    /// Steps a strobing clock forward or back, and schedules its next step.
    pub(crate) fn strobe(&mut self, id: NodeId, by: InjectionId) {
        let node = &mut self.nodes[id.index()];
        let Some(strobe) = node.strobes.iter_mut().find(|strobe| strobe.by == by) else { return };
        strobe.away = !strobe.away;
        node.clock.step(if strobe.away { strobe.nanos } else { -strobe.nanos });
        let period = strobe.period;
        self.schedule_at(self.now + period, Pending::Strobe { node: id, by });
    }

    /// Sets the clock's rate to the sum of all active faults, within the range of one fault.
    fn change_rate(&mut self, id: NodeId) {
        let now = self.now;
        let node = &mut self.nodes[id.index()];
        let ppm: i64 = node.skewed_by.iter().map(|(_, ppm)| ppm).sum();
        node.clock.set_rate(now, ppm.clamp(-900_000, 9_000_000));
        self.clock_changed(id);
    }

    pub(crate) fn clock_changed(&mut self, id: NodeId) {
        let node = &mut self.nodes[id.index()];
        node.alarms.disarm();
        node.notices.disarm();
        self.arm(id);
    }

    /// Returns `passed`, the result of comparing a clock with a deadline. Marks the node's clock faults as effective if the
    /// result would differ without them.
    pub(crate) fn compare_undisturbed(&mut self, node: NodeId, passed: bool, undisturbed: SimTime) -> bool {
        if passed != (self.now >= undisturbed) {
            self.touch_clock_faults(node);
        }
        passed
    }

    /// Checks a timer that has just expired. If clock faults moved it, and anything happened on the node in between, they
    /// changed something.
    pub(crate) fn check_timing(&mut self, id: NodeId, undisturbed: SimTime) {
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

    /// Records that something happens at the node now, possibly because of a timer that fired early.
    pub(crate) fn mark_active(&mut self, id: NodeId) {
        let now = self.now;
        let node = &mut self.nodes[id.index()];
        node.last_event = now;
        if now < node.early_until {
            node.early_until = SimTime(0);
            self.touch_clock_faults(id);
        }
    }

    pub(crate) fn touch_clock_faults(&mut self, node: NodeId) {
        for i in 0..self.nodes[node.index()].clock_faults.len() {
            let injection = self.nodes[node.index()].clock_faults[i];
            // A server's deadline affects any client that holds the lock.
            let concerned = match self.nodes[node.index()].role {
                Role::Client => vec![node],
                _ => self.clients.clone(),
            };
            self.touch(injection, &concerned);
        }
    }
}
