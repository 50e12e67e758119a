//! The timers of one node, measured by its monotonic clock. Only the earliest one is in the event queue, so cancelling a
//! timer or changing a clock's rate leaves the queue unchanged.

use std::time::Duration;

use crate::event_queue::Pending;
use crate::message::Message;
use crate::node::{Alarm, NodeId};
use crate::time::{Mono, SimTime};
use crate::trace::Occurrence;
use crate::waits::{WaitKind, WaitState};
use crate::world::World;

/// Identifies a timer for cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerId(u64);

/// An expired timer.
pub(crate) struct Expired<T> {
    pub what: T,
    /// When it would have expired without clock faults.
    pub undisturbed: SimTime,
}

struct Timer<T> {
    due: Mono,
    id: u64,
    undisturbed: SimTime,
    what: T,
}

pub(crate) struct Timers<T> {
    /// Latest first, so that the next one is popped from the end.
    waiting: Vec<Timer<T>>,
    next_id: u64,
    /// The valid ticks in the event queue, latest first. When an earlier timer is set, the existing tick stays and serves
    /// later timers.
    ticks: Vec<SimTime>,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Timers { waiting: Vec::new(), next_id: 0, ticks: Vec::new() }
    }
}

impl<T> Timers<T> {
    pub fn add(&mut self, due: Mono, undisturbed: SimTime, what: T) -> TimerId {
        let id = self.next_id;
        self.next_id += 1;
        // In front of timers set earlier for the same time, because timers are popped from the end.
        let index = self.waiting.partition_point(|timer| timer.due > due);
        self.waiting.insert(index, Timer { due, id, undisturbed, what });
        TimerId(id)
    }

    pub fn cancel(&mut self, id: TimerId) {
        if let Some(index) = self.waiting.iter().rposition(|timer| timer.id == id.0) {
            self.waiting.remove(index);
        }
    }

    pub fn clear(&mut self) {
        self.waiting.clear();
    }

    /// Pops the next timer that is due.
    pub fn pop_due(&mut self, now: Mono) -> Option<Expired<T>> {
        if self.waiting.last()?.due > now {
            return None;
        }
        let Timer { what, undisturbed, .. } = self.waiting.pop()?;
        Some(Expired { what, undisturbed })
    }

    pub fn due_count(&self, now: Mono) -> usize {
        self.waiting.iter().rev().take_while(|timer| timer.due <= now).count()
    }

    pub fn earliest(&self) -> Option<Mono> {
        self.waiting.last().map(|timer| timer.due)
    }

    /// Registers a tick at the true time `at`, when the earliest timer is due. Returns `false` if an earlier tick is already
    /// in the event queue.
    pub fn arm(&mut self, at: SimTime) -> bool {
        if self.ticks.last().is_some_and(|tick| *tick <= at) {
            return false;
        }
        self.ticks.push(at);
        true
    }

    /// Invalidates the ticks in the event queue after a change of the clock.
    pub fn disarm(&mut self) {
        self.ticks.clear();
    }

    /// Removes the tick that was just popped, and returns whether it was still valid.
    pub fn take_tick(&mut self, now: SimTime) -> bool {
        let counts = self.ticks.last() == Some(&now);
        if counts {
            self.ticks.pop();
        }
        counts
    }
}

impl<M: Message, N: Message> World<M, N> {
    pub(crate) fn set_alarm(&mut self, node: NodeId, due: Mono, alarm: Alarm) -> TimerId {
        let clock = &self.nodes[node.index()].clock;
        let undisturbed = self.now + (due - clock.mono(self.now));
        let timer = self.nodes[node.index()].alarms.add(due, undisturbed, alarm);
        self.arm(node);
        timer
    }

    pub(crate) fn set_service_timer(&mut self, node: NodeId, after: Duration, tag: u64) -> TimerId {
        self.set_alarm(node, self.mono(node) + after, Alarm::Tag(tag))
    }

