//! A node's two clocks. Both run at the node's own rate; the wall clock has an offset that faults can step.
//!
//! A second, undisturbed pair of clocks runs in parallel, unaffected by clock faults. If a decision differs between the two
//! pairs, the fault changed something.

pub(crate) mod changes;
pub(crate) mod timers;

use crate::time::{Mono, SimTime, Wall};

const MILLION: i128 = 1_000_000;

/// The clocks of one node.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// The true time of the last change of rate; `mono_then` is the monotonic reading at that time.
    since: SimTime,
    mono_then: u64,
    ppm: i64,
    wall_minus_mono: i64,
    frozen: bool,
    /// How far the wall clock fell behind while frozen, up to the last change of rate.
    missed: i64,
    shadow_wall_minus_true: i64,
}

impl Clock {
    /// Creates clocks that show true time.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the reading of the monotonic clock at true time `now`.
    pub fn mono(&self, now: SimTime) -> Mono {
        if self.frozen {
            return Mono(self.mono_then);
        }
        let elapsed = now.0 - self.since.0;
        if self.ppm == 0 {
            return Mono(self.mono_then + elapsed);
        }
        Mono(self.mono_then + (i128::from(elapsed) * (MILLION + i128::from(self.ppm)) / MILLION) as u64)
    }

    /// Returns the reading of the wall clock at true time `now`.
    pub fn wall(&self, now: SimTime) -> Wall {
        Wall(self.mono(now).0 as i64 + self.wall_minus_mono)
    }

    /// Returns what the monotonic clock would read without any clock fault.
    pub fn undisturbed_mono(&self, now: SimTime) -> Mono {
        Mono(now.0)
    }

    /// Returns what the wall clock would read without any clock fault.
    pub fn undisturbed_wall(&self, now: SimTime) -> Wall {
        Wall(now.0 as i64 + self.shadow_wall_minus_true)
    }

    /// Returns whether a clock fault ever changed these clocks.
    pub fn disturbed(&self) -> bool {
        self.ppm != 0 || self.since != SimTime(0) || self.wall_minus_mono != self.shadow_wall_minus_true
    }

    /// Returns the true time at which the monotonic clock reaches `due` if its rate does not change: the first nanosecond
    /// `t` with `mono(t) >= due`. Returns `None` while the clock is frozen.
    pub fn when(&self, due: Mono) -> Option<SimTime> {
        if self.frozen {
            return None;
        }
        let missing = due.0.saturating_sub(self.mono_then);
        if self.ppm == 0 {
            return Some(SimTime(self.since.0.saturating_add(missing)));
        }
        let missing = i128::from(missing);
        let rate = MILLION + i128::from(self.ppm);
        let elapsed = (missing * MILLION + rate - 1) / rate;
        Some(SimTime(self.since.0.saturating_add(u64::try_from(elapsed).unwrap_or(u64::MAX))))
    }

    /// Makes the clocks run faster than true time by `ppm` from `now` on, or slower if negative.
    pub fn set_rate(&mut self, now: SimTime, ppm: i64) {
        self.rebase(now);
        self.ppm = ppm;
    }

    /// Steps the wall clock by this many nanoseconds, backward if negative.
    pub fn step(&mut self, by: i64) {
        self.wall_minus_mono = self.wall_minus_mono.saturating_add(by);
    }

    /// Stops the monotonic clock, as on a paused virtual machine.
    pub fn freeze(&mut self, now: SimTime) {
        self.rebase(now);
        self.frozen = true;
    }

    /// Continues the monotonic clock from where it stopped. The wall clock steps to what it would read without the freeze.
    pub fn thaw(&mut self, now: SimTime) {
        self.rebase(now);
        self.frozen = false;
        let missed = std::mem::take(&mut self.missed);
        self.step(missed);
    }

    fn rebase(&mut self, now: SimTime) {
        if self.frozen {
            let frozen_for = i128::from(now.0 - self.since.0);
            self.missed += (frozen_for * (MILLION + i128::from(self.ppm)) / MILLION) as i64;
        }
        self.mono_then = self.mono(now).0;
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_fast_clock_reaches_its_deadline_early_and_a_slow_one_late() {
        let mut clock = Clock::new();
        clock.set_rate(SimTime(0), 100_000);
        assert_eq!(clock.when(Mono(10 * SECOND)), Some(SimTime(9_090_909_091)));
        clock.set_rate(SimTime(0), -100_000);
        assert_eq!(clock.when(Mono(10 * SECOND)), Some(SimTime(11_111_111_112)));
    }

    #[test]
    fn when_returns_the_first_nanosecond_at_which_the_clock_reaches_a_deadline() {
        let mut clock = Clock::new();
        clock.set_rate(SimTime(17), 333_333);
        let at = clock.when(Mono(12_345_678)).unwrap();
        assert!(clock.mono(at) >= Mono(12_345_678));
        assert!(clock.mono(SimTime(at.0 - 1)) < Mono(12_345_678));
    }

    #[test]
    fn a_step_moves_only_the_wall_clock() {
        let mut clock = Clock::new();
        clock.step(-(SECOND as i64));
        assert_eq!(clock.mono(SimTime(SECOND)), Mono(SECOND));
        assert_eq!(clock.wall(SimTime(SECOND)), Wall(0));
        assert_eq!(clock.undisturbed_wall(SimTime(SECOND)), Wall(SECOND as i64));
    }

    #[test]
    fn a_frozen_clock_loses_monotonic_time_and_its_wall_clock_steps_on_thaw() {
        let mut clock = Clock::new();
        clock.freeze(SimTime(2 * SECOND));
        assert_eq!(clock.when(Mono(3 * SECOND)), None);
        clock.thaw(SimTime(7 * SECOND));
        assert_eq!(clock.mono(SimTime(8 * SECOND)), Mono(3 * SECOND));
        assert_eq!(clock.wall(SimTime(8 * SECOND)), Wall(8 * SECOND as i64));
    }
}
