//! The sessions of a server and their idle timeouts.
//!
//! - MySQL closes a connection without activity after `wait_timeout`, 28800 s by default (MySQL 8.4 Reference Manual,
//!   Server System Variables).
//! - PostgreSQL closes one that idles outside of a transaction after `idle_session_timeout`, and within one after
//!   `idle_in_transaction_session_timeout`; both are off by default (PostgreSQL 17, Client Connection Defaults).

use std::collections::BTreeMap;
use std::time::Duration;

use fencepost_sim::{Mono, Session, TimerId};

use super::Timer;
use super::message::SqlMessage;
use crate::wire::Env;

/// The idle time after which the server closes a connection. Zero is unlimited.
#[derive(Clone, Copy, Debug, Default)]
pub struct Idle {
    /// For any session.
    pub session: Duration,
    /// For a session with an open transaction.
    pub in_transaction: Duration,
}

impl Idle {
    /// The limit for a session, if there is one.
    pub(super) fn limit(&self, in_transaction: bool) -> Option<Duration> {
        let within = Some(self.in_transaction).filter(|_| in_transaction);
        [Some(self.session), within].into_iter().flatten().filter(|limit| !limit.is_zero()).min()
    }

    /// The shortest limit of any session.
    fn shortest(&self) -> Option<Duration> {
        self.limit(true)
    }
}

/// The open sessions.
#[derive(Default)]
pub(super) struct Sessions {
    idle: Idle,
    open: BTreeMap<Session, Activity>,
    numbers: BTreeMap<u32, Session>,
    last: u32,
}

struct Activity {
    number: u32,
    since: Mono,
    timer: Option<TimerId>,
}

impl Sessions {
    pub fn new(idle: Idle) -> Self {
        Sessions { idle, ..Sessions::default() }
    }

    /// Records an activity of the session.
    pub fn touch(&mut self, env: &mut Env<'_, SqlMessage>, session: Session) {
        let since = env.mono();
        if let Some(known) = self.open.get_mut(&session) {
            known.since = since;
            return;
        }
        self.last += 1;
        let number = self.last;
        let timer = self.idle.shortest().map(|after| env.set_timer(after, Timer::Idle(number).tag()));
        self.open.insert(session, Activity { number, since, timer });
        self.numbers.insert(number, session);
    }

    pub fn remove(&mut self, env: &mut Env<'_, SqlMessage>, session: Session) {
        let Some(removed) = self.open.remove(&session) else { return };
        self.numbers.remove(&removed.number);
        if let Some(timer) = removed.timer {
            env.cancel_timer(timer);
        }
    }

    pub fn by_number(&self, number: u32) -> Option<Session> {
        self.numbers.get(&number).copied()
    }

    /// Whether the session exceeded its idle limit. If not, a timer is set for the next check.
    pub fn has_expired(
        &mut self,
        env: &mut Env<'_, SqlMessage>,
        session: Session,
        busy: bool,
        in_transaction: bool,
    ) -> bool {
        let Some(activity) = self.open.get_mut(&session) else { return false };
        let idle = if busy { Duration::ZERO } else { env.mono() - activity.since };
        let limit = self.idle.limit(in_transaction);
        if limit.is_some_and(|limit| idle >= limit) {
            return true;
        }
        let left = limit.map(|limit| limit - idle);
        let next = [left, self.idle.shortest()].into_iter().flatten().min();
        activity.timer = next.map(|after| env.set_timer(after, Timer::Idle(activity.number).tag()));
        false
    }

    pub fn all(&self) -> Vec<Session> {
        self.open.keys().copied().collect()
    }

    pub fn clear(&mut self) {
        self.open.clear();
        self.numbers.clear();
    }
}
