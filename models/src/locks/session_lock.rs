//! The client side that the session locks of databases share. The server has the lock, which belongs to the connection
//! and is counted there. The client only knows the server's answer and whether its connection seems open.

use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::{CallError, KEEP_ALIVE, STALL_LIMIT};

use crate::grant::{Grant, LockError, Reason};
use crate::history::{GrantId, ResourceId};
use crate::servers::sql::{Database, GRACE, Idle, SqlMessage, Standby, failover_bound};

/// A client's session lock.
pub(super) struct SessionLock {
    pub database: Database,
    pub resource: ResourceId,
    /// The grant of this session, as far as the client knows.
    held: Option<GrantId>,
}

impl SessionLock {
    pub fn new(database: Database, resource: ResourceId) -> Self {
        SessionLock { database, resource, held: None }
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
                self.held = Some(grant);
                Ok(Grant { id: grant, token: None, valid_until: None })
            }
            SqlMessage::Deadlock => Err(LockError::Failed(Reason::Deadlock)),
            _ => Err(LockError::Failed(Reason::Busy)),
        }
    }

    /// Releases once. The lock of another session is not affected, even if this one held it before its connection
    /// broke.
    pub async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        let unlock = SqlMessage::Unlock { resource: self.resource, on_behalf: grant.id };
        match self.database.run(unlock, Some("release-sent")).await? {
            SqlMessage::Done => Ok(()),
            _ => Err(LockError::Failed(Reason::NotHeld)),
        }
    }

    pub fn is_held(&self, grant: &Grant) -> bool {
        self.held == Some(grant.id) && self.database.seems_open()
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
