//! Session locks: PostgreSQL's advisory locks and MySQL's user locks. They are in the server's memory, belong to one
//! connection, are counted, and end with the connection.
//!
//! - PostgreSQL 17, Advisory Locks, and Advisory Lock Functions: requests of one session stack, so that three locks
//!   need three unlocks. A lock is held until its release or the end of the session, regardless of transactions.
//!   Releasing a lock that is not held returns false and a warning.
//! - MySQL 8.4 Reference Manual, Locking Functions: a session may get the same name several times, and others wait
//!   until it has released all of them (since 5.7.5, worklog 1159). `COMMIT` does not release; the end of the session
//!   does.
//! - Both abort a statement that closes a cycle of waiting sessions: PostgreSQL after `deadlock_timeout`, MySQL at once.
//!   The model opens one connection for each resource, where a program uses one for all its locks, so sessions of one
//!   client count as one here.
//!
//! Neither documents the order of waiting sessions. They queue here, as in both lock managers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use fencepost_sim::{Caller, NodeId, Session, TimerId};

use super::message::SqlMessage;
use super::pooler::Backend;
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

/// The server connection that holds the lock.
struct Holder {
    backend: Backend,
    /// The grants of the connection. There are several only if a pooler gives the connection to several clients.
    grants: Vec<Held>,
}

struct Held {
    client: Caller,
    grant: GrantId,
    count: u32,
}

struct Waiter {
    from: Caller,
    backend: Backend,
    attempt: GrantId,
    timer: Option<TimerId>,
}

impl SessionLocks {
    /// Whether a statement of the session waits.
    pub fn waits(&self, session: Session) -> bool {
        self.locks.values().any(|lock| lock.queue.iter().any(|waiter| waiter.from.session() == session))
    }

    fn withdraw(&mut self, attempt: GrantId) -> Option<Waiter> {
        self.locks.values_mut().find_map(|lock| {
            let index = lock.queue.iter().position(|waiter| waiter.attempt == attempt)?;
            lock.queue.remove(index)
        })
    }

    /// Whether the client of this attempt waits for itself, over others.
    fn is_deadlocked(&self, attempt: GrantId) -> bool {
        let mut waiters = self.locks.values().flat_map(|lock| &lock.queue);
        let Some(start) = waiters.find(|waiter| waiter.attempt == attempt).map(|waiter| waiter.from.client()) else {
            return false;
        };
        let (mut seen, mut next) = (BTreeSet::new(), vec![start]);
        while let Some(client) = next.pop() {
            for holder in self.holders_before(client) {
                if holder == start {
                    return true;
                }
                if seen.insert(holder) {
                    next.push(holder);
                }
            }
        }
        false
    }

    /// The clients for whose locks this client waits.
    fn holders_before(&self, client: NodeId) -> impl Iterator<Item = NodeId> {
        let waits = move |lock: &&SessionLock| lock.queue.iter().any(|waiter| waiter.from.client() == client);
        let holders = self.locks.values().filter(waits).filter_map(|lock| lock.holder.as_ref());
        holders.flat_map(|holder| holder.grants.iter().map(|held| held.client.client()))
    }
}

impl SessionLock {
    fn held_by(&mut self, backend: Backend) -> Option<&mut Holder> {
        self.holder.as_mut().filter(|holder| holder.backend == backend)
    }
}

impl Sql {
    pub(super) fn lock(
        &mut self,
        env: &mut Env<'_, SqlMessage>,
        from: Caller,
        (resource, attempt, wait_ms): (ResourceId, GrantId, Option<u64>),
    ) {
        let backend = self.take_backend(from.session());
        let lock = self.session_locks.locks.entry(resource).or_default();
        if let Some(holder) = lock.held_by(backend) {
            let reply = match holder.grants.iter_mut().find(|held| held.client.session() == from.session()) {
                Some(held) => {
                    held.count += 1;
                    SqlMessage::Locked { grant: held.grant }
                }
                None => {
                    holder.grants.push(Held { client: from, grant: attempt, count: 1 });
                    env.note(Event::Granted { server: env.node(), grant: attempt });
                    SqlMessage::Locked { grant: attempt }
                }
            };
            self.return_backend(env, backend);
            return env.reply(from, reply);
        }
        if lock.holder.is_some() && wait_ms == Some(0) {
            self.return_backend(env, backend);
            return env.reply(from, SqlMessage::NotLocked);
        }
        let waits = lock.holder.is_some();
        let timer = wait_ms.filter(|_| waits).map(Duration::from_millis);
        let timer = timer.map(|wait| env.set_timer(wait, Timer::LockWait(attempt).tag()));
        lock.queue.push_back(Waiter { from, backend, attempt, timer });
        if waits && self.config.deadlock_timeout.is_zero() {
            self.detect_deadlock(env, attempt);
        } else if waits {
            env.set_timer(self.config.deadlock_timeout, Timer::Deadlock(attempt).tag());
        }
        self.grant_lock(env, resource);
    }

    /// Aborts the waiting statement of this attempt if it is part of a cycle.
    pub(super) fn detect_deadlock(&mut self, env: &mut Env<'_, SqlMessage>, attempt: GrantId) {
        if self.session_locks.is_deadlocked(attempt) {
            self.end_waiting(env, attempt, SqlMessage::Deadlock);
        }
    }

