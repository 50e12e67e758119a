//! The parameters and the facts of Redlock.

use std::time::Duration;

use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::using::JITTER_SHARE;
use crate::info::{
    Answer, BugInfo, Expiry, Family, LockInfo, Offers, Promise, Reentrancy, Requirement, VariantInfo, Verification,
};
use crate::lock::Params;
use crate::locks::redis_driver::{IOREDIS, JEDIS, Policy, REDIS_PY, REDSYNC};
use crate::locks::single_redis::{AVOIDS_DEADLOCK, FENCING, ORDER, REENTRANT};
use crate::servers::redis::Persistence;

/// An implementation of Redlock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Port {
    /// The algorithm of the page, with redlock-rb's constants and a monotonic clock.
    Paper,
    /// mike-marcacci/node-redlock 5, `using()`: at once, `Date.now()`, no timeout, extended automatically.
    #[default]
    NodeRedlock5,
    /// SPSCommerce/redlock-py: one master after another, `time.time()`.
    RedlockPy,
    /// go-redsync/redsync: at once, Go's monotonic clock.
    Redsync,
}

/// Parameters of `redlock`. The defaults are those of node-redlock 5; each variant sets its own.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedlockParams {
    /// The number of masters: 5 in the documentation's example.
    pub servers: u16,
    /// The auto-release time: 10 s in the documentation's example, and 8 s in redsync. The other ports require it from
    /// the caller.
    pub ttl: Span,
    /// The timeout of each master in `paper`: 5 to 50 ms for an auto-release time of 10 s in the documentation. The ports
    /// leave it to their drivers.
    pub node_timeout: Span,
    /// The number of attempts of an acquire: 11 in node-redlock 5 (`retryCount` 10), 3 in redlock-rb and redlock-py, 32
    /// in redsync.
    pub retry: u32,
    /// The delay between two attempts: 200 ms, more or less 100 ms, in node-redlock 5; up to 200 ms in redlock-rb;
    /// 200 ms in redlock-py; 50 to 250 ms in redsync (this is the maximum).
    pub retry_delay: Span,
    /// The share of the time to live, in ppm, allowed for clock drift: 1 % in all ports, beside 2 ms in all but redsync.
    pub drift_ppm: u32,
    /// node-redlock 5: the rest of the lock's time at which `using()` extends it.
    pub automatic_extension_threshold: Span,
    /// `paper`: the rest of the validity at which the client extends the lock, until it is released. None by default: the
    /// documentation leaves extensions to those who need them.
    pub extend: Option<Span>,
    /// Whether a crashed master refuses clients for longer than the time to live, which replaces persistence at the
    /// price of availability ("Performance, Crash Recovery and fsync"). Off by default.
    pub delayed_restart: bool,
    /// The persistence of the masters.
    pub persistence: Persistence,
    #[serde(skip)]
    #[schemars(skip)]
    port: Port,
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
            retry: 11,
            retry_delay: Span(Duration::from_millis(200)),
            drift_ppm: 10_000,
            automatic_extension_threshold: Span(Duration::from_millis(500)),
            extend: None,
            delayed_restart: false,
            persistence: Persistence::None,
            port: Port::NodeRedlock5,
            no_second_read: NO_SECOND_READ.default_on,
            expiry_before_retries: EXPIRY_BEFORE_RETRIES.default_on,
        }
    }
}

impl RedlockParams {
    pub(super) fn port(&self) -> Port {
        self.port
    }

    /// The names of the servers.
    pub(super) fn server_names(&self) -> Vec<String> {
        (1..=self.servers).map(|n| format!("redis-{n}")).collect()
    }

    /// How the driver of the port sends a command.
    pub(super) fn policy(&self) -> Policy {
        match self.port {
            Port::Paper => Policy { timeout: self.node_timeout.0, ..JEDIS },
            Port::NodeRedlock5 => IOREDIS,
            Port::RedlockPy => REDIS_PY,
            Port::Redsync => REDSYNC,
        }
    }

    /// The time to live less the allowance for drift.
    pub(super) fn validity(&self) -> Duration {
        self.ttl.0.saturating_sub(self.drift())
    }

    /// The time for which a crashed master refuses clients: "a bit more than the max TTL".
    /// The delays between the attempts of node-redlock, each the shortest. The acquires of other ports are one attempt.
    pub(super) fn own_patience(&self) -> Option<Duration> {
        let shortest = self.retry_delay.0 - self.retry_delay.0 / JITTER_SHARE;
        (self.port == Port::NodeRedlock5).then(|| shortest * (self.retry - 1))
    }

    pub(super) fn restart_delay(&self) -> Option<Duration> {
        self.delayed_restart.then(|| self.ttl.0 + self.drift())
    }

    pub(super) fn drift(&self) -> Duration {
        let least = if self.port == Port::Redsync { Duration::ZERO } else { Duration::from_millis(2) };
        self.ttl.0 * self.drift_ppm / 1_000_000 + least
    }

    /// The longest time of one attempt once all masters can be reached.
    pub(super) fn round(&self) -> Duration {
        2 * self.node_timeout.0 + 2 * self.retry_delay.0
    }

