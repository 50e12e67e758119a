//! The client side that the session locks of databases share. The server has the lock, which belongs to the connection
//! and is counted there.
//!
//! The loss notice is that of madelson/DistributedLock 2.8.1 (`ConnectionMonitor.cs`): while a program watches
//! `HandleLostToken`, the library keeps a query in progress, so the end of the connection is noticed at once.

use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::{CallError, KEEP_ALIVE, STALL_LIMIT, Task};

use crate::grant::{Grant, LockError, Reason};
use crate::history::{GrantId, ResourceId};
use crate::servers::sql::{Database, GRACE, Idle, SqlMessage, Standby, failover_bound};
use crate::wire::Ctx;

/// A client's session lock.
pub(super) struct SessionLock {
    ctx: Ctx<SqlMessage>,
    pub database: Database,
    pub resource: ResourceId,
    /// Whether the program watches `HandleLostToken`.
    lost_token: bool,
    monitor: Option<Task>,
}

impl SessionLock {
    pub fn new(ctx: Ctx<SqlMessage>, database: Database, resource: ResourceId, lost_token: bool) -> Self {
        SessionLock { ctx, database, resource, lost_token, monitor: None }
    }

    /// The statement that asks for the lock.
    pub fn statement(&self, attempt: GrantId, wait: Option<Duration>) -> SqlMessage {
        let wait_ms = wait.map(|wait| wait.as_millis() as u64);
        SqlMessage::Lock { resource: self.resource, attempt, wait_ms }
    }

    /// Converts the reply to the locking statement. A session that already has the lock gets it again.
    pub fn grant_from_reply(&mut self, reply: Result<SqlMessage, CallError>) -> Result<Grant, LockError> {
        match self.database.check_reply(reply)? {
            SqlMessage::Locked { grant } => {
                self.monitor = self.lost_token.then(|| self.watch(grant));
                Ok(Grant { id: grant, token: None, valid_until: None })
            }
            SqlMessage::Deadlock => Err(LockError::Failed(Reason::Deadlock)),
            _ => Err(LockError::Failed(Reason::Busy)),
        }
    }

    /// Reports the loss of the lock once the connection is broken.
    fn watch(&self, grant: GrantId) -> Task {
        let (ctx, broken) = (self.ctx.clone(), self.database.broken());
        self.ctx.spawn(async move {
            broken.await;
            ctx.report_lock_lost(grant);
        })
    }

    /// Releases once. The lock of another session is not affected, even if this one held it before its connection
    /// broke.
    pub async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        self.monitor = None;
        let unlock = SqlMessage::Unlock { resource: self.resource, on_behalf: grant.id };
        match self.database.run(unlock, Some("release-sent")).await? {
            SqlMessage::Done => Ok(()),
            _ => Err(LockError::Failed(Reason::NotHeld)),
        }
    }

    /// Asks the server whether this session holds the lock.
    pub async fn is_held(&mut self) -> Result<bool, LockError> {
        let query = SqlMessage::HoldsLock { resource: self.resource };
        Ok(matches!(self.database.run(query, None).await?, SqlMessage::Done))
    }
}

/// The takeover bound. The lock ends with the connection: at once if the process died or the server stopped, but only
/// by TCP keep-alive if the host died, unless the idle timeout of the server is shorter. A waiter may first have to
/// detect that its own connection is dead, and then find the primary. A zero `socket_timeout` means that of the stream.
pub(super) fn session_bound(
    idle: Idle,
    socket_timeout: Duration,
    standby: Option<Standby>,
    allowance: &BoundAllowance,
) -> Duration {
    let noticed = match idle.session {
        Duration::ZERO => KEEP_ALIVE,
        limit => KEEP_ALIVE.min(allowance.stretch_mono(limit)),
    };
    let statement = Some(socket_timeout).filter(|timeout| !timeout.is_zero()).unwrap_or(STALL_LIMIT);
    noticed + allowance.reconnect + statement + 2 * GRACE + failover_bound(standby, allowance)
}
