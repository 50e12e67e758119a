//! An SQL database with the guarded row, transactions with a row lock, session locks and a table of lock rows, and
//! optionally a standby.
//!
//! - With autocommit off, the first statement starts the transaction; `COMMIT`, `ROLLBACK` or the end of the connection
//!   ends it and frees its row locks (MySQL manual, "InnoDB Locking Reads" and "autocommit"; PostgreSQL, "Explicit
//!   Locking").
//! - A statement waits for a row lock at most `innodb_lock_wait_timeout`, 50 s by default (MySQL manual).
//! - A commit is on disk before it is acknowledged (`innodb_flush_log_at_trx_commit = 1`, `synchronous_commit = on`).
//! - The server notices a client whose host died only by TCP keep-alive ([`fencepost_sim::KEEP_ALIVE`]), or by an idle
//!   timeout.

mod client;
mod commit;
mod key_store;
mod leases;
mod log;
mod message;
mod patroni;
mod pooler;
mod replica;
mod session_locks;
mod sessions;
mod transactions;

pub use self::client::{Database, Pool};
pub(crate) use self::client::{GRACE, POOL_TIMEOUT, VALIDATION_TIMEOUT, failover_bound};
pub use self::log::{Entry, LeaseRow, millis};
pub use self::message::{History, Lease, SqlMessage, Times};
pub(crate) use self::replica::{FAILOVER_AFTER, REPLICATION_LAG};
pub use self::replica::{Standby, StandbyMode};
pub use self::sessions::Idle;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::disk::{DiskFate, Syncs};
use fencepost_sim::{Caller, NodeId, Service, Session};

use self::commit::{Effects, Position, WaitingCommit};
use self::key_store::KeyStore;
use self::log::Tables;
use self::pooler::Pooler;
use self::replica::{KEY_STORE, PAIR, Replica};
use self::session_locks::SessionLocks;
use self::sessions::Sessions;
use self::transactions::RowLock;
use crate::guarded::{Accepted, Write};
use crate::history::{Event, GrantId, ResourceId, Version};
use crate::site::Site;
use crate::wire::{Env, Wire};

/// The configuration of a database.
#[derive(Clone, Copy, Debug, Default)]
pub struct SqlConfig {
    /// The idle timeouts of connections.
    pub idle: Idle,
    /// The standby, if there is one.
    pub standby: Option<Standby>,
    /// The wait for a session lock after which the server looks for a deadlock: `deadlock_timeout` of PostgreSQL, 1 s
    /// by default. MySQL looks at once.
    pub deadlock_timeout: Duration,
    /// Whether PgBouncer shares the connections in transaction mode.
    pub pooled: bool,
}

/// A server of the database.
pub struct Sql {
    config: SqlConfig,
    tables: Tables,
    row_lock: RowLock,
    session_locks: SessionLocks,
    pooler: Pooler,
    sessions: Sessions,
    replica: Option<Replica>,
    /// The effects of the statement in execution, if its commit has to wait for the standby.
    collected: Option<Effects>,
    waiting: WaitingCommit,
    surviving: Rc<RefCell<SurvivingState>>,
}

/// The state on the timeline that survives, as only the observer of the world knows it. Both servers share it; the
/// model bases no decision on it.
struct SurvivingState {
    timeline: u32,
    version: Version,
    count: i64,
    leases: BTreeMap<ResourceId, LeaseRow>,
    /// A commit that waits for the standby, and its effects. It survives if the next primary has it.
    unconfirmed: Option<(Position, Effects)>,
    /// The last commit that survived in this way.
    settled: Option<Position>,
}

/// The purpose of a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    RowWait(GrantId),
    LockWait(GrantId),
    Idle(u32),
    Ship(u32),
    Beat,
    Cycle(u32),
    Retry(u32),
    Race(u32),
    Unconfirmed(u32),
    Deadlock(GrantId),
    Backend(u32),
}

impl Timer {
    fn tag(self) -> u64 {
        let (kind, number) = match self {
            Timer::RowWait(GrantId(attempt)) => (0, attempt),
            Timer::LockWait(GrantId(attempt)) => (1, attempt),
            Timer::Idle(session) => (2, session),
            Timer::Ship(length) => (3, length),
            Timer::Beat => (4, 0),
            Timer::Cycle(cycle) => (5, cycle),
            Timer::Retry(cycle) => (6, cycle),
            Timer::Race(cycle) => (7, cycle),
            Timer::Unconfirmed(length) => (8, length),
            Timer::Deadlock(GrantId(attempt)) => (9, attempt),
            Timer::Backend(number) => (10, number),
        };
        kind << 32 | u64::from(number)
    }