    pub(super) fn info(&self) -> LockInfo {
        let other = LockInfo { offers: NOTHING, bugs: &[], ..INFO };
        match self.port {
            Port::NodeRedlock5 => INFO,
            Port::Paper => other
                .check("local state: the end of the validity by the client's monotonic clock, as the page asks for")
                .validity()
                .reentrancy(Reentrancy::Refused)
                .bugs(&[NO_SECOND_READ])
                .verification(Verification::Documentation),
            Port::RedlockPy => other
                .validity()
                .reentrancy(Reentrancy::Refused)
                .verification(Verification::Source { version: "redlock-py 1.0.8 (42ef491)", read: "2026-12-01" }),
            Port::Redsync => other
                .check("Mutex.Until(): local state, the end of the validity by Go's monotonic clock")
                .timeout("the context of LockContext()")
                .validity()
                .verification(Verification::Source { version: "redsync v4.17.0 (5560bd2)", read: "2026-12-01" }),
        }
    }
}

impl Params for RedlockParams {
    fn set_ttl(&mut self, ttl: Duration) {
        self.ttl = Span(ttl);
    }

    fn effective_expiry(&self) -> Option<Duration> {
        Some(self.ttl.0)
    }

    /// Values that a file changed stay.
    fn set_variant(&mut self, variant: &str) -> bool {
        let (port, ttl, retry, retry_delay) = match variant {
            "node-redlock-5" => return true,
            "paper" => (Port::Paper, 10_000, 3, 200),
            "redlock-py" => (Port::RedlockPy, 10_000, 3, 200),
            "redsync" => (Port::Redsync, 8_000, 32, 250),
            _ => return false,
        };
        let default = RedlockParams::default();
        let replace = |value: &mut Span, own: Span, millis| {
            if *value == own {
                *value = Span(Duration::from_millis(millis));
            }
        };
        replace(&mut self.ttl, default.ttl, ttl);
        replace(&mut self.retry_delay, default.retry_delay, retry_delay);
        if self.retry == default.retry {
            self.retry = retry;
        }
        self.port = port;
        true
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
    source: "antirez, Is Redlock safe?, 2016; no released port of the sources read here",
    since: "a hypothetical port",
    fixed_in: None,
    default_on: false,
};

const EXPIRY_BEFORE_RETRIES: BugInfo = BugInfo {
    name: "redlock-expiry-before-retries",
    about: "counts the lock's time from before the first of several tries, so that a lock acquired by a late attempt \
        counts as expired and is never extended",
    scenario: "bug-redlock-expiry-before-retries",
    property: "effect-exclusion",
    source: "mike-marcacci/node-redlock, src/index.ts acquire() at v5.0.0-alpha.0 to v5.0.0-beta.2; issues #296 and \
        #299; pull request #276 (5138813, June 2023) is not released",
    since: "5.0.0-alpha.0",
    fixed_in: None,
    default_on: true,
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

const NOTHING: Offers = LockInfo::new("", "").offers;

const VARIANTS: &[VariantInfo] = &[
    VariantInfo {
        name: "node-redlock-5",
        about: "using() of node-redlock 5: Date.now(), no timeout, extended automatically. The default, because the npm \
            package redlock is the most used port: 3.3 million downloads a month, redlock-py 4,500",
        source: "mike-marcacci/node-redlock v5.0.0-beta.2, src/index.ts; npm and PyPI download counts of 2026",
    },
    VariantInfo {
        name: "paper",
        about: "the algorithm of the page, with a monotonic clock and 50 ms a master; no port keeps all of it",
        source: "redis.io, Distributed Locks with Redis, The Redlock Algorithm; antirez/redlock-rb, redlock.rb",
    },
    VariantInfo {
        name: "redlock-py",
        about: "one master after another by the wall clock; raises without unlocking if a quorum agreed and a master failed",
        source: "SPSCommerce/redlock-py 1.0.8, redlock/__init__.py",
    },
    VariantInfo {
        name: "redsync",
        about: "all masters at once by Go's monotonic clock, waits for all replies; 8 s, 32 tries",
        source: "go-redsync/redsync v4.17.0, mutex.go and redsync.go",
    },
];

pub(super) const INFO: LockInfo = LockInfo::new("redlock", "SET NX PX on a majority of N independent Redis masters")
    .expectations(include_str!("expectations.toml"))
    .family(Family::Redis)
    .expiry(Expiry::ServerWallClock)
    .replicated()
    .check("signal.aborted of using(): local state")
    .loss_notice("using() aborts its signal once an extension has failed and the lock has expired by Date.now()")
    .variants(VARIANTS)
    .reentrancy(Reentrancy::SelfDeadlock)
    .promises(&[EXCLUSIVE, AVOIDS_DEADLOCK, HIGHLY_AVAILABLE, REENTRANT, FENCING, ORDER])
    .bugs(&[EXPIRY_BEFORE_RETRIES, NO_SECOND_READ])
    .flawed_defaults(&["an extension without an answer is never given up, so the signal of a client that is cut off stays"])
    .verification(Verification::Source { version: "node-redlock v5.0.0-beta.2", read: "2026-12-01" })
    .sources(&[
        "redis.io, Distributed Locks with Redis, The Redlock Algorithm",
        "antirez/redlock-rb, redlock.rb: 3 tries, up to 200 ms between, drift factor 0.01 and 2 ms, wall clock, in turn",
        "mike-marcacci/node-redlock v5.0.0-beta.2, src/index.ts",
        "SPSCommerce/redlock-py 1.0.8, redlock/__init__.py",
        "go-redsync/redsync v4.17.0, mutex.go",
    ]);
