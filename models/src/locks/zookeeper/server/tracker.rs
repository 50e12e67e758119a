//! The leader's session expiries: SessionTrackerImpl.java and ExpiryQueue.java.

use std::collections::BTreeMap;
use std::time::Duration;

use fencepost_sim::{Mono, MonoDeadline};

use super::{SessionId, ZkMessage};
use crate::wire::Env;

/// The expiry of each session, by this server's monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    /// `None` for a session that is being closed, which no ping saves.
    expiries: BTreeMap<SessionId, Option<MonoDeadline>>,
}

impl Tracker {
    /// Extends a session by its timeout, rounded up to the next whole tick.
    pub fn touch(&mut self, env: &Env<'_, ZkMessage>, session: SessionId, timeout: Duration, tick: Duration) {
        let expiry = self.expiries.entry(session).or_insert_with(|| Some(env.mono_deadline(Duration::ZERO)));
        if let Some(expiry) = expiry {
            let after = until_next(env.mono() + timeout, tick) + timeout;
            *expiry = env.mono_deadline(after);
        }
    }

    /// The sessions to close now.
    pub fn expire(&mut self, env: &mut Env<'_, ZkMessage>) -> Vec<SessionId> {
        let mut expired = Vec::new();
        for (session, expiry) in &mut self.expiries {
            if expiry.is_some_and(|due| env.mono_passed(due)) {
                *expiry = None;
                expired.push(*session);
            }
        }
        expired
    }

    /// Schedules another attempt to close the session.
    pub fn retry(&mut self, env: &Env<'_, ZkMessage>, session: SessionId) {
        if let Some(expiry) = self.expiries.get_mut(&session) {
            *expiry = Some(env.mono_deadline(Duration::ZERO));
        }
    }

    pub fn remove(&mut self, session: SessionId) {
        self.expiries.remove(&session);
    }

    pub fn clear(&mut self) {
        self.expiries.clear();
    }
}

/// The time until the next whole interval starts; never zero.
pub(super) fn until_next(now: Mono, interval: Duration) -> Duration {
    let interval = interval.as_nanos().max(1) as u64;
    Duration::from_nanos(interval - now.0 % interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_interval_is_always_ahead() {
        let tick = Duration::from_nanos(10);
        let left = |now| until_next(Mono(now), tick).as_nanos();
        assert_eq!([left(0), left(1), left(9), left(10)], [10, 9, 1, 10]);
    }
}
