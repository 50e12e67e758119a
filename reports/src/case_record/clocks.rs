//! The offsets of a node's clocks from true time.

use std::ops::Sub;

use fencepost_sim::{Clocks, NodeId, SimTime};

use crate::text::{seconds, signed_seconds};

/// Smaller offsets are not shown.
const NEGLIGIBLE_NS: i64 = 500_000;

/// The offsets of a node's clocks from true time, in nanoseconds; positive if ahead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClockOffset {
    pub mono: i64,
    pub wall: i64,
}

impl ClockOffset {
    pub fn read(clocks: &Clocks, node: NodeId, now: SimTime) -> ClockOffset {
        let (mono, wall) = clocks.reading(node);
        let ahead = |ns: i128| i64::try_from(ns - i128::from(now.0)).unwrap_or(i64::MAX);
        ClockOffset { mono: ahead(mono.0.into()), wall: ahead(wall.0.into()) }
    }

    /// Returns the larger absolute offset.
    pub fn magnitude(self) -> u64 {
        self.mono.unsigned_abs().max(self.wall.unsigned_abs())
    }

    /// Returns `mono +0.0 s wall +30.0 s`, or an empty string if both agree with true time.
    pub fn column(self) -> String {
        if self.magnitude() < NEGLIGIBLE_NS.unsigned_abs() {
            return String::new();
        }
        format!("mono {} wall {}", signed_seconds(self.mono), signed_seconds(self.wall))
    }

    /// Returns `, which was 1.0 s ahead` or ` (its wall clock was 30.0 s ahead)`; empty if both agree with true time.
    pub fn clause(self) -> String {
        let off = |ns: i64| ns.abs() >= NEGLIGIBLE_NS;
        let text = |ns: i64| format!("{} {}", seconds(ns.unsigned_abs()), if ns < 0 { "behind" } else { "ahead" });
        let ClockOffset { mono, wall } = self;
        match (off(mono), off(wall)) {
            (false, false) => String::new(),
            _ if mono == wall => format!(", which was {}", text(wall)),
            (false, true) => format!(" (its wall clock was {})", text(wall)),
            (true, false) => format!(" (its monotonic clock was {})", text(mono)),
            (true, true) => format!(" (its monotonic clock was {}, its wall clock {})", text(mono), text(wall)),
        }
    }
}

impl Sub for ClockOffset {
    type Output = ClockOffset;

    fn sub(self, other: ClockOffset) -> ClockOffset {
        ClockOffset { mono: self.mono - other.mono, wall: self.wall - other.wall }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_below_half_a_millisecond_are_not_shown() {
        let column = |mono, wall| ClockOffset { mono, wall }.column();
        assert_eq!(column(0, -499_999), "");
        assert_eq!(column(0, 30_000_000_000), "mono +0.0 s wall +30.0 s");
        assert_eq!(column(-12_000_000, -12_000_000), "mono −0.012 s wall −0.012 s");
    }
}
