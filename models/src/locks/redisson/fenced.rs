//! Redisson's `RFencedLock`: the same lock, whose script also increments a token (redisson/redisson,
//! RedissonFencedLock.java of 4.7).
//!
//! As documented, the token comes from the acquire's own reply (`tryLockAndGetToken`). The quirks of the source are
//! defaults here. A re-entry also increments the counter, so the outer section's token falls behind. `getToken()` reads
//! the shared counter (parameter `get_token`). `lockAndGetToken(leaseTime, unit)` drops its arguments (parameter
//! `lease` has no effect). `tryLockAndGetToken()` without arguments turns its waiting time of -1 into the longest one;
//! our clients, which pass a waiting time, do not call it.

use std::time::Duration;

use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lock::{
    AVOIDS_DEADLOCK, HIGHLY_AVAILABLE, ORDER, PHANTOM, READ, REENTRANT, RENEWAL_STOPS, RedissonLock, SILENT_LOSS,
    SOURCES, Variant, check_times,
};
use super::settings::{Settings, TokenUse};
use crate::info::{Answer, Expiry, Family, LockInfo, Promise, Reentrancy, Requirement};
use crate::lock::Params;
use crate::servers::redis::Persistence;

/// A client of Redisson's fenced lock.
pub type RedissonFenced = RedissonLock<Fenced>;

/// The lock with tokens.
pub struct Fenced;

/// Parameters of `redisson-fenced`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedissonFencedParams {
    /// `lockWatchdogTimeout`, 30 s by default (Redisson, configuration.md).
    pub watchdog_timeout: Span,
    /// `leaseTime` of `lockAndGetToken(leaseTime, unit)`, which drops it: the watchdog renews the lock anyway.
    pub lease: Option<Span>,
    /// Whether the client calls `getToken()` after its acquire instead of using the token in the acquire's reply.
    pub get_token: bool,
    /// The persistence of the server.
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

    fn set_bug(&mut self, bug: &str, on: bool) -> bool {
        if bug == RENEWAL_STOPS.name {
            self.renewal_stops = on;
        }
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
    says: "a client that a pause delayed cannot detect that it no longer owns the lock: the guarded \
                service has to check the token",
    source: PAGE,
};

const FENCING: Promise = Promise {
    requirement: Requirement::Fencing,
    answer: Answer::Yes,
    says: "each acquisition increases the token; the service has to reject a token below the last one. A failing \
        Redis is not mentioned",
    source: "Redisson, locks-and-synchronizers.md, Fenced Lock; redisson/redisson, \
                RedissonFencedLock.java, class comment",
};

impl Variant for Fenced {
    const INFO: LockInfo =
        LockInfo::new("redisson-fenced", "Redisson's fenced lock on one Redis: the same, with a counter as token")
            .expectations(include_str!("fenced_expectations.toml"))
            .family(Family::Redis)
            .expiry(Expiry::ServerWallClock)
            .token("tryLockAndGetToken(): a counter at a separate key of the same Redis, incremented by every acquire")
            .reentrancy(Reentrancy::Counted)
            .promises(&[EXCLUSIVE, AVOIDS_DEADLOCK, HIGHLY_AVAILABLE, REENTRANT, FENCING, ORDER])
            .flawed_defaults(&[
                SILENT_LOSS,
                PHANTOM,
                "a second acquire increments the token, so the outer section's token falls behind the inner one's",
                "getToken() reads the shared counter, which may be the next holder's by then",
                "lockAndGetToken(leaseTime, unit) drops its arguments: the lock is renewed for ever",
                "tryLockAndGetToken() waits instead of trying once",
            ])
            .bugs(&[RENEWAL_STOPS])
            .check("isHeldByCurrentThread(): asks the server (HEXISTS)")
            .timeout("tryLockAndGetToken(waitTime, unit)")
            .verification(READ)
            .sources(SOURCES);
    type Params = RedissonFencedParams;

    fn settings(params: &RedissonFencedParams) -> Settings {
        let token = if params.get_token { TokenUse::FromCounter } else { TokenUse::FromReply };
        let (watchdog_timeout, renewal_stops) = (params.watchdog_timeout.0, params.renewal_stops);
        Settings { watchdog_timeout, lease: None, renewal_stops, token }
    }

    fn persistence(params: &RedissonFencedParams) -> Persistence {
        params.persistence
    }
}
