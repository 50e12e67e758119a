//! A table of lock rows with an expiry: ShedLock's `JdbcTemplateLockProvider`.
//!
//! The client follows lukas-krecan/ShedLock: `StorageBasedLockProvider.java` (insert once, then update),
//! `SqlStatementsSource.java` (the statements, and that `now` is the client's clock when the statement is built) and
//! `LockConfiguration.java` (that `lock_until` counts from the start of the attempt). The statements are in
//! [`crate::servers::sql`]. ShedLock does not wait: it skips a task whose lock is taken. Here the client tries again.

mod keep_alive;
mod params;
mod promises;

pub use self::params::{CheckCall, Clock, SqlLeaseRowParams};

use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::{Mono, STALL_LIMIT};

use self::keep_alive::KeepAlive;
use self::promises::{BLIND_UNLOCK, FLAWS, PROMISES};
use crate::grant::{Attempt, Grant, LockError, Reason};
use crate::history::{GrantId, ResourceId};
use crate::info::{Expiry, Family, LockInfo, Reentrancy, Verification};
use crate::lock::Lock;
use crate::lock::POLL;
use crate::servers::sql::{
    Database, Lease, POOL_TIMEOUT, Pool, Sql, SqlConfig, SqlMessage, Times, failover_bound, millis,
};
use crate::site::Site;
use crate::wire::Ctx;

/// A client of the table.
pub struct SqlLeaseRow {
    params: SqlLeaseRowParams,
    ctx: Ctx<SqlMessage>,
    resource: ResourceId,
    database: Database,
    /// The row is known to exist, so that no client inserts it (`LockRecordRegistry`).
    known: bool,
    held: Option<Held>,
    keep_alive: Option<KeepAlive>,
}

#[derive(Clone, Copy)]
struct Held {
    grant: GrantId,
    /// The start of the attempt, by the client's wall clock in milliseconds.
    created: i64,
}

impl SqlLeaseRow {
    /// A statement on the row. `until` is by the client's clock, `lasts` the same by the database's.
    fn lease(&self, attempt: GrantId, until: i64, lasts: Duration) -> Lease {
        let times = match self.params.clock {
            Clock::Client => Times::Client { now: millis(self.ctx.wall()), until },
            Clock::Database => Times::Database { lasts: lasts.as_millis() as i64 },
        };
        Lease { resource: self.resource, attempt, by: self.ctx.node().0, times }
    }

    async fn try_to_lock(&mut self, attempt: Attempt, until: i64) -> Result<bool, LockError> {
        let (lasts, mut step) = (self.params.lock_at_most.0, Some("acquire-sent"));
        let creates = !self.known;
        if creates {
            let insert = SqlMessage::InsertLease(self.lease(attempt.id, until, lasts));
            let inserted = self.run(insert, step.take(), attempt.give_up).await?;
            self.known = true;
            if inserted {
                return Ok(true);
            }
        }
        let take = SqlMessage::TakeLease(self.lease(attempt.id, until, lasts));
        let taken = self.run(take, step, attempt.give_up).await;
        if creates && taken.is_err() {
            self.known = false;
        }
        taken
    }

    /// Executes a statement and returns whether it changed a row.
    async fn run(&mut self, statement: SqlMessage, step: Option<&'static str>, by: Mono) -> Result<bool, LockError> {
        let reply = self.database.run_until(statement, step, by).await?;
        Ok(matches!(reply, SqlMessage::Changed))
    }
}

impl Lock for SqlLeaseRow {
    const INFO: LockInfo = LockInfo::new(
        "sql-lease-row",
        "a row with lock_until in a table of locks, as in ShedLock, by the clients' clocks",
    )
    .expectations(include_str!("expectations.toml"))
    .family(Family::Database)
    .expiry(Expiry::ClientWallClock)
    .check("LockAssert.assertLocked(): local; LockExtender.extendActiveLock(): asks the server and extends")
    .reentrancy(Reentrancy::Refused)
    .promises(PROMISES)
    .flawed_defaults(FLAWS)
    .bugs(&[BLIND_UNLOCK])
    .verification(Verification::Source { version: "ShedLock 7.9.0", read: "2026-12-01" })
    .sources(&[
        "lukas-krecan/ShedLock 7.9.0, README.md, SqlStatementsSource.java, JdbcTemplateStorageAccessor.java, \
                StorageBasedLockProvider.java, KeepAliveLockProvider.java, LockAssert.java, LockExtender.java",
        "lukas-krecan/ShedLock issue 132",
        "repmgr documentation, repmgrd configuration; Patroni documentation, Replication modes (standby)",
    ]);
    type Params = SqlLeaseRowParams;
    type Message = SqlMessage;

