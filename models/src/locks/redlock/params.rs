//! The parameters and the facts of Redlock.

use std::time::Duration;

use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::info::{Answer, BugInfo, Expiry, Family, LockInfo, Promise, Reentrancy, Requirement, Verification};
use crate::lock::Params;
use crate::locks::single_redis::{AVOIDS_DEADLOCK, FENCING, ORDER, REENTRANT};
use crate::servers::redis::Persistence;

/// Parameters of `redlock`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedlockParams {
    /// The number of masters: 5 in the documentation's example.
    pub servers: u16,
    /// The auto-release time: 10 s in the documentation's example.
    pub ttl: Span,
    /// The timeout of each master: 5 to 50 ms for an auto-release time of 10 s in the documentation.
    pub node_timeout: Span,
    /// The number of attempts of an acquire: 3 in redlock-rb and its ports.
    pub retry: u32,
    /// The maximal random delay between two attempts: 200 ms in redlock-rb and its ports.
    pub retry_delay: Span,
    /// The share of the time to live, in ppm, allowed for clock drift, beside 2 ms: 1 % in redlock-rb and its ports.
    pub drift_ppm: u32,
    /// The rest of the validity at which the lock is extended, until it is released; 500 ms in node-redlock's
    /// `using()`. None by default: the documentation leaves extensions to those who need them.
    pub extend: Option<Span>,
    /// Whether a crashed master refuses clients for longer than the time to live, which replaces persistence at the
    /// price of availability ("Performance, Crash Recovery and fsync"). Off by default.
    pub delayed_restart: bool,
    /// The persistence of the masters.
    pub persistence: Persistence,
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) no_second_read: bool,
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) expiry_before_retries: bool,
}

impl Default for RedlockParams {
    fn default() -> Self {
        RedlockParams {
            servers: 5,
            ttl: Span(Duration::from_secs(10)),
            node_timeout: Span(Duration::from_millis(50)),
            retry: 3,
            retry_delay: Span(Duration::from_millis(200)),
            drift_ppm: 10_000,
            extend: None,
            delayed_restart: false,
            persistence: Persistence::None,
            no_second_read: false,
            expiry_before_retries: false,
        }
    }
}

impl RedlockParams {
    /// The names of the servers.
    pub(super) fn server_names(&self) -> Vec<String> {
        (1..=self.servers).map(|n| format!("redis-{n}")).collect()
    }

    /// The time to live less the allowance for drift.
    pub(super) fn validity(&self) -> Duration {
        self.ttl.0.saturating_sub(self.drift())
    }

    /// The time for which a crashed master refuses clients: "a bit more than the max TTL".
    pub(super) fn restart_delay(&self) -> Option<Duration> {
        self.delayed_restart.then(|| self.ttl.0 + self.drift())
    }

    fn drift(&self) -> Duration {
        self.ttl.0 * self.drift_ppm / 1_000_000 + Duration::from_millis(2)
    }
}

impl Params for RedlockParams {
    fn set_ttl(&mut self, ttl: Duration) {
        self.ttl = Span(ttl);
    }

    fn effective_expiry(&self) -> Option<Duration> {
        Some(self.ttl.0)
    }

    fn set_bug(&mut self, bug: &str, on: bool) -> bool {
        if bug == NO_SECOND_READ.name {
            self.no_second_read = on;
        }
        if bug == EXPIRY_BEFORE_RETRIES.name {
            self.expiry_before_retries = on;
        }
        INFO.bugs.iter().any(|known| known.name == bug)
    }

    fn check(&self) -> Result<(), String> {
        match self {
            RedlockParams { servers: 0 | 32.., .. } => Err("`servers` must be from 1 to 31".into()),
            RedlockParams { retry: 0, .. } => Err("`retry` counts all attempts: it must be at least 1".into()),
            RedlockParams { drift_ppm: 1_000_000.., .. } => Err("`drift_ppm` must be below 1000000".into()),
            RedlockParams { extend: Some(left), .. } if left.0 >= self.validity() => {
                Err("`extend` must be shorter than the validity, which is `ttl` less the drift".into())
            }
            _ => Ok(()),
        }
    }
}

const NO_SECOND_READ: BugInfo = BugInfo {
    name: "redlock-no-second-read",
    about: "counts the validity from the replies, without the second clock read: the implementation of Kleppmann's \
        second scenario",
    scenario: "redlock-pause-between-reads",
    property: "validity-exclusion",
    source: "antirez, Is Redlock safe?, 2016",
    since: "unverified",
    fixed_in: None,
    default_on: false,
};

const EXPIRY_BEFORE_RETRIES: BugInfo = BugInfo {
    name: "redlock-expiry-before-retries",
    about: "counts the validity from before the first of several tries and does not check it, so that a lock acquired \
        by a late attempt counts as expired and is never extended",
    scenario: "bug-redlock-expiry-before-retries",
    property: "effect-exclusion",
    source: "mike-marcacci/node-redlock, issues #296 and #299, pull requests #273 and #274",
    since: "unverified",
    fixed_in: None,
    default_on: false,
};

const EXCLUSIVE: Promise = Promise {
    requirement: Requirement::Exclusive,
    answer: Answer::Conditional,
    says: "exclusive for a holder that finishes within the validity, if clocks run at nearly the same rate and no \
        crashed master returns without its keys before they have expired",
    source: "redis.io, Distributed Locks with Redis, Is the Algorithm Asynchronous?; Performance, Crash \
                Recovery and fsync",
};

const HIGHLY_AVAILABLE: Promise = Promise {
    requirement: Requirement::HighlyAvailable,
    answer: Answer::Yes,
    says: "clients can acquire and release as long as a majority of the masters is up; a partition costs one time to \
        live after another as long as it lasts",
    source: "redis.io, Distributed Locks with Redis, Safety and Liveness Guarantees; Liveness Arguments",
};

pub(super) const INFO: LockInfo = LockInfo::new("redlock", "SET NX PX on a majority of N independent Redis masters")
    .expectations(include_str!("expectations.toml"))
    .family(Family::Redis)
    .expiry(Expiry::ServerWallClock)
    .replicated()
    .validity()
    .reentrancy(Reentrancy::Refused)
    .promises(&[EXCLUSIVE, AVOIDS_DEADLOCK, HIGHLY_AVAILABLE, REENTRANT, FENCING, ORDER])
    .bugs(&[NO_SECOND_READ, EXPIRY_BEFORE_RETRIES])
    .verification(Verification::Documentation)
    .sources(&[
        "redis.io, Distributed Locks with Redis, The Redlock Algorithm",
        "antirez/redlock-rb, redlock.rb: 3 tries, 200 ms, drift factor 0.01 and 2 ms",
        "mike-marcacci/node-redlock, src/index.ts, using(): automatic extension",
    ]);
