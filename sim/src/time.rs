//! The three kinds of time in a world, as distinct types to prevent mix-ups.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::Serialize;

/// True time: nanoseconds since the world began. Only the simulator and its checkers see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct SimTime(pub u64);

/// A reading of a node's monotonic clock, in nanoseconds. It never decreases, and has no meaning on other nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Mono(pub u64);

/// A reading of a node's wall clock: nanoseconds since the world's epoch, as this node believes. It can step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Wall(pub i64);

/// Returns the nanoseconds of a duration, at most 2⁶³ − 1 (292 years).
pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).map_or(i64::MAX as u64, |n| n.min(i64::MAX as u64))
}

impl SimTime {
    /// Returns the time since the world began.
    pub fn since_start(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// Returns the time elapsed since `earlier`, or zero if `earlier` is later.
    pub fn since(self, earlier: SimTime) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for SimTime {
    type Output = SimTime;
    fn add(self, after: Duration) -> SimTime {
        SimTime(self.0.saturating_add(nanos(after)))
    }
}

impl Add<Duration> for Mono {
    type Output = Mono;
    fn add(self, after: Duration) -> Mono {
        Mono(self.0.saturating_add(nanos(after)))
    }
}

impl Sub<Mono> for Mono {
    type Output = Duration;
    /// Zero if `earlier` is not earlier.
    fn sub(self, earlier: Mono) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Wall {
    type Output = Wall;
    fn add(self, after: Duration) -> Wall {
        Wall(self.0.saturating_add(nanos(after) as i64))
    }
}

impl Sub<Wall> for Wall {
    type Output = Duration;
    /// Zero if `earlier` is not earlier.
    fn sub(self, earlier: Wall) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for SimTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_seconds(f, self.0 as i64)
    }
}

impl fmt::Display for Mono {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_seconds(f, self.0 as i64)
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_seconds(f, self.0)
    }
}

/// Writes seconds with microseconds: `12.345678 s`.
fn write_seconds(f: &mut fmt::Formatter<'_>, ns: i64) -> fmt::Result {
    let sign = if ns < 0 { "-" } else { "" };
    let us = ns.unsigned_abs() / 1_000;
    let text = format!("{sign}{}.{:06} s", us / 1_000_000, us % 1_000_000);
    f.pad(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_print_as_seconds() {
        assert_eq!(SimTime(12_345_678_901).to_string(), "12.345678 s");
        assert_eq!(Wall(-1_500_000).to_string(), "-0.001500 s");
    }

    #[test]
    fn differences_never_go_below_zero() {
        assert_eq!(Mono(3) - Mono(5), Duration::ZERO);
        assert_eq!(Wall(-7) - Wall(3), Duration::ZERO);
        assert_eq!(Wall(3) - Wall(-7), Duration::from_nanos(10));
    }
}
