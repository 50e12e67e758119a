//! The arguments and results of a lock's client: attempts, grants and errors.

use fencepost_sim::{CallError, Mono, MonoDeadline};

use crate::history::{GrantId, Refusal, Token};

/// One acquire attempt.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// The id, unique among all attempts of the case. It replaces the random value that real clients generate.
    pub id: GrantId,
    /// When the client gives up waiting, by its monotonic clock.
    pub give_up: Mono,
}

/// A successful acquire, as its holder sees it.
#[derive(Clone, Copy, Debug)]
pub struct Grant {
    /// The attempt that acquired the lock. A nested acquire that joins the outer grant has the id of the outermost
    /// attempt.
    pub id: GrantId,
    /// The fencing token, if the lock has tokens.
    pub token: Option<Token>,
    /// The time at which the grant stops being valid, if the lock advertises it.
    pub valid_until: Option<MonoDeadline>,
}

/// The failure of a lock operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockError {
    /// The operation did not take effect, and never will.
    Failed(Reason),
    /// The operation may have taken effect, or may still do so.
    Unknown(Reason),
}

/// The reason within a [`LockError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Another client holds the lock.
    Busy,
    /// The grant had ended, or belonged to another client.
    NotHeld,
    /// The service found that two clients wait for each other, and this one is to give way: it must release what it holds.
    Deadlock,
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
