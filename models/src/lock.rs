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
use crate::info::LockInfo;
use crate::site::Site;
use crate::wire::Ctx;

/// The delay between two attempts of a client, unless its library defines another delay. The value is the default
/// `sleep=0.1` of redis-py's lock.
pub const POLL: Duration = Duration::from_millis(100);

/// A distributed lock: its servers and its client.
///
/// Client code uses only the clock of its [`Ctx`]. It must reach a step wherever a pause or fault may occur:
/// `acquire-sent` once all requests of an attempt's first round are sent, and `release-sent` once all requests of a
/// release are sent.
pub trait Lock: Sized + 'static {
    /// The facts about the lock, from its documentation.
    const INFO: LockInfo;
    /// The documented parameters. The default value has the documented defaults.
    type Params: Params;
    /// The messages between clients and servers of the lock.
    type Message: Message;

    /// Deploys the servers of the lock. A lock that lives in its store also stores [`Site::data`] there.
    fn deploy(params: &Self::Params, site: &mut Site<'_, Self::Message>);

    /// Creates the client of one resource. Called once for each client process and resource.
    fn connect(params: &Self::Params, ctx: Ctx<Self::Message>, resource: ResourceId) -> Self;

    /// Tries to acquire once, as the client library does, and gives up at `attempt.give_up` at the latest.
    ///
    /// A client that already holds the lock gets the result that [`LockInfo::reentrancy`] declares. If the nested
    /// acquire joins the outer grant, the returned [`Grant`] has the id of the outer grant.
    ///
    /// # Errors
    /// [`LockError::Failed`] if the lock was not acquired, and [`LockError::Unknown`] if it may have been.
    fn acquire(&mut self, attempt: Attempt) -> impl Future<Output = Result<Grant, LockError>>;

    /// Releases a grant once. For the grant of a nested acquire, the library and the service decide whether the release
    /// frees the lock.
    ///
    /// # Errors
    /// [`LockError::Failed`] if the grant was not released, and [`LockError::Unknown`] if it may have been.
    fn release(&mut self, grant: &Grant) -> impl Future<Output = Result<(), LockError>>;

    /// Stops extending the grant, so it expires without a release.
    fn abandon(&mut self, _grant: &Grant) {}

    /// Returns whether the client still holds the grant, by the call that the library offers for this. It may ask the
    /// server or read local state. Only called if [`Offers::check`](crate::info::Offers::check) names such a call.
    ///
    /// # Errors
    /// [`LockError::Unknown`] if the server did not answer. The client then aborts and releases.
    fn check(&mut self, _grant: &Grant) -> impl Future<Output = Result<bool, LockError>> {
        std::future::ready(Ok(true))
    }

    /// Returns access to the data in the lock's own service, for locks that can keep it there.
    fn in_store(&mut self) -> Option<&mut dyn InStore> {
        None
    }

    /// Returns the delay before the next attempt after a failed one.
    fn retry_delay(&mut self) -> Duration {
        POLL
    }

    /// Returns the shortest time for which the library tries to acquire a busy lock before it gives up by itself, or
    /// `None` if it tries until `attempt.give_up`.
    fn own_patience(_params: &Self::Params) -> Option<Duration> {
        None
    }

    /// Returns the number of servers that must apply a grant before it counts.
    fn quorum(_params: &Self::Params) -> u32 {
        1
    }

    /// Returns the facts with these parameters, for locks whose variants or settings change what they offer.
    fn info(_params: &Self::Params) -> LockInfo {
        Self::INFO
    }

    /// Returns the longest time from a holder's crash until a waiter gets the lock.
    fn takeover_bound(params: &Self::Params, allowance: &BoundAllowance) -> Duration;

    /// Returns the longest time from the healing of all faults until the lock can be acquired. The default is the
    /// takeover bound, because the last holder may have crashed.
    fn progress_bound(params: &Self::Params, allowance: &BoundAllowance) -> Duration {
        Self::takeover_bound(params, allowance)
    }
}

/// Returns the names of the servers that a lock deploys with these parameters, in order.
pub fn server_names<L: Lock>(params: &L::Params) -> Vec<String> {
    let mut site = Site::recording_names();
    L::deploy(params, &mut site);
    site.into_names()
}

/// A lock's documented parameters.
pub trait Params: Clone + Default + DeserializeOwned + Serialize + JsonSchema + Send + Sync + 'static {
    /// Sets the main timing. Timings that depend on it keep their documented ratio. Locks without expiry ignore it.
    fn set_ttl(&mut self, _ttl: Duration) {}

    /// Sets the timings so that a crashed holder is replaced after about this time. The main timing is this time minus
    /// lock-delays and grace periods, which are also set.
    fn set_effective(&mut self, effective: Duration) {
        self.set_ttl(effective);
    }

    /// Returns the approximate time after which a crashed holder is replaced, or `None` for locks without expiry.
    fn effective_expiry(&self) -> Option<Duration> {
        None
    }

    /// Selects one of [`LockInfo::variants`] and sets its settings. Returns whether the lock has this variant.
    fn set_variant(&mut self, _variant: &str) -> bool {
        false
    }

    /// Switches a cited bug of real implementations on or off. Returns whether the lock has this bug.
    fn set_bug(&mut self, _bug: &str, _on: bool) -> bool {
        false
    }

    /// Checks that the parameters do not contradict each other.
    ///
    /// # Errors
    /// Returns a description of the contradiction for the user.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// The parameters of a lock without parameters.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

impl Params for NoParams {}