    fn deploy(params: &SqlLeaseRowParams, site: &mut Site<'_, SqlMessage>) {
        Sql::deploy(site, SqlConfig { standby: params.rules(), ..SqlConfig::default() });
    }

    fn connect(params: &SqlLeaseRowParams, ctx: Ctx<SqlMessage>, resource: ResourceId) -> Self {
        let database = Database::new(ctx.clone(), params.standby, params.socket_timeout.0, params.pool);
        let keep_alive = params.keep_alive.then(|| KeepAlive::new(params, &ctx, resource));
        SqlLeaseRow { params: params.clone(), ctx, resource, database, known: false, held: None, keep_alive }
    }

    /// The lock's duration counts from before the request, by the clock read then.
    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        self.database.ready(attempt.give_up).await?;
        let created = millis(self.ctx.wall());
        let until = created + self.params.lock_at_most.0.as_millis() as i64;
        if !self.try_to_lock(attempt, until).await? {
            return Err(LockError::Failed(Reason::Busy));
        }
        self.held = Some(Held { grant: attempt.id, created });
        if let Some(keep_alive) = &self.keep_alive {
            keep_alive.start(&self.params, self.ctx.mono(), attempt.id, until);
        }
        Ok(Grant { id: attempt.id, token: None, valid_until: None })
    }

    /// The statement compares `locked_by`. The library ignores how many rows it changed (`unlock` of
    /// JdbcTemplateStorageAccessor.java).
    async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        let Some(held) = self.held.take_if(|held| held.grant == grant.id) else {
            return Err(LockError::Failed(Reason::NotHeld));
        };
        if let Some(keep_alive) = &self.keep_alive {
            keep_alive.stop().await;
        }
        if self.params.pool == Pool::Hikari {
            self.database.ready(self.ctx.mono() + POOL_TIMEOUT).await?;
        }
        let at_least = self.params.lock_at_least.0;
        let unlock_time = millis(self.ctx.wall()).max(held.created + at_least.as_millis() as i64);
        let lease = self.lease(grant.id, unlock_time, at_least);
        let release =
            if self.params.blind_unlock { SqlMessage::ReleaseAnyLease(lease) } else { SqlMessage::ReleaseLease(lease) };
        self.database.run(release, Some("release-sent")).await?;
        Ok(())
    }

    /// `LockAssert` counts a started task as holding the lock. `LockExtender` asks the database.
    async fn check(&mut self, grant: &Grant) -> Result<bool, LockError> {
        if self.held.is_none_or(|held| held.grant != grant.id) {
            return Ok(false);
        }
        match self.params.check {
            CheckCall::LockAssert => Ok(true),
            CheckCall::LockExtender => {
                let lasts = self.params.lock_at_most.0;
                let until = millis(self.ctx.wall()) + lasts.as_millis() as i64;
                let extend = SqlMessage::ExtendLease(self.lease(grant.id, until, lasts));
                Ok(matches!(self.database.run(extend, None).await?, SqlMessage::Changed))
            }
        }
    }

    /// The row is free once the waiter's clock says so, which may lag behind the holder's. Then the waiter must try
    /// again, after its last statement has ended.
    fn takeover_bound(params: &SqlLeaseRowParams, allowance: &BoundAllowance) -> Duration {
        let expired = match params.clock {
            Clock::Client => params.lock_at_most.0 + allowance.apart,
            Clock::Database => allowance.stretch_wall(params.lock_at_most.0),
        };
        let statement = Some(params.socket_timeout.0).filter(|timeout| !timeout.is_zero()).unwrap_or(STALL_LIMIT);
        expired + allowance.reconnect + 2 * statement + 2 * POLL + failover_bound(params.rules(), allowance)
    }
}
