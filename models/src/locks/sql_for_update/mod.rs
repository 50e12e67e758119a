//! `SELECT … FOR UPDATE`: the guarded row is the lock, which a transaction holds until it ends. The write depends on
//! the lock: a transaction that lost the lock cannot commit.

use std::time::Duration;

use fencepost_sim::KEEP_ALIVE;
use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::grant::{Attempt, Grant, LockError, Reason};
use crate::guarded::{InStore, ReadReply, StoreAccess, StoreFuture};
use crate::history::{GrantId, ResourceId};
use crate::info::{Answer, Expiry, Family, LockInfo, Promise, Reentrancy, Requirement, Verification};
use crate::lock::{Lock, Params};
use crate::servers::sql::{
    Database, FAILOVER_AFTER, GRACE, Idle, Pool, REPLICATION_LAG, Sql, SqlConfig, SqlMessage, Standby, StandbyMode,
    VALIDATION_TIMEOUT, failover_bound,
};
use crate::site::Site;
use crate::wire::Ctx;

/// A client that works in one transaction per unit.
pub struct SqlForUpdate {
    params: SqlForUpdateParams,
    ctx: Ctx<SqlMessage>,
    database: Database,
    /// The grant of the open transaction.
    open: Option<GrantId>,
    updated: bool,
}

/// Parameters of `sql-for-update`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SqlForUpdateParams {
    /// The maximal wait of a statement for a row lock: `innodb_lock_wait_timeout`, 50 s by default (MySQL manual).
    pub lock_wait: Span,
    /// The idle time after which the server closes a connection, even within a transaction: `wait_timeout`, 28800 s by
    /// default (MySQL 8.4 Reference Manual, Server System Variables). `"0s"`: never.
    pub wait_timeout: Span,
    /// The idle time within a transaction after which the server closes a connection:
    /// `idle_in_transaction_session_timeout`, off (`"0s"`) by default (PostgreSQL 17, Client Connection Defaults).
    pub idle_in_transaction_timeout: Span,
    /// The client's timeout for statements other than the locking one. `"0s"`, the drivers' default: until the stream
    /// fails (MySQL Connector/J and pgjdbc, `socketTimeout`).
    pub socket_timeout: Span,
    /// How a standby takes over from a failed primary. None by default.
    pub standby: StandbyMode,
    /// The delay of a commit at an asynchronous standby, beside the network's latency.
    pub replication_lag: Span,
    /// The silence of the primary after which the standby takes over, or the time to live of the leader key: `ttl` of
    /// Patroni, 30 s by default.
    pub failover_after: Span,
    /// The time after which a commit no longer waits for a silent standby: `rpl_semi_sync_source_timeout` of MySQL, which
    /// is 10 s there. `"0s"`, the default: never, as with `synchronous_standby_names` of PostgreSQL.
    pub sync_timeout: Span,
    /// The pool between the program and the database. None by default; Spring Boot uses HikariCP.
    pub pool: Pool,
}

impl Default for SqlForUpdateParams {
    fn default() -> Self {
        SqlForUpdateParams {
            lock_wait: Span(Duration::from_secs(50)),
            wait_timeout: Span(WAIT_TIMEOUT),
            idle_in_transaction_timeout: Span(Duration::ZERO),
            socket_timeout: Span(Duration::ZERO),
            standby: StandbyMode::None,
            replication_lag: Span(REPLICATION_LAG),
            failover_after: Span(FAILOVER_AFTER),
            sync_timeout: Span(Duration::ZERO),
            pool: Pool::None,
        }
    }
}

impl SqlForUpdateParams {
    fn idle(&self) -> Idle {
        Idle { session: self.wait_timeout.0, in_transaction: self.idle_in_transaction_timeout.0 }
    }

    fn rules(&self) -> Option<Standby> {
        Standby::when(self.standby, self.replication_lag.0, self.failover_after.0, self.sync_timeout.0)
    }
}

impl Params for SqlForUpdateParams {
    fn check(&self) -> Result<(), String> {
        self.standby.check(self.failover_after.0)
    }
}

/// `wait_timeout` of MySQL.
pub(super) const WAIT_TIMEOUT: Duration = Duration::from_secs(28_800);

impl SqlForUpdate {
    /// Reads the row again: this transaction has locked it and does not wait for itself (PostgreSQL, "Row-Level
    /// Locks").
    async fn acquire_again(&mut self, outer: GrantId) -> Result<Grant, LockError> {
        match self.database.run(SqlMessage::Select { attempt: outer }, Some("acquire-sent")).await? {
            SqlMessage::Row(_) => Ok(Grant { id: outer, token: None, valid_until: None }),
            _ => Err(LockError::Failed(Reason::NotHeld)),
        }
    }
}

const LOCKING_READS: &str = "MySQL 8.4 Reference Manual, Locking Reads; PostgreSQL 17, Explicit Locking";

