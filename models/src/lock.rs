//! The trait that every lock implements.

use std::future::Future;
use std::time::Duration;

use fencepost_sim::Message;
use fencepost_sim::faults::BoundAllowance;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::grant::{Attempt, Grant, LockError};
use crate::guarded::InStore;
use crate::history::ResourceId;
use crate::info::{LockInfo, Reentrancy};
use crate::site::Site;
use crate::wire::Ctx;

/// How long a client waits between two attempts, unless its library defines another delay: the default `sleep=0.1` of
/// redis-py's lock.
pub const POLL: Duration = Duration::from_millis(100);

/// A distributed lock: its servers and its client.
///
/// The client code has no clock but its [`Ctx`]'s. It reaches a step wherever a pause or a fault may occur:
/// `acquire-sent` once all requests of an attempt's first round are sent, `release-sent` once those of a release are.
pub trait Lock: Sized + 'static {
    /// Its facts, from its documentation.
    const INFO: LockInfo;
    /// Its documented parameters; the default has the documented defaults.
    type Params: Params;
    /// The messages between its clients and servers.
    type Message: Message;

    /// Deploys its servers. A lock that lives in its store also puts [`Site::data`] there.
    fn deploy(params: &Self::Params, site: &mut Site<'_, Self::Message>);

    /// Makes the client of one resource, once for each client process and resource.
    fn connect(params: &Self::Params, ctx: Ctx<Self::Message>, resource: ResourceId) -> Self;

    /// Tries once to acquire, as the client library does, and gives up at `attempt.give_up` at the latest.
    ///
    /// A client that already holds the lock gets what its library returns then, as [`LockInfo::reentrancy`] declares.
    /// Where the service counts it as the same holding, the returned [`Grant`] carries the id of the outer grant.
    fn acquire(&mut self, attempt: Attempt) -> impl Future<Output = Result<Grant, LockError>>;

    /// Releases a grant once. For the grant of a nested acquire, the library and the service decide whether that ends the
    /// holding.
    fn release(&mut self, grant: &Grant) -> impl Future<Output = Result<(), LockError>>;

    /// Stops whatever prolongs the grant, so that it expires without a release.
    fn abandon(&mut self, _grant: &Grant) {}

    /// The check that the library offers: whether the client still holds the grant. It may ask the server.
    ///
    /// By default the library offers none, and the client goes on believing.
    fn check(&mut self, _grant: &Grant) -> impl Future<Output = bool> {
        std::future::ready(true)
    }

    /// The data in the lock's own service, for locks that can keep it there.
    fn in_store(&mut self) -> Option<&mut dyn InStore> {
        None
    }

    /// How long to wait after an attempt that failed.
    fn retry_delay(&mut self) -> Duration {
        POLL
    }

    /// How many servers must have applied a grant before it counts.
    fn quorum(_params: &Self::Params) -> u32 {
        1
    }

    /// The effect of an acquire by a holder, with these parameters.
    fn reentrancy(_params: &Self::Params) -> Reentrancy {
        Self::INFO.reentrancy
    }

    /// The longest time from a holder's crash until a waiter gets the lock.
    fn takeover_bound(params: &Self::Params, allowance: &BoundAllowance) -> Duration;

    /// The longest time from the healing of all faults until the lock can be acquired. By default it equals the takeover
    /// bound: the last holder may have crashed.
    fn progress_bound(params: &Self::Params, allowance: &BoundAllowance) -> Duration {
        Self::takeover_bound(params, allowance)
    }
}

/// The names of the servers that a lock deploys with these parameters, in order.
pub fn server_names<L: Lock>(params: &L::Params) -> Vec<String> {
    let mut site = Site::recording_names();
    L::deploy(params, &mut site);
    site.into_names()
}

/// A lock's documented parameters.
pub trait Params: Clone + Default + DeserializeOwned + Serialize + JsonSchema + Send + Sync + 'static {
    /// Sets the main timing; timings that depend on it keep their documented ratio. Locks without expiry ignore it.
    fn set_ttl(&mut self, _ttl: Duration) {}

    /// Sets the timings so that a crashed holder is replaced after about this long: the main timing is what remains
    /// after lock-delays and grace periods, which are set along with it.
    fn set_effective(&mut self, effective: Duration) {
        self.set_ttl(effective);
    }

    /// After about how long a crashed holder is replaced; nothing for locks without expiry.
    fn effective_expiry(&self) -> Option<Duration> {
        None
    }

    /// Switches on a cited bug of real implementations. Returns whether the lock knows it.
    fn set_bug(&mut self, _bug: &str) -> bool {
        false
    }

    /// Whether the parameters contradict each other.
    ///
    /// # Errors
    /// The contradiction, as text for a user.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// It has no parameters.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

impl Params for NoParams {}
