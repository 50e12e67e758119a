//! No lock, but a version in the row: `UPDATE … SET version = version + 1 WHERE version = …`. Zero changed rows mean
//! that another client was faster; the client starts over with the read.

use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::{CallError, ConnId};

use super::sql_for_update::STATEMENT_TIMEOUT;
use crate::grant::{Attempt, Grant, LockError, Reason};
use crate::guarded::{InStore, ReadReply, StoreAccess, StoreFuture, Update};
use crate::history::ResourceId;
use crate::info::{Answer, Family, LockInfo, Promise, Requirement, Verification};
use crate::lock::{Lock, NoParams};
use crate::servers::sql::{Idle, Sql, SqlMessage};
use crate::site::Site;
use crate::wire::Ctx;

/// A client that compares the version.
pub struct SqlVersion {
    ctx: Ctx<SqlMessage>,
    database: ConnId,
}

impl SqlVersion {
    async fn ask(&self, message: SqlMessage, step: Option<&'static str>) -> Result<SqlMessage, CallError> {
        let reply = self.ctx.ask(self.database, message, STATEMENT_TIMEOUT);
        if let Some(step) = step {
            self.ctx.reach_step(step).await;
        }
        reply.await
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
            .verification(Verification::Documentation)
            .sources(&["Kung and Robinson, On Optimistic Methods for Concurrency Control, TODS 1981"]);
    type Params = NoParams;
    type Message = SqlMessage;

    fn deploy(_: &NoParams, site: &mut Site<'_, SqlMessage>) {
        Sql::deploy(site, Idle::default(), None);
    }

    fn connect(_: &NoParams, ctx: Ctx<SqlMessage>, _: ResourceId) -> Self {
        let database = ctx.connect(ctx.find("sql"));
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
    fn takeover_bound(_: &NoParams, allowance: &BoundAllowance) -> Duration {
        Self::progress_bound(&NoParams {}, allowance)
    }

    /// A client may wait for a statement until the stream fails.
    fn progress_bound(_: &NoParams, allowance: &BoundAllowance) -> Duration {
        STATEMENT_TIMEOUT + allowance.reconnect
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
