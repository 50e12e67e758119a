//! How far faults may extend the bounds on the recovery of locks.

use std::time::Duration;

use crate::net::{RETRANSMIT_FIRST, RETRANSMIT_LONGEST};

/// The extension of a lock's recovery bounds due to faults, summed over a schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BoundAllowance {
    /// The sum of all backward steps of wall clocks.
    pub stepped_back: Duration,
    /// The most by which two nodes' wall clocks may differ: all steps in either direction, plus drift from wrong rates.
    pub apart: Duration,
    /// The total time for which machines and their monotonic clocks were paused.
    pub machine_stopped: Duration,
    /// How slowly the slowest clock ran, in ppm below the true rate.
    pub slowest_ppm: u32,
    /// How long a stream may need after a fault to deliver again. Retransmissions back off for as long as the fault lasted,
    /// up to the maximum back-off.
    pub reconnect: Duration,
}

impl BoundAllowance {
    /// Returns the sum of both allowances.
    pub fn plus(self, other: BoundAllowance) -> BoundAllowance {
        BoundAllowance {
            stepped_back: self.stepped_back + other.stepped_back,
            apart: self.apart + other.apart,
            machine_stopped: self.machine_stopped + other.machine_stopped,
            slowest_ppm: self.slowest_ppm.max(other.slowest_ppm),
            reconnect: self.reconnect.max(other.reconnect),
        }
    }

    /// Returns the allowance for a fault that blocks streams for this long.
    pub fn for_silence(lasts: Duration) -> BoundAllowance {
        BoundAllowance { reconnect: (lasts + RETRANSMIT_FIRST).min(RETRANSMIT_LONGEST), ..BoundAllowance::default() }
    }

    /// Returns the longest true time until a deadline that is `expiry` away by a server's wall clock.
    pub fn stretch_wall(&self, expiry: Duration) -> Duration {
        self.stretch_rate(expiry + self.stepped_back) + self.machine_stopped
    }

    /// Returns the longest true time until a deadline that is `expiry` away by a server's monotonic clock.
    pub fn stretch_mono(&self, expiry: Duration) -> Duration {
        self.stretch_rate(expiry) + self.machine_stopped
    }

    fn stretch_rate(&self, expiry: Duration) -> Duration {
        expiry * 1_000_000 / (1_000_000 - self.slowest_ppm.min(900_000))
    }
}
