//! Session locks: PostgreSQL's advisory locks and MySQL's user locks. They are in the server's memory, belong to one
//! connection, are counted, and end with the connection.
//!
//! - PostgreSQL 17, Advisory Locks, and Advisory Lock Functions: requests of one session stack, so that three locks
//!   need three unlocks. A lock is held until its release or the end of the session, regardless of transactions.
//!   Releasing a lock that is not held returns false and a warning.
//! - MySQL 8.4 Reference Manual, Locking Functions: a session may get the same name several times, and others wait
//!   until it has released all of them (since 5.7.5, worklog 1159). `COMMIT` does not release; the end of the session
//!   does.
//!
//! Neither documents the order of waiting sessions. They queue here, as in both lock managers.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use fencepost_sim::{Caller, Session, TimerId};

use super::message::SqlMessage;
use super::{Sql, Timer};
use crate::history::{Cause, Event, GrantId, ResourceId};
use crate::wire::Env;

/// The locks by name.
#[derive(Default)]
pub(super) struct SessionLocks {
    locks: BTreeMap<ResourceId, SessionLock>,
}

#[derive(Default)]
struct SessionLock {
    holder: Option<Holder>,
    queue: VecDeque<Waiter>,
}

struct Holder {
    session: Session,
    grant: GrantId,
    count: u32,
}

struct Waiter {
    from: Caller,
    attempt: GrantId,
    timer: Option<TimerId>,
}

impl SessionLocks {
    /// Whether a statement of the session waits.
    pub fn waits(&self, session: Session) -> bool {
        self.locks.values().any(|lock| lock.queue.iter().any(|waiter| waiter.from.session() == session))
    }

    /// Removes a waiter.
    fn withdraw(&mut self, attempt: GrantId) -> Option<Waiter> {
        self.locks.values_mut().find_map(|lock| {
            let index = lock.queue.iter().position(|waiter| waiter.attempt == attempt)?;
            lock.queue.remove(index)
        })
    }
}

impl SessionLock {
    fn held_by(&mut self, session: Session) -> Option<&mut Holder> {
        self.holder.as_mut().filter(|holder| holder.session == session)
    }
}

impl Sql {
    pub(super) fn lock(
        &mut self,
        env: &mut Env<'_, SqlMessage>,
        from: Caller,
        (resource, attempt, wait_ms): (ResourceId, GrantId, Option<u64>),
    ) {
        let lock = self.session_locks.locks.entry(resource).or_default();
        if let Some(holder) = lock.held_by(from.session()) {
            holder.count += 1;
            return env.reply(from, SqlMessage::Locked { grant: holder.grant });
        }
        if lock.holder.is_some() && wait_ms == Some(0) {
            return env.reply(from, SqlMessage::NotLocked);
        }
        let wait = wait_ms.filter(|_| lock.holder.is_some()).map(Duration::from_millis);
        let timer = wait.map(|wait| env.set_timer(wait, Timer::LockWait(attempt).tag()));
        lock.queue.push_back(Waiter { from, attempt, timer });
        self.grant_lock(env, resource);
    }

    fn grant_lock(&mut self, env: &mut Env<'_, SqlMessage>, resource: ResourceId) {
        let Some(lock) = self.session_locks.locks.get_mut(&resource).filter(|lock| lock.holder.is_none()) else {
            return;
        };
        let Some(Waiter { from, attempt, timer }) = lock.queue.pop_front() else { return };
        if let Some(timer) = timer {
            env.cancel_timer(timer);
        }
        lock.holder = Some(Holder { session: from.session(), grant: attempt, count: 1 });
        self.sessions.touch(env, from.session());
        env.note(Event::Granted { server: env.node(), grant: attempt });
        env.reply(from, SqlMessage::Locked { grant: attempt });
    }

    pub(super) fn unlock(
        &mut self,
        env: &mut Env<'_, SqlMessage>,
        session: Session,
        resource: ResourceId,
        on_behalf: GrantId,
    ) -> SqlMessage {
        let lock = self.session_locks.locks.get_mut(&resource);
        let Some(holder) = lock.and_then(|lock| lock.held_by(session)) else { return SqlMessage::NotLocked };
        holder.count -= 1;
        if holder.count == 0 {
            self.end_lock(env, resource, Cause::Released(on_behalf));
        }
        SqlMessage::Done
    }

    fn end_lock(&mut self, env: &mut Env<'_, SqlMessage>, resource: ResourceId, cause: Cause) {
        let ended = self.session_locks.locks.get_mut(&resource).and_then(|lock| lock.holder.take());
        if let Some(ended) = ended {
            env.note(Event::Ended { server: env.node(), grant: ended.grant, cause });
        }
        self.grant_lock(env, resource);
    }

    /// Ends the wait of this attempt, after its cancellation or its timeout.
    pub(super) fn stop_waiting(&mut self, env: &mut Env<'_, SqlMessage>, attempt: GrantId) {
        let Some(waiter) = self.session_locks.withdraw(attempt) else { return };
        if let Some(timer) = waiter.timer {
            env.cancel_timer(timer);
        }
        self.sessions.touch(env, waiter.from.session());
        env.reply(waiter.from, SqlMessage::NotLocked);
    }

    /// Ends the locks and waits of a closed session.
    pub(super) fn end_lock_session(&mut self, env: &mut Env<'_, SqlMessage>, session: Session) {
        let names: Vec<ResourceId> = self.session_locks.locks.keys().copied().collect();
        for resource in names {
            let Some(lock) = self.session_locks.locks.get_mut(&resource) else { continue };
            lock.queue.retain(|waiter| {
                let gone = waiter.from.session() == session;
                waiter.timer.iter().filter(|_| gone).for_each(|timer| env.cancel_timer(*timer));
                !gone
            });
            if lock.held_by(session).is_some() {
                self.end_lock(env, resource, Cause::Revoked);
            }
        }
    }

    /// Drops all locks at a crash: they are in memory only.
    pub(super) fn drop_locks(&mut self, env: &mut Env<'_, SqlMessage>) {
        for lock in std::mem::take(&mut self.session_locks).locks.into_values() {
            if let Some(holder) = lock.holder {
                env.note(Event::Ended { server: env.node(), grant: holder.grant, cause: Cause::Revoked });
            }
        }
    }
}
