//! What a lock is to fencepost.

use std::future::Future;
use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::{CallError, Message, Mono, MonoDeadline};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::guarded::inventory::{Demand, InventoryConfig, ReadReply, StoreClient};
use crate::history::{GrantId, Refusal, Token};
use crate::info::{LockInfo, Reentrancy};
use crate::site::Site;
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

    /// The client of one resource, made once for each client process and resource.
    fn connect(params: &Self::Params, ctx: Ctx<Self::Message>, resource: ResourceId) -> Self;

    /// Tries once to acquire, the way its client library does it, giving up at `attempt.give_up` at the latest.
    ///
    /// Acquiring again on a client that holds already does what the real client library does, which
    /// [`LockInfo::reentrancy`] declares. Where the service counts it as the same holding, the [`Grant`] that is returned
    /// carries the id of the outer grant, not that of the attempt.
    fn acquire(&mut self, attempt: Attempt) -> impl Future<Output = Result<Grant, LockError>>;

    /// Releases a grant. For a nested acquire's grant, too, it is one release: whether that ends the holding is up to the
    /// library and the service.
    fn release(&mut self, grant: &Grant) -> impl Future<Output = Result<(), LockError>>;

    /// The holder stops without a release, and lets the grant run out: whatever prolongs it ends.
    fn abandon(&mut self, _grant: &Grant) {}

    /// Whether the grant is still held, as far as this client knows without asking anybody.
    fn is_held(&self, grant: &Grant) -> bool;

    /// How long to wait after an attempt that failed.
    fn retry_delay(&mut self) -> Duration;

    /// How many servers must have applied a grant before it counts.
    fn quorum(_params: &Self::Params) -> u32 {
        1
    }

    /// What happens when a holder acquires again, with these parameters.
    fn reentrancy(_params: &Self::Params) -> Reentrancy {
        Self::INFO.reentrancy
    }

    /// After a holder's crash, a waiter gets the lock within this.
    fn takeover_bound(params: &Self::Params, allowance: &BoundAllowance) -> Duration;

    /// After all faults are healed, the lock can be acquired within this.
    fn progress_bound(params: &Self::Params, allowance: &BoundAllowance) -> Duration;

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

    /// Sets the timings so that a crashed holder is replaced after about this long: the main timing is what remains
    /// after lock-delays and grace periods, which are set along with it.
    fn set_effective(&mut self, effective: Duration) {
        self.set_ttl(effective);
    }

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

/// What is locked: the number of a resource, each of which has its own holder and waiters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResourceId(pub u8);

impl ResourceId {
    /// Whether it is the first. Messages leave its name out, so that traces of scenarios with a single resource say no
    /// more than they need to.
    pub(crate) fn is_first(&self) -> bool {
        self.0 == 0
    }
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
    /// The attempt that it came from; for a nested acquire that counts as the same holding, that of the outermost.
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
