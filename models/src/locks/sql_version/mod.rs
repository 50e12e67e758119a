//! No lock but a version in the row: `UPDATE … SET version = version + 1 WHERE version = …`. Zero rows mean that somebody
//! else was faster; the client starts again from the read.

use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::{CallError, ConnId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sql_for_update::STATEMENT_TIMEOUT;
use crate::guarded::inventory::{Demand, InventoryConfig, ReadReply, StoreClient, Update};
use crate::info::{Answer, Family, LockInfo, Promise, Requirement, Verification};
use crate::lock::{Attempt, Grant, Lock, LockError, Params, Reason, ResourceId};
use crate::servers::sql::{Idle, Sql, SqlMessage};
use crate::site::Site;
use crate::wire::Ctx;

/// A client that compares the version.
pub struct SqlVersion {
    ctx: Ctx<SqlMessage>,
    database: ConnId,
}

/// It has no parameters.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqlVersionParams {}

impl Params for SqlVersionParams {
    fn set_ttl(&mut self, _: Duration) {}

    fn effective_expiry(&self) -> Option<Duration> {
        None
    }
}

impl SqlVersion {
    async fn ask(&self, message: SqlMessage, mark: Option<&'static str>) -> Result<SqlMessage, CallError> {
        let reply = self.ctx.ask(self.database, message, STATEMENT_TIMEOUT);
        if let Some(mark) = mark {
            self.ctx.safepoint(mark).await;
        }
        reply.await
    }
}

const OPTIMISTIC: &str = "Kung and Robinson, On Optimistic Methods for Concurrency Control, TODS 1981";

const PROMISES: &[Promise] = &[
    Promise {
        requirement: Requirement::Exclusive,
        answer: Answer::No,
        says: "nobody is kept out; a change that was based on what has changed since is refused and starts again",
        source: OPTIMISTIC,
    },
    Promise {
        requirement: Requirement::AvoidsDeadlock,
        answer: Answer::Yes,
        says: "nobody waits for anybody, so there is no deadlock; a transaction may have to start again often",
        source: OPTIMISTIC,
    },
];

impl Lock for SqlVersion {
    const INFO: LockInfo =
        LockInfo::new("sql-version", "no lock: the update compares the row's version (optimistic locking)")
            .family(Family::Database)
            .in_store()
            .without_grants()
            .promises(PROMISES)
            .verification(Verification::RealServerAvailable)
            .sources(&["Kung and Robinson, On Optimistic Methods for Concurrency Control, TODS 1981"]);
    type Params = SqlVersionParams;
    type Message = SqlMessage;

    fn servers(_: &SqlVersionParams) -> Vec<String> {
        Sql::names(false)
    }

    fn deploy(_: &SqlVersionParams, data: &InventoryConfig, site: &mut Site<'_, SqlMessage>) {
        Sql::deploy(site, data, Idle::default(), None);
    }

    fn connect(_: &SqlVersionParams, ctx: Ctx<SqlMessage>, _: ResourceId) -> Self {
        let database = ctx.connect(ctx.find("sql"));
        SqlVersion { ctx, database }
    }

    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        self.ctx.safepoint("acquire-sent").await;
        Ok(Grant { id: attempt.id, token: None, valid_until: None })
    }

    async fn release(&mut self, _: &Grant) -> Result<(), LockError> {
        self.ctx.safepoint("release-sent").await;
        Ok(())
    }

    async fn read(&mut self, _: &StoreClient<SqlMessage>, grant: &Grant, _: &Demand) -> Result<ReadReply, LockError> {
        match self.ask(SqlMessage::Select { attempt: grant.id }, None).await? {
            SqlMessage::Row(row) => Ok(row),
            _ => Err(LockError::Failed(Reason::NotHeld)),
        }
    }

    async fn write(
        &mut self,
        _: &StoreClient<SqlMessage>,
        grant: &Grant,
        demand: &Demand,
        read: ReadReply,
    ) -> Result<(), LockError> {
        let compared = Demand { update: Update::Version, ..*demand };
        match self.ask(SqlMessage::UpdateAlone(compared.write(grant, read)), Some("write-sent")).await? {
            SqlMessage::Done => Ok(()),
            SqlMessage::Refused(why) => Err(LockError::Failed(Reason::Refused(why))),
            _ => Err(LockError::Failed(Reason::NotHeld)),
        }
    }

    fn is_held(&self, _: &Grant) -> bool {
        true
    }

    fn retry_delay(&mut self) -> Duration {
        Duration::ZERO
    }

    /// There is nothing to take over.
    fn takeover_bound(_: &SqlVersionParams, allowance: &BoundAllowance) -> Duration {
        Self::progress_bound(&SqlVersionParams {}, allowance)
    }

    /// A client may wait for a statement until the stream is given up.
    fn progress_bound(_: &SqlVersionParams, allowance: &BoundAllowance) -> Duration {
        STATEMENT_TIMEOUT + allowance.reconnect
    }
}
