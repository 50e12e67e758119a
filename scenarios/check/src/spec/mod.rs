//! What a lock is, said as sequential specifications: what one operation after another may do, if nothing ever happens
//! at once. [`linearizable`](crate::linearizable) looks for an order of a history's operations that such a
//! specification allows.
//!
//! They are pure: owner and token stand in the operation itself, and what the service does on its own, ending a grant
//! whose time is up, is an operation like the others. The idea to tell five kinds of lock apart, and the rules of
//! `owner`, `reentrant`, `fenced` and `reentrant-fenced`, are those of the Jepsen tests of Hazelcast
//! (jepsen-io/jepsen, `hazelcast/src/jepsen/hazelcast.clj` before 2f2cb1cd), whose models looked owners up in a table
//! that changed under them.

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
pub use self::refusal::{Names, Refusal};
pub use self::semaphore::Semaphore;
pub(crate) use self::session::Session;

/// Who acquires: a thread, a session, a client. What counts as one owner is for the history to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner(pub u32);

/// An operation on a lock, with all that its effect depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operation {
    /// Whose it is. For [`Call::Expire`], whose grant ends.
    pub owner: Owner,
    /// What it does.
    pub call: Call,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// Gets the lock.
    Acquire {
        /// The fencing token that came with it, if anybody knows.
        token: Option<Token>,
        /// How many permits of a semaphore. No other specification looks at it.
        permits: u32,
    },
    /// Gives it back.
    Release {
        /// The token of the grant that it gives back, if it names one.
        token: Option<Token>,
        /// How many permits of a semaphore.
        permits: u32,
    },
    /// The service ends what this owner holds: its time is up, or its session is gone. An owner may hold nothing then.
    Expire,
}

/// A sequential specification: the state of a lock, and what each operation makes of it.
pub trait Spec: Clone + Ord + Debug {
    /// The tokens of acquires never fall from one to the next, so that they say in which order the acquires happened.
    const ORDERED_BY_TOKEN: bool = false;

    /// The state after this operation.
    ///
    /// # Errors
    /// Why it cannot happen in this state.
    fn step(&self, operation: &Operation) -> Result<Self, Refusal>;

    /// The state in a few words, as in `held by a`.
    fn tell(&self, names: &dyn Names) -> String;
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