    pub(crate) fn cancel_timer(&mut self, node: NodeId, timer: TimerId) {
        self.nodes[node.index()].alarms.cancel(timer);
    }

    pub(crate) fn note_after(&mut self, node: NodeId, after: Duration, note: N) {
        let due = self.mono(node) + after;
        self.nodes[node.index()].notices.add(due, self.now + after, note);
        self.arm(node);
    }

    /// Schedules the node's next ticks, unless earlier ones are already scheduled.
    pub(crate) fn arm(&mut self, id: NodeId) {
        let now = self.now;
        let node = &mut self.nodes[id.index()];
        let alarm = node.alarms.earliest().and_then(|due| node.clock.when(due)).map(|at| at.max(now));
        if let Some(at) = alarm
            && node.alarms.arm(at)
        {
            self.schedule_at(at, Pending::Tick { node: id });
        }
        let node = &mut self.nodes[id.index()];
        let notice = node.notices.earliest().and_then(|due| node.clock.when(due)).map(|at| at.max(now));
        if let Some(at) = notice
            && node.notices.arm(at)
        {
            self.schedule_at(at, Pending::NoticeTick { node: id });
        }
    }

    pub(crate) fn fire_alarm(&mut self, id: NodeId) {
        let mono = self.mono(id);
        let expired = self.nodes[id.index()].alarms.pop_due(mono);
        self.arm(id);
        let Some(expired) = expired else { return };
        self.check_timing(id, expired.undisturbed);
        self.mark_active(id);
        self.record(&Occurrence::Timer { node: id });
        match expired.what {
            Alarm::Tag(tag) => self.serve(id, |service, env| service.on_timer(env, tag)),
            Alarm::Wait(key) => {
                match self.waits.get(key.slot as usize).map(|wait| wait.kind) {
                    Some(WaitKind::Call(conn)) => self.time_out(conn, key),
                    _ => {
                        self.complete_wait(key, WaitState::Over);
                    }
                }
                self.wake = Some(id);
            }
        }
    }

    pub(crate) fn fire_notices(&mut self, id: NodeId) {
        if !self.nodes[id.index()].notices.take_tick(self.now) {
            return;
        }
        let mono = self.mono(id);
        while let Some(expired) = self.nodes[id.index()].notices.pop_due(mono) {
            self.note(&expired.what);
        }
        self.arm(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_expire_by_deadline_and_then_in_the_order_they_were_set() {
        let mut timers = Timers::default();
        for (due, name) in [(5, "b"), (3, "a"), (5, "c"), (9, "d")] {
            timers.add(Mono(due), SimTime(due), name);
        }
        let mut order = Vec::new();
        while let Some(expired) = timers.pop_due(Mono(5)) {
            order.push(expired.what);
        }
        assert_eq!(order, ["a", "b", "c"]);
        assert_eq!(timers.earliest(), Some(Mono(9)));
    }

    #[test]
    fn a_cancelled_timer_never_expires() {
        let mut timers = Timers::default();
        let id = timers.add(Mono(1), SimTime(1), ());
        timers.cancel(id);
        assert!(timers.pop_due(Mono(9)).is_none());
    }

    #[test]
    fn only_an_earlier_deadline_needs_a_new_tick() {
        let mut timers = Timers::<()>::default();
        assert!(timers.arm(SimTime(10)));
        assert!(!timers.arm(SimTime(20)));
        assert!(timers.arm(SimTime(5)));
        assert!(timers.take_tick(SimTime(5)));
        assert!(!timers.arm(SimTime(12)), "the first tick is still valid");
        assert!(timers.take_tick(SimTime(10)));
    }

    #[test]
    fn disarming_invalidates_ticks() {
        let mut timers = Timers::<()>::default();
        timers.arm(SimTime(10));
        timers.disarm();
        assert!(!timers.take_tick(SimTime(10)));
    }
}
