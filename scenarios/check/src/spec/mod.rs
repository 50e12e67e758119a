//! Sequential specifications of locks: the effect of each operation if operations never overlap.
//! [`linearizable`](crate::linearizable) searches for an order of a history's operations that a specification allows.
//!
//! Specifications are pure: an operation contains its owner and token. When the service ends a grant by itself, that is
//! an operation too. The five kinds of lock, and the rules of `owner`, `reentrant`, `fenced` and `reentrant-fenced`,
//! come from the Jepsen tests of Hazelcast (jepsen-io/jepsen, `hazelcast/src/jepsen/hazelcast.clj` before 2f2cb1cd).
//! Their models looked owners up in a table that changed during the check.

mod fenced;
mod kind;
mod mutex;
mod owner;
mod reentrant;
mod reentrant_fenced;
mod refusal;
mod semaphore;
mod session;
#[cfg(test)]
mod testing;

use std::fmt::Debug;

use fencepost_models::history::Token;

pub use self::fenced::Fenced;
pub use self::kind::Kind;
pub use self::mutex::Mutex;
pub use self::owner::OwnedMutex;
pub use self::reentrant::Reentrant;
pub use self::reentrant_fenced::ReentrantFenced;
pub use self::refusal::{NameOf, Refusal};
pub use self::semaphore::Semaphore;
pub(crate) use self::session::Session;

/// A holder of locks: a thread, a session or a client. The history decides what one owner is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner(pub u32);

/// An operation on a lock, with everything that its effect depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operation {
    /// The owner that calls. For [`Call::Expire`], the owner whose grant ends.
    pub owner: Owner,
    /// What it does.
    pub call: Call,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// Acquires the lock.
    Acquire {
        /// The fencing token of the grant, if known.
        token: Option<Token>,
        /// The number of permits, for a semaphore only.
        permits: u32,
    },
    /// Releases it.
    Release {
        /// The token of the grant that it releases, if it names one.
        token: Option<Token>,
        /// The number of permits, for a semaphore only.
        permits: u32,
    },
    /// The service ends everything that the owner holds: a lease expired or a session was lost. The owner may hold
    /// nothing.
    Expire,
}

/// A sequential specification: the state of a lock, and the effect of each operation on it.
pub trait Spec: Clone + Ord + Debug {
    /// The tokens of acquires never fall, so that they give the order of the acquires.
    const ORDERED_BY_TOKEN: bool = false;

    /// The state after this operation.
    ///
    /// # Errors
    /// If it cannot happen in this state.
    fn step(&self, operation: &Operation) -> Result<Self, Refusal>;

    /// The state as a phrase, such as `held by a`.
    fn describe(&self, name: NameOf) -> String;
}

impl Operation {
    /// The token of an acquire, if it has one.
    pub fn acquired_token(&self) -> Option<Token> {
        match self.call {
            Call::Acquire { token, .. } => token,
            Call::Release { .. } | Call::Expire => None,
        }
    }
}
