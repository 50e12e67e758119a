//! The parameters of `sql-lease-row`.

use std::time::Duration;

use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::promises::BLIND_UNLOCK;
use crate::lock::Params;
use crate::servers::sql::{FAILOVER_AFTER, Pool, REPLICATION_LAG, Standby, StandbyMode};

/// Parameters of `sql-lease-row`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SqlLeaseRowParams {
    /// `lockAtMostFor`: the time from the start of the attempt after which the row is unlocked. It has no default; the
    /// README's first example has 10 minutes (`defaultLockAtMostFor = "10m"`).
    pub lock_at_most: Span,
    /// `lockAtLeastFor`: the time from the start of the attempt for which a release leaves the row locked. None by
    /// default.
    pub lock_at_least: Span,
    /// The clock of the statements. The application server's by default; `usingDbTime()` for the database's, which the
    /// README strongly recommends.
    pub clock: Clock,
    /// Whether the lock is extended every half of `lock_at_most` (`KeepAliveLockProvider`). Off by default: it is a
    /// separate wrapper. It rejects a `lock_at_most` below 30 s.
    pub keep_alive: bool,
    /// The call that checks the lock before a write.
    pub check: CheckCall,
    /// The timeout of a statement. `"0s"`, the default: until the stream fails (MySQL Connector/J and pgjdbc,
    /// `socketTimeout`).
    pub socket_timeout: Span,
    /// How a standby takes over from a failed primary. None by default.
    pub standby: StandbyMode,
    /// The delay of a commit at an asynchronous standby, beside the network's latency.
    pub replication_lag: Span,
    /// The silence of the primary after which the standby takes over, or the time to live of the leader key: `ttl` of
    /// Patroni, 30 s by default.
    pub failover_after: Span,
    /// The time after which a commit no longer waits for a silent standby: `rpl_semi_sync_source_timeout` of MySQL, which
    /// is 10 s there. `"0s"`, the default: never, as with `synchronous_standby_names` of PostgreSQL.
    pub sync_timeout: Span,
    /// The pool between the program and the database. None by default; Spring Boot uses HikariCP.
    pub pool: Pool,
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) blind_unlock: bool,
}

/// The wall clock of the statements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// Each client's own, read before its statement is sent.
    #[default]
    Client,
    /// The database's, read when it executes the statement.
    Database,
}

/// The call that checks the lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CheckCall {
    /// `LockAssert.assertLocked()`, which reads a variable of the thread: true until the release.
    #[default]
    LockAssert,
    /// `LockExtender.extendActiveLock()`, which extends the row by `lock_at_most` and fails if it has expired.
    LockExtender,
}

/// The shortest `lock_at_most` of an extended lock (ShedLock, KeepAliveLockProvider.java).
const SHORTEST_KEPT_ALIVE: Duration = Duration::from_secs(30);

impl Default for SqlLeaseRowParams {
    fn default() -> Self {
        SqlLeaseRowParams {
            lock_at_most: Span(Duration::from_secs(600)),
            lock_at_least: Span(Duration::ZERO),
            clock: Clock::Client,
            keep_alive: false,
            check: CheckCall::LockAssert,
            socket_timeout: Span(Duration::ZERO),
            standby: StandbyMode::None,
            replication_lag: Span(REPLICATION_LAG),
            failover_after: Span(FAILOVER_AFTER),
            sync_timeout: Span(Duration::ZERO),
            pool: Pool::None,
            blind_unlock: false,
        }
    }
}

impl SqlLeaseRowParams {
    /// The standby, if there is one.
    pub(super) fn rules(&self) -> Option<Standby> {
        Standby::when(self.standby, self.replication_lag.0, self.failover_after.0, self.sync_timeout.0)
    }
}

impl Params for SqlLeaseRowParams {
    fn set_ttl(&mut self, ttl: Duration) {
        self.lock_at_most = Span(if self.keep_alive { ttl.max(SHORTEST_KEPT_ALIVE) } else { ttl });
    }

    fn effective_expiry(&self) -> Option<Duration> {
        Some(self.lock_at_most.0)
    }

    fn set_bug(&mut self, bug: &str, on: bool) -> bool {
        let known = bug == BLIND_UNLOCK.name;
        if known {
            self.blind_unlock = on;
        }
        known
    }

    fn check(&self) -> Result<(), String> {
        if self.keep_alive && self.lock_at_most.0 < SHORTEST_KEPT_ALIVE {
            return Err("`keep_alive` needs a `lock_at_most` of at least 30s".into());
        }
        if self.keep_alive && self.check == CheckCall::LockExtender {
            return Err("KeepAliveLockProvider supports no `check = \"lock-extender\"`".into());
        }
        if self.lock_at_least.0 > self.lock_at_most.0 {
            return Err("`lock_at_least` is longer than `lock_at_most`".into());
        }
        if self.blind_unlock && self.clock == Clock::Database {
            return Err("shedlock-blind-unlock needs `clock = \"client\"`: the statements of `usingDbTime()` always \
                        compared `locked_by`"
                .into());
        }
        self.standby.check(self.failover_after.0)
    }
}