    fn from_tag(tag: u64) -> Timer {
        let number = tag as u32;
        match tag >> 32 {
            0 => Timer::RowWait(GrantId(number)),
            1 => Timer::LockWait(GrantId(number)),
            2 => Timer::Idle(number),
            3 => Timer::Ship(number),
            4 => Timer::Beat,
            5 => Timer::Cycle(number),
            6 => Timer::Retry(number),
            7 => Timer::Race(number),
            8 => Timer::Unconfirmed(number),
            9 => Timer::Deadlock(GrantId(number)),
            _ => Timer::Backend(number),
        }
    }
}

impl Sql {
    /// Deploys a database with a full stock.
    pub fn deploy(site: &mut Site<'_, SqlMessage>, config: SqlConfig) {
        let SqlConfig { idle, standby, .. } = config;
        let initial_count = site.data().initial_count;
        let surviving = SurvivingState {
            timeline: 1,
            version: 0,
            count: initial_count.into(),
            leases: BTreeMap::new(),
            unconfirmed: None,
            settled: None,
        };
        let surviving = Rc::new(RefCell::new(surviving));
        for (index, name) in PAIR.into_iter().take(1 + usize::from(standby.is_some())).enumerate() {
            let server = Sql {
                config,
                tables: Tables::new(initial_count),
                row_lock: RowLock::default(),
                session_locks: SessionLocks::default(),
                pooler: Pooler::default(),
                sessions: Sessions::new(idle),
                replica: standby.map(|rules| Replica::new(rules, index)),
                collected: None,
                waiting: WaitingCommit::default(),
                surviving: surviving.clone(),
            };
            site.server(name, server);
        }
        if let Some(Standby { mode: StandbyMode::Patroni, failover_after, .. }) = standby {
            site.server(KEY_STORE, KeyStore::new(failover_after));
        }
    }

    /// Whether this server accepts writes.
    fn leads(&self) -> bool {
        self.replica.as_ref().is_none_or(Replica::leads)
    }

    /// Whether this server's changes survive, as far as is known now.
    fn survives(&self) -> bool {
        self.replica.as_ref().is_none_or(|replica| replica.timeline() >= self.surviving.borrow().timeline)
    }

    /// Notes an accepted write. If the server has been replaced without knowing it, the write is lost at once.
    fn note_accepted(&self, env: &mut Env<'_, SqlMessage>, write: &Write, accepted: Accepted) {
        let Write { grant, order, units, .. } = *write;
        let Accepted { based_on, version, count } = accepted;
        let surviving = &mut *self.surviving.borrow_mut();
        if self.replica.as_ref().is_none_or(|replica| replica.timeline() >= surviving.timeline) {
            (surviving.version, surviving.count) = (version, count);
            env.note(Event::WriteAccepted { grant, order, units, based_on, version, count });
        } else {
            let version = surviving.version + 1;
            env.note(Event::WriteAccepted { grant, order, units, based_on, version, count });
            env.note(Event::RolledBack { version: surviving.version, count: surviving.count });
        }
    }

    /// Ends a session.
    fn end_session(&mut self, env: &mut Env<'_, SqlMessage>, session: Session) {
        self.sessions.remove(env, session);
        self.waiting.remove_session(session);
        self.end_row_session(env, session);
        self.end_lock_session(env, session);
    }

    fn close_all(&mut self, env: &mut Env<'_, SqlMessage>) {
        self.waiting = WaitingCommit::default();
        self.drop_row_lock(env);
        self.drop_locks(env);
        for session in self.sessions.all() {
            self.sessions.remove(env, session);
            env.close(session);
        }
    }

    fn check_idle(&mut self, env: &mut Env<'_, SqlMessage>, number: u32) {
        let Some(session) = self.sessions.by_number(number) else { return };
        let busy =
            self.row_lock.waits(session) || self.session_locks.waits(session) || self.waiting.has_session(session);
        if self.sessions.has_expired(env, session, busy, self.row_lock.in_transaction(session)) {
            self.end_session(env, session);
            env.close(session);
        }
    }

    /// Executes a statement, and replies unless it waits.
    fn run(&mut self, env: &mut Env<'_, SqlMessage>, from: Caller, statement: SqlMessage) {
        let reply = if matches!(statement, SqlMessage::IsValid) {
            Some(SqlMessage::Done)
        } else if !self.leads() {
            Some(SqlMessage::ReadOnly)
        } else if self.waits_for_standby(&statement) {
            self.execute_and_wait(env, from, statement)
        } else {
            self.execute(env, from, statement)
        };
        if let Some(reply) = reply {
            env.reply(from, reply);
        }
    }