const PROMISES: &[Promise] = &[
    Promise {
        requirement: Requirement::Exclusive,
        answer: Answer::Yes,
        says: "other transactions that want to lock or change the row wait until this one ends",
        source: LOCKING_READS,
    },
    Promise {
        requirement: Requirement::AvoidsDeadlock,
        answer: Answer::Yes,
        says: "locks end with the transaction, and a session that ends is rolled back; cycles are found and \
                one of their transactions is rolled back. How long a dead host goes unnoticed is up to TCP",
        source: "MySQL 8.4 Reference Manual, Deadlock Detection; PostgreSQL 17, Deadlocks and tcp_keepalives_idle",
    },
    Promise {
        requirement: Requirement::HighlyAvailable,
        answer: Answer::Silent,
        says: "as available as the database is; locks are not replicated",
        source: LOCKING_READS,
    },
    Promise {
        requirement: Requirement::Reentrant,
        answer: Answer::Yes,
        says: "a transaction may hold locks on the same row that would conflict between two, so it never waits for \
               itself; one commit or rollback frees all",
        source: "PostgreSQL 17, Explicit Locking, Row-Level Locks",
    },
    Promise {
        requirement: Requirement::Fencing,
        answer: Answer::Silent,
        says: "not needed for the row: a transaction that lost the lock cannot commit",
        source: LOCKING_READS,
    },
    Promise {
        requirement: Requirement::Order,
        answer: Answer::No,
        says: "InnoDB prefers the waiting transaction that blocks most others, and among equals the one that has \
            waited longest",
        source: "MySQL 8.4 Reference Manual, Transaction Scheduling",
    },
];

impl Lock for SqlForUpdate {
    const INFO: LockInfo = LockInfo::new(
        "sql-for-update",
        "SELECT … FOR UPDATE on the guarded row itself, in one transaction with the write",
    )
    .expectations(include_str!("expectations.toml"))
    .family(Family::Database)
    .expiry(Expiry::Connection)
    .in_store()
    .commits_at_release()
    .check("Connection.isValid(timeout): asks the server, whether the connection is open")
    .timeout("innodb_lock_wait_timeout (MySQL) or lock_timeout (PostgreSQL)")
    .reentrancy(Reentrancy::Uncounted)
    .promises(PROMISES)
    .verification(Verification::Source {
        version: "PostgreSQL JDBC driver 42.7 and HikariCP 6.0.0; the server by its manual",
        read: "2026-12-01",
    })
    .sources(&[
        "MySQL 8.4 Reference Manual, InnoDB Locking Reads; innodb_lock_wait_timeout",
        "PostgreSQL 17 documentation, Explicit Locking, Row-Level Locks",
    ]);
    type Params = SqlForUpdateParams;
    type Message = SqlMessage;

    fn deploy(params: &SqlForUpdateParams, site: &mut Site<'_, SqlMessage>) {
        Sql::deploy(site, SqlConfig { idle: params.idle(), standby: params.rules(), ..SqlConfig::default() });
    }

    fn connect(params: &SqlForUpdateParams, ctx: Ctx<SqlMessage>, _: ResourceId) -> Self {
        let database = Database::new(ctx.clone(), params.standby, params.socket_timeout.0, params.pool);
        SqlForUpdate { params: params.clone(), ctx, database, open: None, updated: false }
    }

    /// A client that gives up closes its connection, or the database might grant the lock to a client that has left.
    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        if let Some(outer) = self.open {
            return self.acquire_again(outer).await;
        }
        self.updated = false;
        self.database.ready(attempt.give_up).await?;
        let wait = self.params.lock_wait.0.min(attempt.give_up - self.ctx.mono());
        let select = SqlMessage::SelectForUpdate { attempt: attempt.id, wait_ms: wait.as_millis() as u64 };
        let reply = self.database.ask(select, wait + GRACE);
        self.ctx.reach_step("acquire-sent").await;
        let reply = reply.await;
        match self.database.check_reply(reply)? {
            SqlMessage::Row(_) => {
                self.open = Some(attempt.id);
                Ok(Grant { id: attempt.id, token: None, valid_until: None })
            }
            _ => Err(LockError::Failed(Reason::Busy)),
        }
    }

    /// Commits a write, which takes effect then; rolls back without one.
    async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        let attempt = grant.id;
        self.open = None;
        let end = if self.updated { SqlMessage::Commit { attempt } } else { SqlMessage::Rollback { attempt } };
        match self.database.run(end, Some("release-sent")).await? {
            SqlMessage::Done => Ok(()),
            SqlMessage::Refused(why) => Err(LockError::Failed(Reason::Refused(why))),
            _ => Err(LockError::Failed(Reason::NotHeld)),
        }
    }

    async fn check(&mut self, _: &Grant) -> Result<bool, LockError> {
        Ok(self.database.is_valid(VALIDATION_TIMEOUT).await)
    }

    fn in_store(&mut self) -> Option<&mut dyn InStore> {
        Some(self)
    }

    /// The row lock ends with the connection. The server learns of a dead process at once, but of a dead host only by
    /// TCP keep-alive, or sooner by stalled replies of its own.
    fn takeover_bound(params: &SqlForUpdateParams, allowance: &BoundAllowance) -> Duration {
        KEEP_ALIVE + allowance.reconnect + params.lock_wait.0 + GRACE + failover_bound(params.rules(), allowance)
    }
}

impl InStore for SqlForUpdate {
    fn read<'a>(&'a mut self, grant: &'a Grant, _: &'a StoreAccess) -> StoreFuture<'a, ReadReply> {
        Box::pin(async {
            match self.database.run(SqlMessage::Select { attempt: grant.id }, None).await? {
                SqlMessage::Row(row) => Ok(row),
                _ => Err(LockError::Failed(Reason::NotHeld)),
            }
        })
    }

    fn write<'a>(&'a mut self, grant: &'a Grant, access: &'a StoreAccess, read: ReadReply) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            match self.database.run(SqlMessage::Update(access.write(grant, read)), Some("write-sent")).await? {
                SqlMessage::Done => {
                    self.updated = true;
                    Ok(())
                }
                SqlMessage::Refused(why) => Err(LockError::Failed(Reason::Refused(why))),
                _ => Err(LockError::Failed(Reason::NotHeld)),
            }
        })
    }
}
