//! The Amazon DynamoDB Lock Client (awslabs/amazon-dynamodb-lock-client 1.4, `AmazonDynamoDBLockClient.java`).
//!
//! The lock is an item with a record version number that every heartbeat changes. A client reads it consistently. If it
//! is absent or released, the client puts its own item under that condition. Otherwise it remembers the number and the
//! time at which it first saw it, by its own monotonic clock. It may replace the item once the number has not changed
//! for the lease duration in the item. No client compares its times with another's (README, "How we handle clock
//! skew").
//!
//! The owner counts its lease from before its write was sent, a waiter from after it read the item
//! (`putLockItemAndStartSessionMonitor`, `createLockItem`). The SDK's own retries are left out: the lock client's loops
//! follow.

mod acquire;
mod client;

use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::Task;
use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::acquire::{Acquiring, UNAVAILABLE};
use self::client::{Client, Condition, DynamoDbMessage, LockItem};
use super::timing::scaled;
use crate::grant::{Attempt, Grant, LockError, Reason};
use crate::history::{GrantId, ResourceId};
use crate::info::{
    Answer, BugInfo, Expiry, Family, LockInfo, Promise, Reentrancy, Requirement, VariantInfo, Verification,
};
use crate::lock::{Lock, Params};
use crate::servers::conditional::{ItemMessage, ItemStore};
use crate::site::Site;
use crate::wire::Ctx;

/// A client of `dynamodb`.
pub struct DynamoDb {
    client: Rc<Client>,
    _beats: Task,
    monitor: Option<Task>,
}

/// Parameters of `dynamodb`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DynamoDbParams {
    /// The lease duration: 20 s (`DEFAULT_LEASE_DURATION`).
    pub lease_duration: Span,
    /// The heartbeat period: 5 s (`DEFAULT_HEARTBEAT_PERIOD`).
    pub heartbeat_period: Span,
    /// A waiter's pause between two reads: 1 s (`DEFAULT_BUFFER_MS`).
    pub refresh_period: Span,
    /// The time that an acquire waits beyond one lease duration: 1 s (`DEFAULT_BUFFER_MS`).
    pub additional_time_to_wait: Span,
    /// Whether a release deletes the item or marks it as released. On by default (`AcquireLockOptionsBuilder`).
    pub delete_lock_on_release: bool,
    /// Whether acquiring a held lock returns it at once. Off by default: it blocks.
    pub reentrant: bool,
    /// Whether acquiring a held lock fails at once (`withShouldSkipBlockingWait`). Off by default: it waits. The client then
    /// remembers from one acquire to the next when it first saw the item.
    pub skip_blocking_wait: bool,
    /// The time without a heartbeat after which the user is notified (`withSessionMonitor`). Off by default.
    pub session_monitor: Option<Span>,
    /// Whether a heartbeat answered by "unavailable" (503) counts as a success (`holdLockOnServiceUnavailable`). Off by
    /// default.
    pub hold_lock_on_service_unavailable: bool,
    /// The timeout of a call: 30 s, the SDK's default (`SdkHttpConfigurationOption`, `DEFAULT_SOCKET_READ_TIMEOUT`).
    pub request_timeout: Span,
    /// The maximal time after a restart during which a connection is answered "unavailable". No document gives a
    /// figure, so it is zero here.
    pub unavailable_after_restart: Span,
}

const UNAVAILABLE_COUNTS: &str = "dynamodb-unavailable-counts";

impl Default for DynamoDbParams {
    fn default() -> Self {
        let seconds = |seconds| Span(Duration::from_secs(seconds));
        DynamoDbParams {
            lease_duration: seconds(20),
            heartbeat_period: seconds(5),
            refresh_period: seconds(1),
            additional_time_to_wait: seconds(1),
            delete_lock_on_release: true,
            reentrant: false,
            skip_blocking_wait: false,
            session_monitor: None,
            hold_lock_on_service_unavailable: false,
            request_timeout: seconds(30),
            unavailable_after_restart: seconds(0),
        }
    }
}

impl Params for DynamoDbParams {
    fn set_ttl(&mut self, ttl: Duration) {
        let lease = self.lease_duration.0;
        self.heartbeat_period = Span(scaled(self.heartbeat_period.0, lease, ttl));
        self.session_monitor = self.session_monitor.map(|safe| Span(scaled(safe.0, lease, ttl)));
        self.lease_duration = Span(ttl);
    }

    fn effective_expiry(&self) -> Option<Duration> {
        Some(self.lease_duration.0)
    }

    fn set_variant(&mut self, variant: &str) -> bool {
        self.skip_blocking_wait |= variant == "skip-blocking-wait";
        matches!(variant, "wait" | "skip-blocking-wait")
    }

    fn set_bug(&mut self, bug: &str, on: bool) -> bool {
        if bug == UNAVAILABLE_COUNTS {
            self.hold_lock_on_service_unavailable = on;
        }
        bug == UNAVAILABLE_COUNTS
    }

