//! Timings that several locks share.

use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;

use crate::lock::POLL;

/// The request timeout of a client of a single server: the default of Jedis (`Protocol.DEFAULT_TIMEOUT`, 2000 ms).
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// The time within which a polling waiter gets a lock that expires within `expiry`: it may have to wait for a stream to
/// recover, for an unanswered request of its own, and for its next polls.
pub(super) fn poll_bound(expiry: Duration, allowance: &BoundAllowance) -> Duration {
    expiry + allowance.reconnect + 2 * REQUEST_TIMEOUT + 2 * POLL
}

/// Scales a timing with the main timing, which changes from `main` to `new`.
pub(super) fn scaled(timing: Duration, main: Duration, new: Duration) -> Duration {
    let nanos = timing.as_nanos() * new.as_nanos() / main.as_nanos().max(1);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
