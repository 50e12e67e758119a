//! One SQL database: the guarded row, transactions with a row lock, and their lifetime.
//!
//! - With autocommit off, the first statement begins the transaction; `COMMIT`, `ROLLBACK` or the end of the connection
//!   ends it and frees its row locks (MySQL manual, "InnoDB Locking Reads" and "autocommit"; PostgreSQL, "Explicit
//!   Locking").
//! - A statement waits for a row lock at most `innodb_lock_wait_timeout`, 50 s by default (MySQL manual).
//! - A commit is on disk before it is acknowledged (`innodb_flush_log_at_trx_commit = 1`, `synchronous_commit = on`).
//! - The server notices a client whose host died only by TCP keep-alive ([`fencepost_sim::KEEP_ALIVE`]).

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use fencepost_sim::disk::{Disk, DiskFate};
use fencepost_sim::{Caller, Service, Session, TimerId};
use serde::Serialize;

use super::inventory::{Guard, InventoryConfig, ReadReply, Write};
use super::row::{Change, Row};
use crate::history::{Cause, Event, GrantId, OrderId, Refusal};
use crate::wire::{Env, Wire};

/// What the database and its clients say to each other.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum SqlMessage {
    /// `SELECT … FOR UPDATE`, which begins a transaction and waits for the row lock at most so long.
    SelectForUpdate { attempt: GrantId, wait_ms: u64 },
    /// `SELECT …`, within the transaction if there is one.
    Select { attempt: GrantId },
    /// `UPDATE …` within the transaction.
    Update(Write),
    /// `UPDATE … WHERE version = …`, a transaction of its own.
    UpdateAlone(Write),
    /// `COMMIT`.
    Commit { attempt: GrantId },
    /// `ROLLBACK`.
    Rollback { attempt: GrantId },
    /// The row.
    Row(ReadReply),
    /// It is done; a commit is durable.
    Done,
    /// Zero rows changed: the condition does not hold.
    Refused(Refusal),
    /// No row lock within the wait.
    LockWaitTimeout,
    /// There is no transaction: it was rolled back.
    NoTransaction,
}

/// The database's server.
pub struct Sql {
    config: InventoryConfig,
    row: Row,
    disk: Disk<Change>,
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

impl Sql {
    /// A database with everything in stock.
    pub fn new(config: InventoryConfig) -> Self {
        Sql {
            row: Row::new(config.stock.into()),
            config,
            disk: Disk::default(),
            transaction: None,
            queue: VecDeque::new(),
            timers: BTreeMap::new(),
        }
    }

    fn select_for_update(&mut self, env: &mut Env<'_, SqlMessage>, from: Caller, attempt: GrantId, wait_ms: u64) {
        // The client forgot a transaction on this connection: a new one ends it, as BEGIN does in MySQL.
        if self.transaction.as_ref().is_some_and(|open| open.session == from.session()) {
            self.end(env, Cause::Revoked);
        }
        self.queue.push_back(Waiter { from, attempt });
        let timer = env.set_timer(Duration::from_millis(wait_ms), attempt.0.into());
        self.timers.insert(attempt, timer);
        self.grant_next(env);
    }

    fn grant_next(&mut self, env: &mut Env<'_, SqlMessage>) {
        if self.transaction.is_some() {
            return;
        }
        let Some(Waiter { from, attempt }) = self.queue.pop_front() else { return };
        self.stop_timer(env, attempt);
        self.transaction = Some(Transaction { session: from.session(), attempt, update: None });
        env.note(Event::Granted { server: env.node(), grant: attempt });
        env.reply(from, SqlMessage::Row(self.row.reply()));
    }

    fn stop_timer(&mut self, env: &mut Env<'_, SqlMessage>, attempt: GrantId) {
        if let Some(timer) = self.timers.remove(&attempt) {
            env.cancel_timer(timer);
        }
    }

    /// Ends the transaction and lets the next waiter in.
    fn end(&mut self, env: &mut Env<'_, SqlMessage>, cause: Cause) {
        if let Some(ended) = self.transaction.take() {
            env.note(Event::Ended { server: env.node(), grant: ended.attempt, cause });
        }
        self.grant_next(env);
    }

    fn owned(&self, from: Caller, attempt: GrantId) -> bool {
        self.transaction.as_ref().is_some_and(|open| open.session == from.session() && open.attempt == attempt)
    }

    fn update(&mut self, from: Caller, write: Write) -> SqlMessage {
        if !self.owned(from, write.grant) {
            return SqlMessage::NoTransaction;
        }
        if let Err(why) = self.row.write(Guard::None, &write) {
            return SqlMessage::Refused(why);
        }
        self.transaction.iter_mut().for_each(|open| open.update = Some(write));
        SqlMessage::Done
    }