    /// Executes a statement. A waiting one is answered later.
    fn execute(&mut self, env: &mut Env<'_, SqlMessage>, from: Caller, statement: SqlMessage) -> Option<SqlMessage> {
        let reply = match statement {
            SqlMessage::SelectForUpdate { attempt, wait_ms } => {
                self.select_for_update(env, from, attempt, wait_ms);
                return None;
            }
            SqlMessage::Select { attempt } => self.select(env, from, attempt),
            SqlMessage::Update(write) => self.update(from, write),
            SqlMessage::UpdateAlone(write) => self.write(env, &write),
            SqlMessage::Commit { attempt } => self.commit(env, from, attempt),
            SqlMessage::Rollback { attempt } => self.rollback(env, from, attempt),
            SqlMessage::Lock { resource, attempt, wait_ms } => {
                self.lock(env, from, (resource, attempt, wait_ms));
                return None;
            }
            SqlMessage::Unlock { resource, on_behalf } => self.unlock(env, from.session(), resource, on_behalf),
            SqlMessage::HoldsLock { resource } => self.holds_lock(env, from.session(), resource),
            SqlMessage::Cancel { attempt } => {
                self.stop_waiting(env, attempt);
                SqlMessage::Done
            }
            SqlMessage::InsertLease(lease) => self.insert_lease(env, &lease),
            SqlMessage::TakeLease(lease) => self.take_lease(env, &lease),
            SqlMessage::ExtendLease(lease) => self.extend_lease(env, &lease),
            SqlMessage::ReleaseLease(lease) => self.release_lease(env, &lease),
            SqlMessage::ReleaseAnyLease(lease) => self.release_any_lease(env, &lease),
            SqlMessage::ShowReadOnly => SqlMessage::Writable,
            _ => return None,
        };
        Some(reply)
    }
}

impl Service<Wire<SqlMessage>, Event> for Sql {
    fn on_start(&mut self, env: &mut Env<'_, SqlMessage>) {
        self.start_replica(env);
    }

    fn on_message(&mut self, env: &mut Env<'_, SqlMessage>, from: Caller, message: Wire<SqlMessage>) {
        let Wire::Lock(statement) = message else { return };
        self.sessions.touch(env, from.session());
        self.run(env, from, statement);
    }

    fn on_peer(&mut self, env: &mut Env<'_, SqlMessage>, _: NodeId, message: Wire<SqlMessage>) {
        if let Wire::Lock(message) = message {
            self.on_peer_message(env, message);
        }
    }

    fn on_timer(&mut self, env: &mut Env<'_, SqlMessage>, tag: u64) {
        match Timer::from_tag(tag) {
            Timer::RowWait(attempt) => self.time_out_row_wait(env, attempt),
            Timer::LockWait(attempt) => self.stop_waiting(env, attempt),
            Timer::Idle(session) => self.check_idle(env, session),
            Timer::Ship(length) => self.replication_due(env, length),
            Timer::Beat => self.monitor(env),
            Timer::Cycle(cycle) => self.next_cycle(env, cycle),
            Timer::Retry(cycle) => self.retry_cycle(env, cycle),
            Timer::Race(cycle) => self.join_race(env, cycle),
            Timer::Unconfirmed(length) => self.stop_waiting_for_standby(env, length),
            Timer::Deadlock(attempt) => self.detect_deadlock(env, attempt),
            Timer::Backend(number) => self.check_backend(env, number),
        }
    }

    fn on_connect(&mut self, env: &mut Env<'_, SqlMessage>, session: Session) {
        self.sessions.touch(env, session);
    }

    fn on_disconnect(&mut self, env: &mut Env<'_, SqlMessage>, session: Session) {
        self.end_session(env, session);
    }

    fn disks(&mut self, each: &mut dyn FnMut(&mut dyn Syncs)) {
        self.tables.disks(each);
    }

    fn on_crash(&mut self, env: &mut Env<'_, SqlMessage>, disk: DiskFate) {
        self.drop_row_lock(env);
        self.drop_locks(env);
        self.sessions.clear();
        self.collected = None;
        self.waiting = WaitingCommit::default();
        self.tables.crash(disk);
        if let Some(replica) = &mut self.replica {
            // Which changes are lost is known only when one of the two leads again.
            return replica.crash(disk);
        }
        self.mark_surviving(env, 1);
    }
}