    /// The checks of the real client (its constructor, `sessionMonitorArgsValidate`).
    fn check(&self) -> Result<(), String> {
        let (lease, period) = (self.lease_duration.0, self.heartbeat_period.0);
        if period.is_zero() || self.refresh_period.0.is_zero() {
            return Err("`heartbeat_period` and `refresh_period` must be longer than zero".into());
        }
        if lease < 2 * period {
            return Err("`heartbeat_period` must be at most half of `lease_duration`".into());
        }
        match self.session_monitor {
            Some(Span(safe)) if safe <= period || safe >= lease => {
                Err("`session_monitor` must lie between `heartbeat_period` and `lease_duration`".into())
            }
            _ => Ok(()),
        }
    }
}

const README: &str = "awslabs/amazon-dynamodb-lock-client, README";
const ACQUIRE_LOCK: &str = "awslabs/amazon-dynamodb-lock-client, AmazonDynamoDBLockClient.java, acquireLock";

const PROMISES: &[Promise] = &[
    Promise {
        requirement: Requirement::Exclusive,
        answer: Answer::Conditional,
        says: "two boxes do not work on the same thing at once, even if their clocks disagree; a user should ask \
               isExpired before every operation, and must not set holdLockOnServiceUnavailable",
        source: "awslabs/amazon-dynamodb-lock-client, README, Use cases, How we handle clock skew; LockItem.java, \
                 ensure; AmazonDynamoDBLockClientOptions.java",
    },
    Promise {
        requirement: Requirement::AvoidsDeadlock,
        answer: Answer::Yes,
        says: "a lock without heartbeats is taken over after its lease duration, for which each waiter waits in full",
        source: ACQUIRE_LOCK,
    },
    Promise {
        requirement: Requirement::HighlyAvailable,
        answer: Answer::Silent,
        says: "it is as available as DynamoDB is",
        source: README,
    },
    Promise {
        requirement: Requirement::Reentrant,
        answer: Answer::Conditional,
        says: "with the option `reentrant` an owner gets its lock again; without it the call blocks",
        source: "awslabs/amazon-dynamodb-lock-client, AcquireLockOptions.java, withReentrant",
    },
    Promise {
        requirement: Requirement::Fencing,
        answer: Answer::No,
        says: "the record version number is a GUID, which has no order; the question has been open since 2017",
        source: "awslabs/amazon-dynamodb-lock-client, issues 1 and 62",
    },
    Promise {
        requirement: Requirement::Order,
        answer: Answer::Silent,
        says: "waiters poll; the first whose condition holds gets it",
        source: ACQUIRE_LOCK,
    },
];

impl DynamoDb {
    /// Notifies the user after `safe` without a heartbeat (`lockSessionMonitorChecker`).
    fn monitor(&self, grant: GrantId, safe: Duration) -> Task {
        let client = self.client.clone();
        self.client.ctx.spawn(async move {
            while let Some(item) = client.item_of(grant) {
                let danger = item.looked_up + safe;
                if client.ctx.mono() >= danger {
                    return client.ctx.report_lock_lost(grant);
                }
                client.ctx.sleep_until(danger).await;
            }
        })
    }

    /// The write that releases the lock: `releaseLock`.
    fn release_write(&self, item: &LockItem) -> DynamoDbMessage {
        let (resource, on_behalf, condition) = (self.client.resource, item.grant, Condition::Number(item.number));
        if self.client.params.delete_lock_on_release {
            return ItemMessage::Delete { resource, condition, on_behalf };
        }
        let row = self.client.row(item.grant, item.number, true);
        ItemMessage::Put { resource, condition, item: row, on_behalf }
    }
}

