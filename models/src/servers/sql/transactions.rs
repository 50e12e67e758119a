//! The guarded row: its writes, and its lock, which a transaction holds until it ends.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use fencepost_sim::{Caller, Session, TimerId};

use super::commit::Effect;
use super::log::Entry;
use super::message::SqlMessage;
use super::{Sql, Timer};
use crate::guarded::{Accepted, Guard, ReadReply, Write};
use crate::history::{Cause, Event, GrantId, OrderId, Refusal};
use crate::wire::Env;

/// The holder and the waiters of the row lock.
#[derive(Default)]
pub(super) struct RowLock {
    transaction: Option<Transaction>,
    queue: VecDeque<Waiter>,
    timers: BTreeMap<GrantId, TimerId>,
}

/// The transaction that holds the row lock.
struct Transaction {
    session: Session,
    attempt: GrantId,
    update: Option<Write>,
}

struct Waiter {
    from: Caller,
    attempt: GrantId,
}

impl RowLock {
    /// Whether the session has an open transaction.
    pub fn in_transaction(&self, session: Session) -> bool {
        self.transaction.as_ref().is_some_and(|open| open.session == session)
    }

    /// The attempt of the session's open transaction.
    fn open(&self, session: Session) -> Option<GrantId> {
        self.transaction.as_ref().filter(|open| open.session == session).map(|open| open.attempt)
    }

    /// Whether a statement of the session waits.
    pub fn waits(&self, session: Session) -> bool {
        self.queue.iter().any(|waiter| waiter.from.session() == session)
    }

    fn owned(&self, from: Caller, attempt: GrantId) -> bool {
        self.in_transaction(from.session()) && self.transaction.as_ref().is_some_and(|open| open.attempt == attempt)
    }

    fn stop_timer(&mut self, env: &mut Env<'_, SqlMessage>, attempt: GrantId) {
        if let Some(timer) = self.timers.remove(&attempt) {
            env.cancel_timer(timer);
        }
    }
}

impl Sql {
    pub(super) fn select_for_update(
        &mut self,
        env: &mut Env<'_, SqlMessage>,
        from: Caller,
        attempt: GrantId,
        wait_ms: u64,
    ) {
        // A client may have left a transaction open on this connection. MySQL's BEGIN commits it (MySQL 8.4 Reference
        // Manual, Statements That Cause an Implicit Commit).
        if let Some(attempt) = self.row_lock.open(from.session()) {
            self.commit(env, from, attempt);
        }
        self.row_lock.queue.push_back(Waiter { from, attempt });
        let timer = env.set_timer(Duration::from_millis(wait_ms), Timer::RowWait(attempt).tag());
        self.row_lock.timers.insert(attempt, timer);
        self.grant_row(env);
    }

    fn grant_row(&mut self, env: &mut Env<'_, SqlMessage>) {
        if self.row_lock.transaction.is_some() {
            return;
        }
        let Some(Waiter { from, attempt }) = self.row_lock.queue.pop_front() else { return };
        self.row_lock.stop_timer(env, attempt);
        self.row_lock.transaction = Some(Transaction { session: from.session(), attempt, update: None });
        self.sessions.touch(env, from.session());
        env.note(Event::Granted { server: env.node(), grant: attempt });
        env.reply(from, SqlMessage::Row(self.tables.row.reply()));
    }

    /// Ends the transaction and grants the lock to the next waiter.
    pub(super) fn end_transaction(&mut self, env: &mut Env<'_, SqlMessage>, cause: Cause) {
        if let Some(ended) = self.row_lock.transaction.take() {
            env.note(Event::Ended { server: env.node(), grant: ended.attempt, cause });
        }
        self.grant_row(env);
    }

    pub(super) fn update(&mut self, from: Caller, write: Write) -> SqlMessage {
        if !self.row_lock.owned(from, write.grant) {
            return SqlMessage::NoTransaction;
        }
        if let Err(why) = self.tables.row.write(Guard::None, &write) {
            return SqlMessage::Refused(why);
        }
        self.row_lock.transaction.iter_mut().for_each(|open| open.update = Some(write));
        SqlMessage::Done
    }

