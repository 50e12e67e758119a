//! No lock, but a version in the row: `UPDATE … SET version = version + 1 WHERE version = …`. Zero changed rows mean
//! that another client was faster; the client starts over with the read.

use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::units::Span;
use fencepost_sim::{CallError, Mono, STALL_LIMIT};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::grant::{Attempt, Grant, LockError, Reason};
use crate::guarded::{InStore, ReadReply, StoreAccess, StoreFuture, Update};
use crate::history::ResourceId;
use crate::info::{Answer, Family, LockInfo, Promise, Requirement, Verification};
use crate::lock::{Lock, Params};
use crate::servers::sql::{
    Database, FAILOVER_AFTER, Pool, REPLICATION_LAG, Sql, SqlConfig, SqlMessage, Standby, StandbyMode, failover_bound,
};
use crate::site::Site;
use crate::wire::Ctx;

/// A client that compares the version.
pub struct SqlVersion {
    ctx: Ctx<SqlMessage>,
    database: Database,
}

/// Parameters of `sql-version`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SqlVersionParams {
    /// The client's timeout for statements. `"0s"`, the drivers' default: until the stream fails (MySQL Connector/J and
    /// pgjdbc, `socketTimeout`).
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

impl Default for SqlVersionParams {
    fn default() -> Self {
        SqlVersionParams {
            socket_timeout: Span(Duration::ZERO),
            standby: StandbyMode::None,
            replication_lag: Span(REPLICATION_LAG),
            failover_after: Span(FAILOVER_AFTER),
            sync_timeout: Span(Duration::ZERO),
            pool: Pool::None,
        }
    }
}

impl SqlVersionParams {
    fn rules(&self) -> Option<Standby> {
        Standby::when(self.standby, self.replication_lag.0, self.failover_after.0, self.sync_timeout.0)
    }
}

impl Params for SqlVersionParams {
    fn check(&self) -> Result<(), String> {
        self.standby.check(self.failover_after.0)
    }
}

impl SqlVersion {
    async fn ask(&mut self, message: SqlMessage, step: Option<&'static str>) -> Result<SqlMessage, CallError> {
        self.database.ready(Mono(u64::MAX)).await?;
        self.database.run(message, step).await
    }
}

const OPTIMISTIC: &str = "Kung and Robinson, On Optimistic Methods for Concurrency Control, TODS 1981";

const PROMISES: &[Promise] = &[
    Promise {
        requirement: Requirement::Exclusive,
        answer: Answer::No,
        says: "no client is excluded; a change based on an old version is rejected and starts over",
        source: OPTIMISTIC,
    },
    Promise {
        requirement: Requirement::AvoidsDeadlock,
        answer: Answer::Yes,
        says: "no transaction waits for another, so there is no deadlock; one may have to start over often",
        source: OPTIMISTIC,
    },
];

impl Lock for SqlVersion {
    const INFO: LockInfo =
        LockInfo::new("sql-version", "no lock: the update compares the row's version (optimistic locking)")
            .expectations(include_str!("expectations.toml"))
            .family(Family::Database)
            .in_store()
            .without_grants()
            .promises(PROMISES)
            .verification(Verification::Textbook)
            .sources(&["Kung and Robinson, On Optimistic Methods for Concurrency Control, TODS 1981"]);
    type Params = SqlVersionParams;
    type Message = SqlMessage;

    fn deploy(params: &SqlVersionParams, site: &mut Site<'_, SqlMessage>) {
        Sql::deploy(site, SqlConfig { standby: params.rules(), ..SqlConfig::default() });
    }

    fn connect(params: &SqlVersionParams, ctx: Ctx<SqlMessage>, _: ResourceId) -> Self {
        let database = Database::new(ctx.clone(), params.standby, params.socket_timeout.0, params.pool);
        SqlVersion { ctx, database }
    }

    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        self.ctx.reach_step("acquire-sent").await;
        Ok(Grant { id: attempt.id, token: None, valid_until: None })
    }

    async fn release(&mut self, _: &Grant) -> Result<(), LockError> {
        self.ctx.reach_step("release-sent").await;
        Ok(())
    }

    fn in_store(&mut self) -> Option<&mut dyn InStore> {
        Some(self)
    }

    fn retry_delay(&mut self) -> Duration {
        Duration::ZERO
    }

    /// There is nothing to take over.
    fn takeover_bound(params: &SqlVersionParams, allowance: &BoundAllowance) -> Duration {
        Self::progress_bound(params, allowance)
    }

    /// A client may wait for a statement until it times out, and then has to find the primary.
    fn progress_bound(params: &SqlVersionParams, allowance: &BoundAllowance) -> Duration {
        let statement = Some(params.socket_timeout.0).filter(|timeout| !timeout.is_zero()).unwrap_or(STALL_LIMIT);
        statement + allowance.reconnect + failover_bound(params.rules(), allowance)
    }
}

impl InStore for SqlVersion {
    fn read<'a>(&'a mut self, grant: &'a Grant, _: &'a StoreAccess) -> StoreFuture<'a, ReadReply> {
        Box::pin(async {
            match self.ask(SqlMessage::Select { attempt: grant.id }, None).await? {
                SqlMessage::Row(row) => Ok(row),
                _ => Err(LockError::Failed(Reason::NotHeld)),
            }
        })
    }

    /// Compares the version, whatever update the workload uses.
    fn write<'a>(&'a mut self, grant: &'a Grant, access: &'a StoreAccess, read: ReadReply) -> StoreFuture<'a, ()> {
        let compared = StoreAccess { update: Update::Version, ..*access };
        Box::pin(async move {
            match self.ask(SqlMessage::UpdateAlone(compared.write(grant, read)), Some("write-sent")).await? {
                SqlMessage::Done => Ok(()),
                SqlMessage::Refused(why) => Err(LockError::Failed(Reason::Refused(why))),
                _ => Err(LockError::Failed(Reason::NotHeld)),
            }
        })
    }
}