impl Lock for DynamoDb {
    const INFO: LockInfo = LockInfo::new(
        "dynamodb",
        "the Amazon DynamoDB Lock Client: an item with heartbeats, whose lease each waiter times itself",
    )
    .expectations(include_str!("expectations.toml"))
    .family(Family::ConditionalStore)
    .expiry(Expiry::WaiterMonotonicClock)
    .validity()
    .check("LockItem.isExpired(): local, by the client's monotonic clock")
    .loss_notice("only with withSessionMonitor, off by default: a callback after a time without a heartbeat")
    .timeout("withAdditionalTimeToWaitForLock, beyond one lease duration")
    .variants(&[
        VariantInfo {
            name: "wait",
            about: "an acquire waits up to a lease duration and a second; the default of the option",
            source: "awslabs/amazon-dynamodb-lock-client, AcquireLockOptions.java, withShouldSkipBlockingWait",
        },
        VariantInfo {
            name: "skip-blocking-wait",
            about: "an acquire of a held lock fails at once, and the client measures the lease across its acquires",
            source: "awslabs/amazon-dynamodb-lock-client 1.3.0, AmazonDynamoDBLockClient.java, notMyLocks",
        },
    ])
    .reentrancy(Reentrancy::SelfDeadlock)
    .promises(PROMISES)
    .bugs(&[BugInfo {
        name: UNAVAILABLE_COUNTS,
        about: "a heartbeat that is answered \"unavailable\" counts as a success (the option \
                    holdLockOnServiceUnavailable, whose text says that two clients may hold the lock then)",
        scenario: "bug-dynamodb-unavailable-counts",
        property: "effect-exclusion",
        source: "awslabs/amazon-dynamodb-lock-client, AmazonDynamoDBLockClientOptions.java, \
                     withHoldLockOnServiceUnavailable; AmazonDynamoDBLockClient.java, sendHeartbeat",
        since: "1.1.0",
        fixed_in: None,
        default_on: false,
    }])
    .verification(Verification::Source { version: "amazon-dynamodb-lock-client 1.4.0", read: "2026-12-01" })
    .sources(&["awslabs/amazon-dynamodb-lock-client 1.4: README, AmazonDynamoDBLockClient.java, LockItem.java, \
             AcquireLockOptions.java, AmazonDynamoDBLockClientOptions.java"]);
    type Params = DynamoDbParams;
    type Message = DynamoDbMessage;

    fn deploy(params: &DynamoDbParams, site: &mut Site<'_, DynamoDbMessage>) {
        site.server("dynamodb", ItemStore::new(params.unavailable_after_restart.0));
    }

    fn connect(params: &DynamoDbParams, ctx: Ctx<DynamoDbMessage>, resource: ResourceId) -> Self {
        let client = Client::new(params.clone(), ctx.clone(), resource);
        let beats = ctx.spawn(client.clone().run_heartbeats());
        DynamoDb { client, _beats: beats, monitor: None }
    }

    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        if let Some(item) = self.client.has_lock().filter(|_| self.client.params.reentrant) {
            return Ok(Grant { id: item.grant, token: None, valid_until: Some(item.expires) });
        }
        let grant = Acquiring::new(&self.client, attempt).run().await?;
        self.monitor = self.client.params.session_monitor.map(|safe| self.monitor(grant.id, safe.0));
        Ok(grant)
    }

    /// Heartbeats stop whatever the result.
    async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        self.client.wait_for_heartbeat().await;
        let item = self.client.item_of(grant.id).ok_or(LockError::Failed(Reason::NotHeld))?;
        self.client.stop_beating();
        let write = self.release_write(&item);
        let reply = self.client.ask(write, self.client.params.request_timeout.0, Some("release-sent")).await;
        if self.client.item_of(grant.id).is_some() {
            *self.client.item.borrow_mut() = None;
        }
        self.monitor = None;
        match reply? {
            ItemMessage::Written { .. } => Ok(()),
            ItemMessage::Unavailable => Err(UNAVAILABLE),
            _ => Err(LockError::Failed(Reason::NotHeld)),
        }
    }

    fn abandon(&mut self, grant: &Grant) {
        if self.client.item_of(grant.id).is_some() {
            self.client.stop_beating();
        }
    }

    /// `!lockItem.isExpired()`: only the clock counts, even if a heartbeat has learnt that another client has the lock.
    async fn check(&mut self, grant: &Grant) -> Result<bool, LockError> {
        Ok(self.client.item_of(grant.id).is_some_and(|item| !self.client.ctx.passed(item.expires)))
    }

    /// The user's loop around `acquireLock` pauses as long as the client between two reads.
    fn retry_delay(&mut self) -> Duration {
        self.client.params.refresh_period.0
    }

    fn info(params: &DynamoDbParams) -> LockInfo {
        match (params.reentrant, params.skip_blocking_wait) {
            (true, _) => Self::INFO.reentrancy(Reentrancy::Uncounted),
            // `acquireLock` throws LockCurrentlyUnavailableException at once.
            (false, true) => Self::INFO.reentrancy(Reentrancy::Refused),
            (false, false) => Self::INFO,
        }
    }

    /// One lease duration after a waiter first saw the last record version number (README, "Acquire lock with
    /// timeout"), by the waiter's monotonic clock: slow rates and stopped machines lengthen it, clock steps do not. A
    /// second one, since an acquire that gives up after one lease duration and a second drops its observation; and the
    /// timeouts of hanging calls.
    ///
    /// Progress has the same bound: a release or a put with an unknown outcome leaves an item that must expire first.
    fn takeover_bound(params: &DynamoDbParams, allowance: &BoundAllowance) -> Duration {
        let turns = 5 * params.refresh_period.0 + params.additional_time_to_wait.0;
        let hanging = 2 * params.request_timeout.0 + params.unavailable_after_restart.0;
        allowance.stretch_mono(2 * params.lease_duration.0 + turns) + allowance.reconnect + hanging
    }
}
