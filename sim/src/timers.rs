//! The timers of one node, by its own monotonic clock. Only the earliest stands in the world's event heap, so that
//! cancelling one, or a change of the clock's rate, costs nothing there.

use crate::time::{Mono, SimTime};

/// Names a timer, so that it can be cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerId(u64);

/// A timer that ran out.
pub(crate) struct Expired<T> {
    pub what: T,
    /// When it would have run out without any clock fault.
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
    /// The ticks in the heap that still count, latest first. One that stays behind when an earlier timer is set serves
    /// the timers after that one.
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
        // Before those set earlier for the same time, since the end comes first.
        let place = self.waiting.partition_point(|timer| timer.due > due);
        self.waiting.insert(place, Timer { due, id, undisturbed, what });
        TimerId(id)
    }

    pub fn cancel(&mut self, id: TimerId) {
        if let Some(place) = self.waiting.iter().rposition(|timer| timer.id == id.0) {
            self.waiting.remove(place);
        }
    }

    pub fn clear(&mut self) {
        self.waiting.clear();
    }

    /// The next timer that is due.
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

    /// Says that the earliest timer is due at this true time, and whether that needs a new tick in the heap: not if one
    /// that stands there comes early enough.
    pub fn arm(&mut self, at: SimTime) -> bool {
        if self.ticks.last().is_some_and(|tick| *tick <= at) {
            return false;
        }
        self.ticks.push(at);
        true
    }

    /// Forgets the ticks in the heap: the clock changed under them.
    pub fn disarm(&mut self) {
        self.ticks.clear();
    }

    /// Whether a tick that came out of the heap now still counts.
    pub fn take_tick(&mut self, now: SimTime) -> bool {
        let counts = self.ticks.last() == Some(&now);
        if counts {
            self.ticks.pop();
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_run_out_in_order_of_deadline_then_of_setting() {
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
    fn a_cancelled_timer_never_runs_out() {
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
        assert!(!timers.arm(SimTime(12)), "the first tick still stands");
        assert!(timers.take_tick(SimTime(10)));
    }

    #[test]
    fn ticks_from_before_a_change_of_the_clock_do_not_count() {
        let mut timers = Timers::<()>::default();
        timers.arm(SimTime(10));
        timers.disarm();
        assert!(!timers.take_tick(SimTime(10)));
    }
}
