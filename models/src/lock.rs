//! What a lock is to fencepost.

use std::future::Future;
use std::time::Duration;

use fencepost_sim::fault::Harm;
use fencepost_sim::{CallError, Message, Mono, MonoDeadline};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::history::{GrantId, Refusal, Token};
use crate::site::Site;
use crate::stores::inventory::{Demand, InventoryConfig, ReadReply, StoreClient};
use crate::wire::Ctx;

/// A distributed lock: its servers and its client.
///
/// The client code has no clock but its [`Ctx`]'s, and passes a safepoint wherever a pause or a fault may land:
/// `acquire-sent` once all requests of an attempt's first round are out, `release-sent` once those of a release are.
pub trait Lock: Sized + 'static {
    /// What it is, from its documentation.
    const INFO: LockInfo;
    /// Its documented parameters; the default has the documented defaults.
    type Params: Params;
    /// What its clients and servers say to each other.
    type Message: Message;

    /// The names of its servers.
    fn servers(params: &Self::Params) -> Vec<String>;

    /// Deploys its servers, in the order of [`Lock::servers`]. A lock that lives in its store puts the data there too.
    fn deploy(params: &Self::Params, data: &InventoryConfig, site: &mut Site<'_, Self::Message>);

    /// The client, made once for each client process.
    fn connect(params: &Self::Params, ctx: Ctx<Self::Message>) -> Self;

    /// Tries once to acquire, the way its client library does it, giving up at `attempt.give_up` at the latest.
    fn acquire(&mut self, attempt: Attempt) -> impl Future<Output = Result<Grant, LockError>>;

    /// Releases a grant.
    fn release(&mut self, grant: &Grant) -> impl Future<Output = Result<(), LockError>>;

    /// Whether the grant is still held, as far as this client knows without asking anybody.
    fn is_held(&self, grant: &Grant) -> bool;

    /// How long to wait after an attempt that failed.
    fn retry_delay(&mut self) -> Duration;

    /// How many servers must have applied a grant before it counts.
    fn quorum(_params: &Self::Params) -> u32 {
        1
    }

    /// After a holder's crash, a waiter gets the lock within this.
    fn takeover_bound(params: &Self::Params, harm: &Harm) -> Duration;

    /// After all faults are healed, the lock can be acquired within this.
    fn progress_bound(params: &Self::Params, harm: &Harm) -> Duration;

    /// Reads the guarded row. Locks that live in their store read in their own transaction.
    fn read(
        &mut self,
        store: &StoreClient<Self::Message>,
        grant: &Grant,
        demand: &Demand,
    ) -> impl Future<Output = Result<ReadReply, LockError>> {
        store.read(grant, demand)
    }

    /// Writes the guarded row. Locks that live in their store write in their own transaction.
    fn write(
        &mut self,
        store: &StoreClient<Self::Message>,
        grant: &Grant,
        demand: &Demand,
        read: ReadReply,
    ) -> impl Future<Output = Result<(), LockError>> {
        store.write(grant, demand, read)
    }
}

/// A lock's documented parameters.
pub trait Params: Clone + Default + DeserializeOwned + Serialize + JsonSchema + Send + Sync + 'static {
    /// Sets the main timing; timings that depend on it keep their documented ratio. Locks without expiry ignore it.
    fn set_ttl(&mut self, ttl: Duration);

    /// After about how long a crashed holder is replaced; nothing for locks without expiry.
    fn effective_expiry(&self) -> Option<Duration>;

    /// Switches on a cited bug of real implementations. Says whether the lock knows it.
    fn set_bug(&mut self, _bug: &str) -> bool {
        false
    }

    /// Whether the parameters contradict each other.
    ///
    /// # Errors
    /// How, in words for a user.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// What a lock is, from its documentation.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LockInfo {
    /// Its name in files, flags and reports.
    pub name: &'static str,
    /// One sentence for lists and docs.
    pub about: &'static str,
    /// Who decides that a grant is over, and by which clock.
    pub expiry: Expiry,
    /// It lives in the store that it guards; the write and the lock share one fate.
    pub in_store: bool,
    /// What was written takes effect with the release, which commits it.
    pub commits_at_release: bool,
    /// It has grants; an optimistic version check has none.
    pub grants: bool,
    /// Its grants say until when they are valid.
    pub validity: bool,
    /// Its grants carry a fencing token.
    pub tokens: bool,
    /// What happens when a holder acquires again.
    pub reentrancy: &'static str,
    /// The bugs that can be switched on.
    pub bugs: &'static [BugInfo],
    /// Where all this is documented.
    pub sources: &'static [&'static str],
}

/// A bug of real implementations that can be switched on.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct BugInfo {
    /// Its name for `--bug`.
    pub name: &'static str,
    /// What goes wrong, where it was seen, and in which scenario and property the corrected model is clean.
    pub about: &'static str,
}

/// Who decides that a grant is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expiry {
    /// Nobody: it ends with its release.
    Nobody,
    /// The end of the connection or transaction.
    Connection,
    /// The server's wall clock.
    ServerWallClock,
    /// The server's monotonic clock.
    ServerMonotonicClock,
}

/// One try to acquire.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// Unique among all attempts of the case: real clients draw a random value for it.
    pub id: GrantId,
    /// When the client gives up waiting, by its monotonic clock.
    pub give_up: Mono,
}

/// A lock that was granted, as its holder sees it.
#[derive(Clone, Copy, Debug)]
pub struct Grant {
    /// The attempt that it came from.
    pub id: GrantId,
    /// Its fencing token.
    pub token: Option<Token>,
    /// How long the lock itself says it is valid.
    pub valid_until: Option<MonoDeadline>,
}

/// Why an operation of a lock did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockError {
    /// It certainly did not take effect.
    Failed(Reason),
    /// It may have taken effect, or may still.
    Unknown(Reason),
}

/// The reason within a [`LockError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Somebody else holds the lock.
    Busy,
    /// The grant had run out, or was somebody else's.
    NotHeld,
    /// The guarded store refused the operation.
    Refused(Refusal),
    /// The call did not get through, or brought no reply.
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