    fn grant_lock(&mut self, env: &mut Env<'_, SqlMessage>, resource: ResourceId) {
        let Some(lock) = self.session_locks.locks.get_mut(&resource).filter(|lock| lock.holder.is_none()) else {
            return;
        };
        let Some(Waiter { from, backend, attempt, timer }) = lock.queue.pop_front() else { return };
        if let Some(timer) = timer {
            env.cancel_timer(timer);
        }
        lock.holder = Some(Holder { backend, grants: vec![Held { client: from, grant: attempt, count: 1 }] });
        self.sessions.touch(env, from.session());
        env.note(Event::Granted { server: env.node(), grant: attempt });
        env.reply(from, SqlMessage::Locked { grant: attempt });
        self.return_backend(env, backend);
    }

    pub(super) fn unlock(
        &mut self,
        env: &mut Env<'_, SqlMessage>,
        session: Session,
        resource: ResourceId,
        on_behalf: GrantId,
    ) -> SqlMessage {
        let backend = self.take_backend(session);
        self.return_backend(env, backend);
        let lock = self.session_locks.locks.get_mut(&resource);
        let Some(holder) = lock.and_then(|lock| lock.held_by(backend)) else { return SqlMessage::NotLocked };
        // The server only counts. A pooled connection may count down the lock of another client.
        let own = holder.grants.iter().position(|held| held.client.session() == session);
        let index = own.unwrap_or(holder.grants.len() - 1);
        holder.grants[index].count -= 1;
        if holder.grants[index].count == 0 {
            let ended = holder.grants.remove(index).grant;
            let freed = holder.grants.is_empty();
            env.note(Event::Ended { server: env.node(), grant: ended, cause: Cause::Released(on_behalf) });
            if freed {
                self.end_lock(env, resource);
            }
        }
        SqlMessage::Done
    }

    /// Answers whether the session holds the lock.
    pub(super) fn holds_lock(
        &mut self,
        env: &mut Env<'_, SqlMessage>,
        session: Session,
        resource: ResourceId,
    ) -> SqlMessage {
        let backend = self.take_backend(session);
        self.return_backend(env, backend);
        let lock = self.session_locks.locks.get_mut(&resource);
        let holder = lock.and_then(|lock| lock.held_by(backend));
        holder.map_or(SqlMessage::NotLocked, |_| SqlMessage::Done)
    }

    fn end_lock(&mut self, env: &mut Env<'_, SqlMessage>, resource: ResourceId) {
        let ended = self.session_locks.locks.get_mut(&resource).and_then(|lock| lock.holder.take());
        for held in ended.into_iter().flat_map(|ended| ended.grants) {
            env.note(Event::Ended { server: env.node(), grant: held.grant, cause: Cause::Revoked });
        }
        self.grant_lock(env, resource);
    }

    /// Ends the wait of this attempt, after its cancellation or its timeout.
    pub(super) fn stop_waiting(&mut self, env: &mut Env<'_, SqlMessage>, attempt: GrantId) {
        self.end_waiting(env, attempt, SqlMessage::NotLocked);
    }

    fn end_waiting(&mut self, env: &mut Env<'_, SqlMessage>, attempt: GrantId, reply: SqlMessage) {
        let Some(waiter) = self.session_locks.withdraw(attempt) else { return };
        if let Some(timer) = waiter.timer {
            env.cancel_timer(timer);
        }
        self.sessions.touch(env, waiter.from.session());
        self.return_backend(env, waiter.backend);
        env.reply(waiter.from, reply);
    }

    /// Ends the waits of a closed session, and the locks of its connection to the server. A pooler keeps a connection
    /// that does not wait.
    pub(super) fn end_lock_session(&mut self, env: &mut Env<'_, SqlMessage>, session: Session) {
        let mut closed = vec![Backend::Own(session)];
        for lock in self.session_locks.locks.values_mut() {
            lock.queue.retain(|waiter| {
                let gone = waiter.from.session() == session;
                if gone {
                    waiter.timer.iter().for_each(|timer| env.cancel_timer(*timer));
                    closed.push(waiter.backend);
                }
                !gone
            });
        }
        closed.into_iter().for_each(|backend| self.end_backend(env, backend));
    }

    /// Ends the locks of a closed connection.
    pub(super) fn end_backend(&mut self, env: &mut Env<'_, SqlMessage>, backend: Backend) {
        let names: Vec<ResourceId> = self.session_locks.locks.keys().copied().collect();
        for resource in names {
            let lock = self.session_locks.locks.get_mut(&resource);
            if lock.is_some_and(|lock| lock.held_by(backend).is_some()) {
                self.end_lock(env, resource);
            }
        }
    }

    /// Drops all locks at a crash: they are in memory only.
    pub(super) fn drop_locks(&mut self, env: &mut Env<'_, SqlMessage>) {
        for lock in std::mem::take(&mut self.session_locks).locks.into_values() {
            for held in lock.holder.into_iter().flat_map(|holder| holder.grants) {
                env.note(Event::Ended { server: env.node(), grant: held.grant, cause: Cause::Revoked });
            }
        }
        self.pooler.clear();
    }
}
