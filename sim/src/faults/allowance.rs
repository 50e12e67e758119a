//! By how much faults may lengthen the bounds within which locks recover.

use std::time::Duration;

use crate::net::{RETRANSMIT_FIRST, RETRANSMIT_LONGEST};

/// What faults add to the bounds within which locks recover, summed over a schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BoundAllowance {
    /// All backward steps of wall clocks together.
    pub stepped_back: Duration,
    /// How far the wall clocks of two nodes may differ: all steps either way, and the drift by wrong rates.
    pub apart: Duration,
    /// The total time for which machines, with their monotonic clocks, were paused.
    pub machine_stopped: Duration,
    /// How slow the slowest clock ran, in ppm.
    pub slowest_ppm: u32,
    /// How long after a fault a stream may need to get through again: its retransmissions back off for as long as the fault
    /// lasted, up to the longest back-off.
    pub reconnect: Duration,
}

impl BoundAllowance {
    /// The sum of both.
    pub fn plus(self, other: BoundAllowance) -> BoundAllowance {
        BoundAllowance {
            stepped_back: self.stepped_back + other.stepped_back,
            apart: self.apart + other.apart,
            machine_stopped: self.machine_stopped + other.machine_stopped,
            slowest_ppm: self.slowest_ppm.max(other.slowest_ppm),
            reconnect: self.reconnect.max(other.reconnect),
        }
    }

    /// The allowance of a fault that blocks streams for this long.
    pub fn for_silence(lasts: Duration) -> BoundAllowance {
        BoundAllowance { reconnect: (lasts + RETRANSMIT_FIRST).min(RETRANSMIT_LONGEST), ..BoundAllowance::default() }
    }

    /// How long a deadline `expiry` away by a server's wall clock can take.
    pub fn stretch_wall(&self, expiry: Duration) -> Duration {
        self.stretch_rate(expiry + self.stepped_back) + self.machine_stopped
    }

    /// How long a deadline `expiry` away by a server's monotonic clock can take.
    pub fn stretch_mono(&self, expiry: Duration) -> Duration {
        self.stretch_rate(expiry) + self.machine_stopped
    }

    fn stretch_rate(&self, expiry: Duration) -> Duration {
        expiry * 1_000_000 / (1_000_000 - self.slowest_ppm.min(900_000))
    }
}
