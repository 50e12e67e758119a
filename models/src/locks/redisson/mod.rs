//! Redisson's `RLock` on one Redis: a hash whose field is the owner and whose value counts its acquires, a watchdog that
//! renews the key, and a channel that wakes up waiters (redisson/redisson: RedissonLock.java, RedissonBaseLock.java; the
//! scripts are in [`crate::servers::redis`]).
//!
//! Left out: the latch key by which `unlock` can be repeated (2022 and later), since commands are not repeated here; and
//! `WAIT`, which Redisson sends only where there are replicas.

mod client;
mod fenced;
mod watchdog;

use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::client::{COMMAND_TIMEOUT, Client, Settings, TokenUse};
pub use self::fenced::RedissonFenced;
use super::POLL;
use crate::grant::{Attempt, Grant, LockError};
use crate::history::ResourceId;
use crate::info::{Answer, BugInfo, Expiry, Family, LockInfo, Promise, Reentrancy, Requirement, Verification};
use crate::lock::{Lock, Params};
use crate::servers::redis::{Persistence, Redis, RedisMessage};
use crate::site::Site;
use crate::wire::Ctx;

/// A client of Redisson's lock.
pub struct Redisson(Client);

/// Parameters of `redisson`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedissonParams {
    /// `lockWatchdogTimeout`, 30 s by default (Redisson, configuration.md): the key's time to live, renewed every third
    /// of it.
    pub watchdog_timeout: Span,
    /// `leaseTime`: the key's time to live instead, with no watchdog. None by default.
    pub lease: Option<Span>,
    /// How the server makes its commands durable.
    pub persistence: Persistence,
    #[serde(skip)]
    #[schemars(skip)]
    renewal_stops: bool,
}

const RENEWAL_STOPS: BugInfo = BugInfo {
    name: "redisson-renewal-stops",
    about: "the watchdog stops for good after one renewal that failed, and the key expires under a living holder",
    scenario: "bug-redisson-renewal-stops",
    property: "effect-exclusion",
    source: "redisson/redisson, issue #775",
};

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

    fn set_bug(&mut self, bug: &str) -> bool {
        self.renewal_stops |= bug == RENEWAL_STOPS.name;
        bug == RENEWAL_STOPS.name
    }

    fn check(&self) -> Result<(), String> {
        check_times(self.watchdog_timeout, self.lease)
    }
}

/// The watchdog renews every third of its timeout, which must be some time.
fn check_times(watchdog_timeout: Span, lease: Option<Span>) -> Result<(), String> {
    match (watchdog_timeout.0.as_millis(), lease.map(|lease| lease.0.as_millis())) {
        (..3, _) => Err("`watchdog_timeout` must be at least 3 ms".into()),
        (_, Some(0)) => Err("`lease` must be at least 1 ms".into()),
        _ => Ok(()),
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

const PAGE: &str = "Redisson, locks-and-synchronizers.md, Lock";

const PROMISES: &[Promise] = &[EXCLUSIVE, AVOIDS_DEADLOCK, HIGHLY_AVAILABLE, REENTRANT, FENCING, ORDER];

const EXCLUSIVE: Promise = Promise {
    requirement: Requirement::Exclusive,
    answer: Answer::Silent,
    says: "a lock by the Java specification, which only its owner unlocks; nothing of what holders do that were delayed, \
           save that the fenced lock's section says that they cannot tell",
    source: PAGE,
};

const AVOIDS_DEADLOCK: Promise = Promise {
    requirement: Requirement::AvoidsDeadlock,
    answer: Answer::Yes,
    says: "the watchdog prolongs the lock only while its instance is alive, so that a crash frees it after the timeout",
    source: PAGE,
};

const HIGHLY_AVAILABLE: Promise = Promise {
    requirement: Requirement::HighlyAvailable,
    answer: Answer::Silent,
    says: "nothing about a Redis that fails; waiting for replicas is a setting",
    source: "Redisson, configuration.md, checkLockSyncedSlaves",
};

const REENTRANT: Promise = Promise {
    requirement: Requirement::Reentrant,
    answer: Answer::Yes,
    says: "a reentrant lock, counted by client and thread",
    source: PAGE,
};

const FENCING: Promise = Promise {
    requirement: Requirement::Fencing,
    answer: Answer::No,
    says: "tokens are left to the fenced lock",
    source: "Redisson, locks-and-synchronizers.md, Fenced Lock",
};

const ORDER: Promise = Promise {
    requirement: Requirement::Order,
    answer: Answer::No,
    says: "not fair: no order of acquires is guaranteed",
    source: "redisson/redisson, RedissonLock.java, class comment",
};

const SILENT_LOSS: &str = "a holder whose lock expired is not told: the watchdog finds the field gone and stops";
const PHANTOM: &str = "an acquire whose reply was lost is counted, so that the next one of the same thread needs two \
                       unlocks and gets one: the lock stays until it expires";

impl Lock for Redisson {
    const INFO: LockInfo = LockInfo::new(
        "redisson",
        "Redisson's lock on one Redis: counted, renewed by a watchdog, waiters woken by a message",
    )
    .family(Family::Redis)
    .expiry(Expiry::ServerWallClock)
    .reentrancy(Reentrancy::Counted)
    .promises(PROMISES)
    .flawed_defaults(&[SILENT_LOSS, PHANTOM])
    .bugs(&[RENEWAL_STOPS])
    .verification(Verification::RealServerAvailable)
    .sources(SOURCES);
    type Params = RedissonParams;
    type Message = RedisMessage;

    fn deploy(params: &RedissonParams, site: &mut Site<'_, RedisMessage>) {
        site.server("redis-1", Redis::new(params.persistence));
    }

    fn connect(params: &RedissonParams, ctx: Ctx<RedisMessage>, resource: ResourceId) -> Self {
        Redisson(Client::new(ctx, resource, params.settings()))
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

    /// The caller of `tryLock` that got `false`, or an exception, tries again when it likes.
    fn retry_delay(&mut self) -> Duration {
        POLL
    }

    fn takeover_bound(params: &RedissonParams, allowance: &BoundAllowance) -> Duration {
        bound(params.settings().lease_time(), allowance)
    }

    fn progress_bound(params: &RedissonParams, allowance: &BoundAllowance) -> Duration {
        bound(params.settings().lease_time(), allowance)
    }
}

const SOURCES: &[&str] = &[
    "redisson/redisson, RedissonLock.java, RedissonBaseLock.java, RenewalTask.java",
    "Redisson, locks-and-synchronizers.md and configuration.md",
];

/// The key expires a lease after its last renewal, by the server's wall clock. A waiter sleeps for no longer than the
/// `PTTL` that it was told, which is never more than that, and may then have to wait for a stream to get through again
/// and for an acquire, a subscription and another acquire that bring no reply.
fn bound(lease: Duration, allowance: &BoundAllowance) -> Duration {
    allowance.stretch_wall(lease) + allowance.reconnect + 3 * COMMAND_TIMEOUT + 2 * POLL
}
