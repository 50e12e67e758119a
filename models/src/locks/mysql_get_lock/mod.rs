//! MySQL's user-level locks: `GET_LOCK(name, timeout)`. See [`crate::servers::sql`] for the server.

use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::session_lock::{SessionLock, session_bound};
use super::sql_for_update::WAIT_TIMEOUT;
use crate::grant::{Attempt, Grant, LockError};
use crate::history::ResourceId;
use crate::info::{Answer, Expiry, Family, LockInfo, Promise, Reentrancy, Requirement, Verification};
use crate::lock::{Lock, Params};
use crate::servers::sql::{
    Database, FAILOVER_AFTER, GRACE, Idle, Pool, REPLICATION_LAG, Sql, SqlConfig, SqlMessage, Standby, StandbyMode,
};
use crate::site::Site;
use crate::wire::Ctx;

/// A client with one connection, whose session holds the lock.
pub struct MysqlGetLock {
    params: MysqlGetLockParams,
    ctx: Ctx<SqlMessage>,
    lock: SessionLock,
}

/// Parameters of `mysql-get-lock`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MysqlGetLockParams {
    /// The maximal wait of `GET_LOCK`. It has no default; the manual's examples have 10 s.
    pub timeout: Span,
    /// The idle time after which the server closes a connection and its locks end: `wait_timeout`, 28800 s by default
    /// (MySQL 8.4 Reference Manual, Server System Variables). `"0s"`: never.
    pub wait_timeout: Span,
    /// The client's timeout for statements other than the locking one. `"0s"`, the default: until the stream fails
    /// (MySQL Connector/J, `socketTimeout`).
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
}

impl Default for MysqlGetLockParams {
    fn default() -> Self {
        MysqlGetLockParams {
            timeout: Span(Duration::from_secs(10)),
            wait_timeout: Span(WAIT_TIMEOUT),
            socket_timeout: Span(Duration::ZERO),
            standby: StandbyMode::None,
            replication_lag: Span(REPLICATION_LAG),
            failover_after: Span(FAILOVER_AFTER),
            sync_timeout: Span(Duration::ZERO),
            pool: Pool::None,
            lost_token: false,
        }
    }
}

impl MysqlGetLockParams {
    fn idle(&self) -> Idle {
        Idle { session: self.wait_timeout.0, in_transaction: Duration::ZERO }
    }

    fn rules(&self) -> Option<Standby> {
        Standby::when(self.standby, self.replication_lag.0, self.failover_after.0, self.sync_timeout.0)
    }
}

impl Params for MysqlGetLockParams {
    fn check(&self) -> Result<(), String> {
        if self.pool == Pool::PgbouncerTransaction {
            return Err("`pool`: PgBouncer is for PostgreSQL".into());
        }
        self.standby.check(self.failover_after.0)
    }
}

const FUNCTIONS: &str = "MySQL 8.4 Reference Manual, Locking Functions";

const PROMISES: &[Promise] = &[
    Promise {
        requirement: Requirement::Exclusive,
        answer: Answer::Yes,
        says: "while one session holds a name, other sessions cannot get it, on the same server. Whether the holder's \
            program learns of the end of its session is not stated",
        source: FUNCTIONS,
    },
    Promise {
        requirement: Requirement::AvoidsDeadlock,
        answer: Answer::Yes,
        says: "released when the session ends, normally or not; of several clients that wait for each \
                other's names one gets an error",
        source: FUNCTIONS,
    },
    Promise {
        requirement: Requirement::HighlyAvailable,
        answer: Answer::Silent,
        says: "names are locked on one server; statements with these functions are unsafe for \
                statement-based replication",
        source: FUNCTIONS,
    },
    Promise {
        requirement: Requirement::Reentrant,
        answer: Answer::Yes,
        says: "a session may get the same name several times; others have to wait until it has released all of them",
        source: "MySQL 8.4 Reference Manual, Locking Functions; since 5.7.5, worklog 1159",
    },
    Promise {
        requirement: Requirement::Fencing,
        answer: Answer::Silent,
        says: "a lock has a name and no number that grows",
        source: FUNCTIONS,
    },
    Promise {
        requirement: Requirement::Order,
        answer: Answer::Silent,
        says: "the order of waiting sessions is not promised",
        source: FUNCTIONS,
    },
];

impl Lock for MysqlGetLock {
    const INFO: LockInfo = LockInfo::new("mysql-get-lock", "MySQL's GET_LOCK, which belongs to the session")
        .family(Family::Database)
        .expiry(Expiry::Connection)
        .check("SELECT IS_USED_LOCK(name) = CONNECTION_ID(): asks the server")
        .loss_notice("none in SQL; HandleLostToken of DistributedLock: the connection broke")
        .timeout("GET_LOCK(name, timeout): the server waits at most this long")
        .reentrancy(Reentrancy::Counted)
        .promises(PROMISES)
        .verification(Verification::Source {
            version: "DistributedLock 2.8.1; the server by its manual",
            read: "2026-12-01",
        })
        .sources(&[
            "MySQL 8.4 Reference Manual, Locking Functions; Server System Variables, wait_timeout",
            "MySQL worklog 1159, Allow multiple locks in GET_LOCK()",
            "madelson/DistributedLock 2.8.1, MySqlUserLock.cs, ConnectionMonitor.cs",
            "repmgr documentation, repmgrd configuration; Patroni documentation, Replication modes (standby)",
        ]);
    type Params = MysqlGetLockParams;
    type Message = SqlMessage;

    fn deploy(params: &MysqlGetLockParams, site: &mut Site<'_, SqlMessage>) {
        Sql::deploy(site, SqlConfig { idle: params.idle(), standby: params.rules(), ..SqlConfig::default() });
    }

    fn connect(params: &MysqlGetLockParams, ctx: Ctx<SqlMessage>, resource: ResourceId) -> Self {
        let database = Database::new(ctx.clone(), params.standby, params.socket_timeout.0, params.pool);
        MysqlGetLock {
            params: params.clone(),
            ctx: ctx.clone(),
            lock: SessionLock::new(ctx, database, resource, params.lost_token),
        }
    }

    /// The server waits at most `timeout`, and never longer than the client.
    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        self.lock.database.ready(attempt.give_up).await?;
        let wait = self.params.timeout.0.min(attempt.give_up - self.ctx.mono());
        let reply = self.lock.database.ask(self.lock.statement(attempt.id, Some(wait)), wait + GRACE);
        self.ctx.reach_step("acquire-sent").await;
        let reply = reply.await;
        self.lock.grant_from_reply(reply)
    }

    async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        self.lock.release(grant).await
    }

    async fn check(&mut self, _: &Grant) -> Result<bool, LockError> {
        self.lock.is_held().await
    }

    fn takeover_bound(params: &MysqlGetLockParams, allowance: &BoundAllowance) -> Duration {
        session_bound(params.idle(), params.socket_timeout.0, params.rules(), allowance)
    }
}
