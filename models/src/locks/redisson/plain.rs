//! Redisson's `RLock`, without tokens.

use std::time::Duration;

use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lock::{
    AVOIDS_DEADLOCK, HIGHLY_AVAILABLE, ORDER, PAGE, PHANTOM, READ, REENTRANT, RENEWAL_STOPS, RedissonLock, SILENT_LOSS,
    SOURCES, Variant, check_times,
};
use super::settings::{Settings, TokenUse};
use crate::info::{Answer, Expiry, Family, LockInfo, Promise, Reentrancy, Requirement};
use crate::lock::Params;
use crate::servers::redis::Persistence;

/// A client of Redisson's lock.
pub type Redisson = RedissonLock<Plain>;

/// The lock without tokens.
pub struct Plain;

/// Parameters of `redisson`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedissonParams {
    /// `lockWatchdogTimeout`, 30 s by default (Redisson, configuration.md): the key's time to live, renewed every third
    /// of it.
    pub watchdog_timeout: Span,
    /// `leaseTime`: the key's time to live without a watchdog. None by default.
    pub lease: Option<Span>,
    /// The persistence of the server.
    pub persistence: Persistence,
    #[serde(skip)]
    #[schemars(skip)]
    renewal_stops: bool,
}

impl Default for RedissonParams {
    fn default() -> Self {
        RedissonParams {
            watchdog_timeout: Span(Duration::from_secs(30)),
            lease: None,
            persistence: Persistence::None,
            renewal_stops: false,
        }
    }
}

impl Params for RedissonParams {
    fn set_ttl(&mut self, ttl: Duration) {
        self.watchdog_timeout = Span(ttl);
    }

    fn set_effective(&mut self, effective: Duration) {
        self.set_ttl(effective);
        self.lease = self.lease.map(|_| Span(effective));
    }

    fn effective_expiry(&self) -> Option<Duration> {
        Some(self.settings().lease_time())
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

impl RedissonParams {
    fn settings(&self) -> Settings {
        Settings {
            watchdog_timeout: self.watchdog_timeout.0,
            lease: self.lease.map(|lease| lease.0),
            renewal_stops: self.renewal_stops,
            token: TokenUse::None,
        }
    }
}

const EXCLUSIVE: Promise = Promise {
    requirement: Requirement::Exclusive,
    answer: Answer::Silent,
    says: "a lock by the Java specification, which only its owner unlocks; delayed holders are not mentioned, except \
        in the fenced lock's section, which says that they cannot detect the loss",
    source: PAGE,
};

const FENCING: Promise = Promise {
    requirement: Requirement::Fencing,
    answer: Answer::No,
    says: "tokens are left to the fenced lock",
    source: "Redisson, locks-and-synchronizers.md, Fenced Lock",
};

impl Variant for Plain {
    const INFO: LockInfo = LockInfo::new(
        "redisson",
        "Redisson's lock on one Redis: counted, renewed by a watchdog, waiters woken by a message",
    )
    .expectations(include_str!("expectations.toml"))
    .family(Family::Redis)
    .expiry(Expiry::ServerWallClock)
    .reentrancy(Reentrancy::Counted)
    .promises(&[EXCLUSIVE, AVOIDS_DEADLOCK, HIGHLY_AVAILABLE, REENTRANT, FENCING, ORDER])
    .flawed_defaults(&[SILENT_LOSS, PHANTOM])
    .bugs(&[RENEWAL_STOPS])
    .check("isHeldByCurrentThread(): asks the server (HEXISTS)")
    .timeout("tryLock(waitTime, unit)")
    .verification(READ)
    .sources(SOURCES);
    type Params = RedissonParams;

    fn settings(params: &RedissonParams) -> Settings {
        params.settings()
    }

    fn persistence(params: &RedissonParams) -> Persistence {
        params.persistence
    }
}