    fn commit(&mut self, env: &mut Env<'_, SqlMessage>, from: Caller, attempt: GrantId) -> SqlMessage {
        if !self.owned(from, attempt) {
            return SqlMessage::NoTransaction;
        }
        let update = self.transaction.as_ref().and_then(|open| open.update);
        let reply = update.map_or(SqlMessage::Done, |write| self.write(env, &write));
        self.end(env, Cause::Released(attempt));
        reply
    }

    /// Writes the row, durably.
    fn write(&mut self, env: &mut Env<'_, SqlMessage>, write: &Write) -> SqlMessage {
        if self.row.knows(write) {
            return SqlMessage::Done;
        }
        let Write { grant, order, units, .. } = *write;
        match self.row.write(Guard::None, write) {
            Ok((accepted, changes)) => {
                for change in changes.into_iter().flatten() {
                    self.disk.write(change);
                    self.row.apply(change);
                }
                self.disk.sync();
                let (based_on, version, count) = (accepted.based_on, accepted.version, accepted.count);
                env.note(Event::WriteAccepted { grant, order, units, based_on, version, count });
                SqlMessage::Done
            }
            Err(why) => self.refuse(env, grant, order, why),
        }
    }

    fn refuse(&self, env: &mut Env<'_, SqlMessage>, grant: GrantId, order: OrderId, why: Refusal) -> SqlMessage {
        env.note(Event::OperationRefused { grant, order, why });
        SqlMessage::Refused(why)
    }

    fn select(&self, env: &mut Env<'_, SqlMessage>, attempt: GrantId) -> SqlMessage {
        env.note(Event::ReadAccepted { grant: attempt, version: self.row.version });
        SqlMessage::Row(self.row.reply())
    }

    fn rollback(&mut self, env: &mut Env<'_, SqlMessage>, from: Caller, attempt: GrantId) -> SqlMessage {
        if self.owned(from, attempt) {
            self.end(env, Cause::Released(attempt));
        }
        SqlMessage::Done
    }
}

impl Service<Wire<SqlMessage>, Event> for Sql {
    fn on_message(&mut self, env: &mut Env<'_, SqlMessage>, from: Caller, message: Wire<SqlMessage>) {
        let Wire::Lock(message) = message else { return };
        let reply = match message {
            SqlMessage::SelectForUpdate { attempt, wait_ms } => {
                return self.select_for_update(env, from, attempt, wait_ms);
            }
            SqlMessage::Select { attempt } => self.select(env, attempt),
            SqlMessage::Update(write) => self.update(from, write),
            SqlMessage::UpdateAlone(write) => self.write(env, &write),
            SqlMessage::Commit { attempt } => self.commit(env, from, attempt),
            SqlMessage::Rollback { attempt } => self.rollback(env, from, attempt),
            _ => return,
        };
        env.reply(from, reply);
    }

    /// A wait for the row lock is over.
    fn on_timer(&mut self, env: &mut Env<'_, SqlMessage>, tag: u64) {
        let Some(place) = self.queue.iter().position(|waiter| u64::from(waiter.attempt.0) == tag) else { return };
        if let Some(waiter) = self.queue.remove(place) {
            self.timers.remove(&waiter.attempt);
            env.reply(waiter.from, SqlMessage::LockWaitTimeout);
        }
    }

    fn on_disconnect(&mut self, env: &mut Env<'_, SqlMessage>, session: Session) {
        let (gone, waiting): (VecDeque<_>, _) =
            std::mem::take(&mut self.queue).into_iter().partition(|waiter| waiter.from.session() == session);
        self.queue = waiting;
        for waiter in gone {
            self.stop_timer(env, waiter.attempt);
        }
        if self.transaction.as_ref().is_some_and(|open| open.session == session) {
            self.end(env, Cause::Revoked);
        }
    }

    fn on_crash(&mut self, env: &mut Env<'_, SqlMessage>, disk: DiskFate) {
        self.disk.crash(disk);
        self.queue.clear();
        self.timers.clear();
        if let Some(open) = self.transaction.take() {
            env.note(Event::Ended { server: env.node(), grant: open.attempt, cause: Cause::Revoked });
        }
        let before = self.row.version;
        self.row = Row::new(self.config.stock.into());
        for change in self.disk.records() {
            self.row.apply(*change);
        }
        if self.row.version < before {
            env.note(Event::RolledBack { version: self.row.version, count: self.row.count });
        }
    }
}