    pub(super) fn commit(&mut self, env: &mut Env<'_, SqlMessage>, from: Caller, attempt: GrantId) -> SqlMessage {
        if !self.row_lock.owned(from, attempt) {
            return SqlMessage::NoTransaction;
        }
        let update = self.row_lock.transaction.as_ref().and_then(|open| open.update);
        let reply = update.map_or(SqlMessage::Done, |write| self.write(env, &write));
        self.effect(env, Effect::EndTransaction(Cause::Released(attempt)));
        reply
    }

    /// Writes the row, durably.
    pub(super) fn write(&mut self, env: &mut Env<'_, SqlMessage>, write: &Write) -> SqlMessage {
        if self.tables.row.knows(write) {
            return SqlMessage::Done;
        }
        let Write { grant, order, .. } = *write;
        match self.tables.row.write(Guard::None, write) {
            Ok((accepted, changes)) => {
                for change in changes.into_iter().flatten() {
                    self.effect(env, Effect::Put(Entry::Row(change)));
                }
                self.effect(env, Effect::Accepted(*write, accepted));
                SqlMessage::Done
            }
            Err(why) => refuse(env, grant, order, why),
        }
    }

    /// Reads the row, with the transaction's own write.
    pub(super) fn select(&self, env: &mut Env<'_, SqlMessage>, from: Caller, attempt: GrantId) -> SqlMessage {
        let open = self.row_lock.transaction.as_ref().filter(|open| open.session == from.session());
        let written =
            open.and_then(|open| open.update).and_then(|write| self.tables.row.write(Guard::None, &write).ok());
        let row = match written {
            Some((Accepted { version, count, .. }, _)) => ReadReply { count, version },
            None => self.tables.row.reply(),
        };
        env.note(Event::ReadAccepted { grant: attempt, version: row.version });
        SqlMessage::Row(row)
    }

    pub(super) fn rollback(&mut self, env: &mut Env<'_, SqlMessage>, from: Caller, attempt: GrantId) -> SqlMessage {
        if self.row_lock.owned(from, attempt) {
            self.end_transaction(env, Cause::Released(attempt));
        }
        SqlMessage::Done
    }

    pub(super) fn time_out_row_wait(&mut self, env: &mut Env<'_, SqlMessage>, attempt: GrantId) {
        let Some(index) = self.row_lock.queue.iter().position(|waiter| waiter.attempt == attempt) else { return };
        if let Some(waiter) = self.row_lock.queue.remove(index) {
            self.row_lock.timers.remove(&waiter.attempt);
            env.reply(waiter.from, SqlMessage::LockWaitTimeout);
        }
    }

    /// Rolls back the transaction of a closed session.
    pub(super) fn end_row_session(&mut self, env: &mut Env<'_, SqlMessage>, session: Session) {
        let (gone, waiting): (VecDeque<_>, _) =
            std::mem::take(&mut self.row_lock.queue).into_iter().partition(|waiter| waiter.from.session() == session);
        self.row_lock.queue = waiting;
        for waiter in gone {
            self.row_lock.stop_timer(env, waiter.attempt);
        }
        if self.row_lock.in_transaction(session) && !self.waiting.has_session(session) {
            self.end_transaction(env, Cause::Revoked);
        }
    }

    /// Rolls back everything uncommitted at a crash.
    pub(super) fn drop_row_lock(&mut self, env: &mut Env<'_, SqlMessage>) {
        if let Some(open) = std::mem::take(&mut self.row_lock).transaction {
            env.note(Event::Ended { server: env.node(), grant: open.attempt, cause: Cause::Revoked });
        }
    }
}

fn refuse(env: &mut Env<'_, SqlMessage>, grant: GrantId, order: OrderId, why: Refusal) -> SqlMessage {
    env.note(Event::OperationRefused { grant, order, why });
    SqlMessage::Refused(why)
}
