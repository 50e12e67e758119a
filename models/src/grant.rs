//! Attempts, grants and errors: what a lock's client takes and returns.

use fencepost_sim::{CallError, Mono, MonoDeadline};

use crate::history::{GrantId, Refusal, Token};

/// One try to acquire.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// Unique among all attempts of the case. It replaces the random value that real clients draw.
    pub id: GrantId,
    /// When the client gives up waiting, by its monotonic clock.
    pub give_up: Mono,
}

/// A lock that was granted, as its holder sees it.
#[derive(Clone, Copy, Debug)]
pub struct Grant {
    /// The attempt that acquired it. A nested acquire that counts as the same holding has the id of the outermost.
    pub id: GrantId,
    /// Its fencing token.
    pub token: Option<Token>,
    /// Until when it is valid, according to the lock.
    pub valid_until: Option<MonoDeadline>,
}

/// The failure of a lock operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockError {
    /// The operation did not take effect, and never will.
    Failed(Reason),
    /// The operation may have taken effect, or may do so later.
    Unknown(Reason),
}

/// The reason within a [`LockError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Another client holds the lock.
    Busy,
    /// The grant had ended, or belonged to another client.
    NotHeld,
    /// The guarded store refused the operation.
    Refused(Refusal),
    /// The request was not delivered, or no reply arrived.
    Call(CallError),
}

impl From<CallError> for LockError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Refused => LockError::Failed(Reason::Call(error)),
            CallError::Reset | CallError::TimedOut => LockError::Unknown(Reason::Call(error)),
        }
    }
}
