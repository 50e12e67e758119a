//! What the locks of a database session have in common: the lock is the server's, belongs to the connection and is
//! counted there. The client only knows that it was told so, and whether its connection seems to be open.

use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::{CallError, KEEP_ALIVE};

use crate::grant::{Grant, LockError, Reason};
use crate::history::GrantId;
use crate::history::ResourceId;
use crate::servers::sql::{Database, GRACE, Idle, SqlMessage, Standby, failover_bound};

/// A client's side of a session's lock.
pub(super) struct SessionLock {
    pub database: Database,
    pub resource: ResourceId,
    /// What this session was granted, as far as the client knows.
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

    /// What came of the statement that asked for the lock. A session that has the lock already is told so.
    pub fn conclude(&mut self, reply: Result<SqlMessage, CallError>) -> Result<Grant, LockError> {
        match self.database.check_reply(reply)? {
            SqlMessage::Locked { grant } => {
                self.held = Some(grant);
                Ok(Grant { id: grant, token: None, valid_until: None })
            }
            _ => Err(LockError::Failed(Reason::Busy)),
        }
    }

    /// Releases once. What another session holds stays untouched, even if this one held it before it broke.
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

/// The lock ends with the connection: at once if the process died or the server stopped, but only by TCP keep-alive if
/// the host died, unless the server closes connections that idle for less. A waiter may have to find out first that its
/// own connection is dead, and then where the primary is.
pub(super) fn session_bound(
    idle: Idle,
    patience: Duration,
    standby: Option<Standby>,
    allowance: &BoundAllowance,
) -> Duration {
    let noticed = match idle.session {
        Duration::ZERO => KEEP_ALIVE,
        limit => KEEP_ALIVE.min(allowance.stretch_mono(limit)),
    };
    noticed + allowance.reconnect + patience + 2 * GRACE + failover_bound(standby, allowance)
}
