//! PostgreSQL's advisory locks at session level: `pg_advisory_lock(key)`. See [`crate::servers::sql`] for the server.

use std::pin::pin;
use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::units::Span;
use fencepost_sim::{ConnId, Either, NodeId, race};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::session_lock::{SessionLock, session_bound};
use crate::grant::{Attempt, Grant, LockError, Reason};
use crate::history::{GrantId, ResourceId};
use crate::info::{Answer, BugInfo, Expiry, Family, LockInfo, Promise, Reentrancy, Requirement, Verification};
use crate::lock::{Lock, Params};
use crate::servers::sql::{
    Database, FAILOVER_AFTER, GRACE, Idle, Pool, REPLICATION_LAG, Sql, SqlConfig, SqlMessage, Standby, StandbyMode,
};
use crate::site::Site;
use crate::wire::Ctx;

/// A client with one connection, whose session holds the lock.
pub struct PgAdvisory {
    ctx: Ctx<SqlMessage>,
    lock: SessionLock,
    /// The connection for cancelling statements.
    canceller: Option<(NodeId, ConnId)>,
    timeout_leaks: bool,
}

/// Parameters of `pg-advisory`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PgAdvisoryParams {
    /// The idle time after which the server closes a connection: `idle_session_timeout`, off (`"0s"`) by default
    /// (PostgreSQL 17, Client Connection Defaults).
    pub idle_session_timeout: Span,
    /// The client's timeout for statements other than the locking one. `"0s"`, the default: until the stream fails
    /// (pgjdbc, `socketTimeout`).
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
    /// Whether the program watches the loss notice of madelson/DistributedLock, `HandleLostToken`. Off by default.
    pub lost_token: bool,
    /// The wait after which the server looks for a deadlock: `deadlock_timeout`, 1 s by default (PostgreSQL 17, Lock
    /// Management).
    pub deadlock_timeout: Span,
    #[serde(skip)]
    #[schemars(skip)]
    timeout_leaks: bool,
}

impl Default for PgAdvisoryParams {
    fn default() -> Self {
        PgAdvisoryParams {
            idle_session_timeout: Span(Duration::ZERO),
            socket_timeout: Span(Duration::ZERO),
            standby: StandbyMode::None,
            replication_lag: Span(REPLICATION_LAG),
            failover_after: Span(FAILOVER_AFTER),
            sync_timeout: Span(Duration::ZERO),
            pool: Pool::None,
            lost_token: false,
            deadlock_timeout: Span(Duration::from_secs(1)),
            timeout_leaks: false,
        }
    }
}

impl PgAdvisoryParams {
    fn idle(&self) -> Idle {
        Idle { session: self.idle_session_timeout.0, in_transaction: Duration::ZERO }
    }

    fn rules(&self) -> Option<Standby> {
        Standby::when(self.standby, self.replication_lag.0, self.failover_after.0, self.sync_timeout.0)
    }
}

impl Params for PgAdvisoryParams {
    fn set_bug(&mut self, bug: &str, on: bool) -> bool {
        let known = bug == TIMEOUT_LEAKS.name;
        if known {
            self.timeout_leaks = on;
        }
        known
    }

    fn check(&self) -> Result<(), String> {
        self.standby.check(self.failover_after.0)
    }
}

impl PgAdvisory {
    /// Cancels the statement on a separate connection, since the other one is busy (PostgreSQL 17, Frontend/Backend
    /// Protocol, Canceling Requests in Progress). The client does not learn whether it was in time.
    async fn cancel(&mut self, attempt: GrantId) {
        let server = self.lock.database.server();
        let known = self.canceller.filter(|(node, _)| *node == server);
        let conn = known.map_or_else(|| self.ctx.connect(server), |(_, conn)| conn);
        self.ctx.ask(conn, SqlMessage::Cancel { attempt }, GRACE).await.ok();
        self.canceller = Some((server, self.ctx.reopen(conn)));
    }
}

const TIMEOUT_LEAKS: BugInfo = BugInfo {
    name: "pg-advisory-timeout-leaks",
    about: "a timeout that races with the grant counts as a failure, and the connection keeps the lock",
    scenario: "bug-pg-advisory-timeout-leaks",
    property: "progress",
    source: "madelson/DistributedLock issue 147 and pull request 152; release notes of 2.3.2 in README.md; \
        PostgresAdvisoryLock.cs, TryAcquireAsync (fix: it queries pg_locks after SQLSTATE 55P03)",
    since: "DistributedLock.Postgres 1.0.0",
    fixed_in: Some("DistributedLock.Postgres 1.0.4"),
    default_on: false,
};

const LOCKS: &str = "PostgreSQL 17 documentation, Explicit Locking, Advisory Locks";

