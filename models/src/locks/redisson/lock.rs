//! What Redisson's locks share: the lock itself, and facts about it.

use std::marker::PhantomData;
use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::units::Span;

use super::client::Client;
use super::settings::Settings;
use crate::grant::{Attempt, Grant, LockError};
use crate::history::ResourceId;
use crate::info::{Answer, BugInfo, LockInfo, Promise, Requirement, Verification};
use crate::lock::{Lock, POLL, Params};
use crate::locks::redis_driver::REDISSON;
use crate::servers::redis::{Persistence, Redis, RedisMessage};
use crate::site::Site;
use crate::wire::Ctx;

/// A client of one of Redisson's locks.
pub struct RedissonLock<V> {
    client: Client,
    variant: PhantomData<V>,
}

/// The differences between Redisson's locks.
pub trait Variant: 'static {
    /// The facts of the lock.
    const INFO: LockInfo;
    /// Its parameters.
    type Params: Params;

    /// The settings of a client.
    fn settings(params: &Self::Params) -> Settings;

    /// The persistence of the server.
    fn persistence(params: &Self::Params) -> Persistence;
}

impl<V: Variant> Lock for RedissonLock<V> {
    const INFO: LockInfo = V::INFO;
    type Params = V::Params;
    type Message = RedisMessage;

    fn deploy(params: &V::Params, site: &mut Site<'_, RedisMessage>) {
        site.server("redis-1", Redis::new(V::persistence(params)));
    }

    fn connect(params: &V::Params, ctx: Ctx<RedisMessage>, resource: ResourceId) -> Self {
        RedissonLock { client: Client::new(ctx, resource, V::settings(params)), variant: PhantomData }
    }

    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        self.client.acquire(attempt).await
    }

    async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        self.client.unlock(grant.id, Some("release-sent")).await
    }

    async fn check(&mut self, grant: &Grant) -> Result<bool, LockError> {
        self.client.is_held(grant.id).await
    }

    /// The key expires a lease after its last renewal, by the server's wall clock. A waiter sleeps at most for the
    /// `PTTL` in its reply, which is no longer. Then it may have to wait for a stream to recover, and for an acquire, a
    /// subscription and another acquire without replies.
    fn takeover_bound(params: &V::Params, allowance: &BoundAllowance) -> Duration {
        let lease = allowance.stretch_wall(V::settings(params).lease_time());
        lease + allowance.reconnect + 3 * REDISSON.recovery() + 2 * POLL
    }
}

/// Checks the timings: the watchdog renews every third of its timeout, which must be positive.
///
/// # Errors
/// An error text for the user.
pub(super) fn check_times(watchdog_timeout: Span, lease: Option<Span>) -> Result<(), String> {
    match (watchdog_timeout.0.as_millis(), lease.map(|lease| lease.0.as_millis())) {
        (..3, _) => Err("`watchdog_timeout` must be at least 3 ms".into()),
        (_, Some(0)) => Err("`lease` must be at least 1 ms".into()),
        _ => Ok(()),
    }
}

pub(super) const RENEWAL_STOPS: BugInfo = BugInfo {
    name: "redisson-renewal-stops",
    about: "the watchdog stops for good after one failed renewal, and the key expires under a living holder",
    scenario: "bug-redisson-renewal-stops",
    property: "effect-exclusion",
    source: "redisson/redisson, RedissonLock.scheduleExpirationRenewal at 2.9.3 and RedissonBaseLock.renewExpiration at \
        3.43.0; fixed by RenewalTask in 3.44.0 (issue #6303)",
    since: "2.9.3",
    fixed_in: Some("3.44.0"),
    default_on: false,
};

/// The source that the model was checked against.
pub(super) const READ: Verification = Verification::Source { version: "Redisson 4.7 (66863978b)", read: "2026-12-01" };

pub(super) const PAGE: &str = "Redisson, locks-and-synchronizers.md, Lock";

pub(super) const AVOIDS_DEADLOCK: Promise = Promise {
    requirement: Requirement::AvoidsDeadlock,
    answer: Answer::Yes,
    says: "the watchdog extends the lock only while its instance is alive, so a crash frees it after the timeout",
    source: PAGE,
};

pub(super) const HIGHLY_AVAILABLE: Promise = Promise {
    requirement: Requirement::HighlyAvailable,
    answer: Answer::Silent,
    says: "a failing Redis is not mentioned; waiting for replicas is a setting",
    source: "Redisson, configuration.md, checkLockSyncedSlaves",
};

pub(super) const REENTRANT: Promise = Promise {
    requirement: Requirement::Reentrant,
    answer: Answer::Yes,
    says: "a reentrant lock, counted by client and thread",
    source: PAGE,
};

pub(super) const ORDER: Promise = Promise {
    requirement: Requirement::Order,
    answer: Answer::No,
    says: "not fair: no order of acquires is guaranteed",
    source: "redisson/redisson, RedissonLock.java, class comment",
};

pub(super) const SILENT_LOSS: &str =
    "a holder whose lock expired is not notified: the watchdog finds the field gone and stops";
pub(super) const PHANTOM: &str = "an acquire with a lost reply is counted, so the next one of the same thread needs \
    two unlocks and gets one: the lock stays until it expires";

pub(super) const SOURCES: &[&str] = &[
    "redisson/redisson 4.7, RedissonLock.java, RedissonBaseLock.java, renewal/LockTask.java, renewal/RenewalTask.java, \
        command/RedisExecutor.java, config/BaseConfig.java",
    "Redisson, locks-and-synchronizers.md and configuration.md",
];
