//! Redisson's `RFencedLock`: the same lock, whose script also counts a token up (redisson/redisson,
//! RedissonFencedLock.java of 2024).
//!
//! As documented, the token is taken from the acquire's own reply (`tryLockAndGetToken`). The quirks of the source are
//! defaults here: re-entry raises the counter, too, so that the outer section's token falls behind; `getToken()` reads
//! the shared counter (parameter `get_token`); `lockAndGetToken(leaseTime, unit)` drops its arguments (parameter `lease`
//! has no effect); `tryLockAndGetToken()` without arguments turns its waiting time of -1 into the longest there is, which
//! our clients, who say how long they wait, do not call.

use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::client::{Client, Settings, TokenUse};
use super::{
    AVOIDS_DEADLOCK, HIGHLY_AVAILABLE, ORDER, PHANTOM, REENTRANT, RENEWAL_STOPS, SILENT_LOSS, SOURCES, bound,
    check_times,
};
use crate::grant::{Attempt, Grant, LockError};
use crate::history::ResourceId;
use crate::info::{Answer, Expiry, Family, LockInfo, Promise, Reentrancy, Requirement, Verification};
use crate::lock::{Lock, Params};
use crate::servers::redis::{Persistence, Redis, RedisMessage};
use crate::site::Site;
use crate::wire::Ctx;

/// A client of Redisson's fenced lock.
pub struct RedissonFenced(Client);

/// Parameters of `redisson-fenced`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedissonFencedParams {
    /// `lockWatchdogTimeout`, 30 s by default (Redisson, configuration.md).
    pub watchdog_timeout: Span,
    /// `leaseTime`, as given to `lockAndGetToken(leaseTime, unit)`, which drops it: the watchdog renews all the same.
    pub lease: Option<Span>,
    /// The client asks `getToken()` after its acquire instead of taking the token from the acquire's reply.
    pub get_token: bool,
    /// How the server makes its commands durable.
    pub persistence: Persistence,
    #[serde(skip)]
    #[schemars(skip)]
    renewal_stops: bool,
}

impl Default for RedissonFencedParams {
    fn default() -> Self {
        RedissonFencedParams {
            watchdog_timeout: Span(Duration::from_secs(30)),
            lease: None,
            get_token: false,
            persistence: Persistence::None,
            renewal_stops: false,
        }
    }
}

impl Params for RedissonFencedParams {
    fn set_ttl(&mut self, ttl: Duration) {
        self.watchdog_timeout = Span(ttl);
    }

    fn effective_expiry(&self) -> Option<Duration> {
        Some(self.watchdog_timeout.0)
    }

    fn set_bug(&mut self, bug: &str) -> bool {
        self.renewal_stops |= bug == RENEWAL_STOPS.name;
        bug == RENEWAL_STOPS.name
    }

    fn check(&self) -> Result<(), String> {
        check_times(self.watchdog_timeout, self.lease)
    }
}

const PAGE: &str = "Redisson, locks-and-synchronizers.md, Fenced Lock";

const EXCLUSIVE: Promise = Promise {
    requirement: Requirement::Exclusive,
    answer: Answer::Conditional,
    says: "a client that a pause delayed cannot detect that it no longer owns the lock: the guarded service has to check \
           the token",
    source: PAGE,
};

const FENCING: Promise = Promise {
    requirement: Requirement::Fencing,
    answer: Answer::Yes,
    says: "each acquisition increases the token; the service has to refuse a token below the last one. Nothing about a \
           Redis that fails",
    source: "Redisson, locks-and-synchronizers.md, Fenced Lock; redisson/redisson, RedissonFencedLock.java, class comment",
};

impl Lock for RedissonFenced {
    const INFO: LockInfo =
        LockInfo::new("redisson-fenced", "Redisson's fenced lock on one Redis: the same, with a counter as token")
            .family(Family::Redis)
            .expiry(Expiry::ServerWallClock)
            .token("a counter at a key of its own in the same Redis, one more with every acquire")
            .reentrancy(Reentrancy::Counted)
            .promises(&[EXCLUSIVE, AVOIDS_DEADLOCK, HIGHLY_AVAILABLE, REENTRANT, FENCING, ORDER])
            .flawed_defaults(&[
                SILENT_LOSS,
                PHANTOM,
                "acquiring again raises the token, so that the outer section's token falls behind the inner one's",
                "getToken() reads the shared counter, which may be the next holder's by then",
                "lockAndGetToken(leaseTime, unit) drops its arguments: the lock is renewed for ever",
                "tryLockAndGetToken() waits instead of trying once",
            ])
            .bugs(&[RENEWAL_STOPS])
            .verification(Verification::RealServerAvailable)
            .sources(SOURCES);
    type Params = RedissonFencedParams;
    type Message = RedisMessage;

    fn deploy(params: &RedissonFencedParams, site: &mut Site<'_, RedisMessage>) {
        site.server("redis-1", Redis::new(params.persistence));
    }

    fn connect(params: &RedissonFencedParams, ctx: Ctx<RedisMessage>, resource: ResourceId) -> Self {
        let token = if params.get_token { TokenUse::Asked } else { TokenUse::OfAcquire };
        let (watchdog_timeout, renewal_stops) = (params.watchdog_timeout.0, params.renewal_stops);
        RedissonFenced(Client::new(ctx, resource, Settings { watchdog_timeout, lease: None, renewal_stops, token }))
    }

    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        self.0.acquire(attempt).await
    }

    async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        self.0.unlock(grant.id, Some("release-sent")).await
    }

    async fn check(&mut self, grant: &Grant) -> bool {
        self.0.is_held(grant.id)
    }

    fn takeover_bound(params: &RedissonFencedParams, allowance: &BoundAllowance) -> Duration {
        bound(params.watchdog_timeout.0, allowance)
    }

    fn progress_bound(params: &RedissonFencedParams, allowance: &BoundAllowance) -> Duration {
        bound(params.watchdog_timeout.0, allowance)
    }
}
