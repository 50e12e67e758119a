//! Sequential specifications of locks: the effect of each operation if operations never overlap.
//! [`linearizable`](crate::linearizable) searches for an order of a history's operations that a specification allows.
//!
//! Specifications are pure: an operation contains its owner and token. An expiry by the service is an operation too.
//! The five kinds of lock, and the rules of `owner`, `reentrant`, `fenced` and `reentrant-fenced`, come from the Jepsen
//! tests of Hazelcast (jepsen-io/jepsen, `hazelcast/src/jepsen/hazelcast.clj` before 2f2cb1cd). Those models are not
//! pure: they looked owners up in a table that changed during the check.

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

/// A potential holder of a lock: a thread, session or client, depending on the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner(pub u32);

/// An operation on a lock, with all data that its effect depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operation {
    /// The calling owner. For [`Call::Expire`], the owner whose grant ends.
    pub owner: Owner,
    /// The call.
    pub call: Call,
}

/// The kind of an operation, with its arguments and result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// Acquires the lock.
    Acquire {
        /// The fencing token of the grant, if known.
        token: Option<Token>,
        /// The number of permits (semaphores only).
        permits: u32,
    },
    /// Releases the lock.
    Release {
        /// The token of the released grant, if the release names one.
        token: Option<Token>,
        /// The number of permits (semaphores only).
        permits: u32,
    },
    /// The service ends everything that the owner holds, because a lease expired or a session was lost. It has no
    /// effect if the owner holds nothing.
    Expire,
}

/// A sequential specification: the state of a lock, and the effect of each operation on it.
pub trait Spec: Clone + Ord + Debug {
    /// Whether the tokens of acquires never decrease, and so determine the order of acquires.
    const ORDERED_BY_TOKEN: bool = false;

    /// Returns the state after this operation.
    ///
    /// # Errors
    /// Returns an error if the operation cannot happen in this state.
    fn step(&self, operation: &Operation) -> Result<Self, Refusal>;

    /// Describes the state as a phrase, such as `held by a`.
    fn describe(&self, name: NameOf) -> String;
}

impl Operation {
    /// Returns the token of an acquire, if known.
    pub fn acquired_token(&self) -> Option<Token> {
        match self.call {
            Call::Acquire { token, .. } => token,
            Call::Release { .. } | Call::Expire => None,
        }
    }
}