const PROMISES: &[Promise] = &[
    Promise {
        requirement: Requirement::Exclusive,
        answer: Answer::Yes,
        says: "if another session holds the lock, the function waits until it is available. Whether the holder's \
            program learns of the end of its session is not stated",
        source: "PostgreSQL 17 documentation, System Administration Functions, Advisory Lock Functions",
    },
    Promise {
        requirement: Requirement::AvoidsDeadlock,
        answer: Answer::Yes,
        says: "held until released or until the session ends, when the server frees them even if the client \
                was cut off",
        source: LOCKS,
    },
    Promise {
        requirement: Requirement::HighlyAvailable,
        answer: Answer::Silent,
        says: "the locks are in the memory of one server; standbys are not mentioned",
        source: LOCKS,
    },
    Promise {
        requirement: Requirement::Reentrant,
        answer: Answer::Yes,
        says: "requests of one session stack: locked three times, it must be unlocked three times",
        source: LOCKS,
    },
    Promise {
        requirement: Requirement::Fencing,
        answer: Answer::Silent,
        says: "a lock has a key and no number that grows",
        source: LOCKS,
    },
    Promise {
        requirement: Requirement::Order,
        answer: Answer::Silent,
        says: "the order of waiting sessions is not promised",
        source: LOCKS,
    },
];

impl Lock for PgAdvisory {
    const INFO: LockInfo = LockInfo::new("pg-advisory", "PostgreSQL's pg_advisory_lock, which belongs to the session")
        .family(Family::Database)
        .expiry(Expiry::Connection)
        .check("SELECT … FROM pg_locks WHERE pid = pg_backend_pid(): asks the server")
        .loss_notice("none in SQL; HandleLostToken of DistributedLock: the connection broke")
        .timeout("lock_timeout, or a cancel request; pg_try_advisory_lock does not wait")
        .reentrancy(Reentrancy::Counted)
        .promises(PROMISES)
        .bugs(&[TIMEOUT_LEAKS])
        .verification(Verification::Source {
            version: "DistributedLock 2.8.1; the server by its manual",
            read: "2026-12-01",
        })
        .sources(&[
            "PostgreSQL 17 documentation, Explicit Locking, Advisory Locks; Advisory Lock Functions",
            "madelson/DistributedLock 2.8.1, PostgresAdvisoryLock.cs, ConnectionMonitor.cs",
            "repmgr documentation, repmgrd configuration; Patroni documentation, Replication modes (standby)",
        ]);
    type Params = PgAdvisoryParams;
    type Message = SqlMessage;

    fn deploy(params: &PgAdvisoryParams, site: &mut Site<'_, SqlMessage>) {
        Sql::deploy(
            site,
            SqlConfig {
                idle: params.idle(),
                standby: params.rules(),
                deadlock_timeout: params.deadlock_timeout.0,
                pooled: params.pool == Pool::PgbouncerTransaction,
            },
        );
    }

    fn connect(params: &PgAdvisoryParams, ctx: Ctx<SqlMessage>, resource: ResourceId) -> Self {
        let database = Database::new(ctx.clone(), params.standby, params.socket_timeout.0, params.pool);
        PgAdvisory {
            timeout_leaks: params.timeout_leaks,
            ctx: ctx.clone(),
            lock: SessionLock::new(ctx, database, resource, params.lost_token),
            canceller: None,
        }
    }

    /// The statement waits without limit (`lock_timeout = 0`, the default). A client that gives up cancels it; if even
    /// that brings no answer, it closes the connection.
    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        self.lock.database.ready(attempt.give_up).await?;
        if self.timeout_leaks && self.lock.is_held().await? {
            // The library does not lock twice on a connection that the program passed to it.
            self.ctx.sleep_until(attempt.give_up).await;
            return Err(LockError::Failed(Reason::Busy));
        }
        let wait = attempt.give_up - self.ctx.mono();
        let statement = self.lock.statement(attempt.id, None);
        let mut reply = pin!(self.lock.database.ask(statement, wait + 2 * GRACE));
        self.ctx.reach_step("acquire-sent").await;
        let reply = match race(reply.as_mut(), self.ctx.sleep_until(attempt.give_up)).await {
            Either::First(reply) => reply,
            Either::Second(()) => {
                self.cancel(attempt.id).await;
                if self.timeout_leaks {
                    return Err(LockError::Failed(Reason::Busy));
                }
                reply.await
            }
        };
        self.lock.grant_from_reply(reply)
    }

    async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        self.lock.release(grant).await
    }

    async fn check(&mut self, _: &Grant) -> Result<bool, LockError> {
        self.lock.is_held().await
    }

    fn takeover_bound(params: &PgAdvisoryParams, allowance: &BoundAllowance) -> Duration {
        session_bound(params.idle(), params.socket_timeout.0, params.rules(), allowance)
    }
}
