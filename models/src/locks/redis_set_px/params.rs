//! The parameters and the facts of `redis-set-px` and its variants.

use std::time::Duration;

use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::info::{
    Answer, Expiry, Family, LockInfo, Offers, Promise, Reentrancy, Requirement, VariantInfo, Verification,
};
use crate::lock::Params;
use crate::locks::redis_driver::{GO_REDIS, JEDIS, LETTUCE, Policy, REDIS_PY};
use crate::locks::single_redis::{AVOIDS_DEADLOCK, FENCING, HIGHLY_AVAILABLE, ORDER, OWNED, REENTRANT};
use crate::servers::redis::Persistence;

/// A library, or the page that describes the pattern.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Port {
    /// `redis.lock.Lock` (redis/redis-py, redis/lock.py).
    #[default]
    RedisPy,
    /// The page, and nothing else.
    Docs,
    /// The page, with a deadline that the program keeps itself.
    DocsDeadline,
    /// bsm/redislock, for Go.
    Redislock,
    /// Spring Integration's `RedisLockRegistry`.
    Spring,
}

/// Parameters of `redis-set-px`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedisPxParams {
    /// The key's time to live: 30 s as in the documentation's example. redis-py's `timeout` defaults to none, and
    /// redislock requires one. Spring's default is 60 s, which the variant sets.
    pub ttl: Span,
    /// The persistence of the server.
    pub persistence: Persistence,
    #[serde(skip)]
    #[schemars(skip)]
    port: Port,
}

const DOCUMENTED_TTL: Span = Span(Duration::from_secs(30));

/// `RedisLockRegistry.DEFAULT_EXPIRE_AFTER`.
const SPRING_TTL: Span = Span(Duration::from_secs(60));

impl Default for RedisPxParams {
    fn default() -> Self {
        RedisPxParams { ttl: DOCUMENTED_TTL, persistence: Persistence::None, port: Port::RedisPy }
    }
}

impl RedisPxParams {
    pub(super) fn port(&self) -> Port {
        self.port
    }

    pub(super) fn info(&self) -> LockInfo {
        let offers_nothing = LockInfo { offers: NOTHING, ..INFO };
        match self.port {
            Port::RedisPy => INFO,
            Port::Docs => offers_nothing.reentrancy(Reentrancy::Refused).validity().verification(PAGE_ONLY),
            Port::DocsDeadline => {
                offers_nothing.check(OWN_DEADLINE).reentrancy(Reentrancy::Refused).validity().verification(PAGE_ONLY)
            }
            Port::Redislock => offers_nothing
                .check("Lock.TTL(): asks the server by a script that compares the value (pttl.lua)")
                .timeout("RetryStrategy and the context of Obtain()")
                .reentrancy(Reentrancy::Refused)
                .verification(Verification::Source { version: "redislock v0.9.4 (76760bd)", read: "2026-12-01" }),
            Port::Spring => offers_nothing
                .timeout("tryLock(time, unit)")
                .reentrancy(Reentrancy::Counted)
                .verification(Verification::Source { version: "Spring Integration 7 (0000434f)", read: "2026-12-01" }),
        }
    }
}

impl Port {
    /// The rules of the driver.
    pub(super) const fn policy(self) -> Policy {
        match self {
            Port::RedisPy => REDIS_PY,
            Port::Docs | Port::DocsDeadline => JEDIS,
            Port::Redislock => GO_REDIS,
            Port::Spring => LETTUCE,
        }
    }

    /// Whether the client knows until when the lock is valid. The page calls the time to live the lock's validity.
    pub(super) const fn has_validity(self) -> bool {
        matches!(self, Port::Docs | Port::DocsDeadline)
    }
}

impl Params for RedisPxParams {
    fn set_ttl(&mut self, ttl: Duration) {
        self.ttl = Span(ttl);
    }

    fn effective_expiry(&self) -> Option<Duration> {
        Some(self.ttl.0)
    }

    fn set_variant(&mut self, variant: &str) -> bool {
        self.port = match variant {
            "redis-py" => Port::RedisPy,
            "docs" => Port::Docs,
            "docs-deadline" => Port::DocsDeadline,
            "redislock" => Port::Redislock,
            "spring" => Port::Spring,
            _ => return false,
        };
        if self.port == Port::Spring && self.ttl == DOCUMENTED_TTL {
            self.ttl = SPRING_TTL;
        }
        true
    }
}

/// The check that a program writes itself.
pub(in crate::locks) const OWN_DEADLINE: &str =
    "none in any library: the program compares its own monotonic clock with the end of the key's time";

const PAGE: &str = "redis.io, Distributed Locks with Redis, Correct Implementation with a Single Instance";

const PAGE_ONLY: Verification = Verification::Documentation;

const NOTHING: Offers = LockInfo::new("", "").offers;

const EXCLUSIVE: Promise = Promise {
    requirement: Requirement::Exclusive,
    answer: Answer::Conditional,
    says: "safe on a single instance that is always available, for the time of the key's validity; a shift of the \
           server's wall clock may let a second client in",
    source: "redis.io, Distributed Locks with Redis, Correct Implementation with a Single Instance; \
                Disclaimer about consistency",
};

const VARIANTS: &[VariantInfo] = &[
    VariantInfo {
        name: "redis-py",
        about: "the Lock of redis-py. The default, because most programs use the lock of their library, and this one comes \
            with the client that the documentation of Redis names for Python",
        source: "redis/redis-py 8.1.0, redis/lock.py; redis.io, Clients, Python",
    },
    VariantInfo { name: "docs", about: "the pattern as the page of Redis has it, which has no check", source: PAGE },
    VariantInfo {
        name: "docs-deadline",
        about: "the pattern of the page, and a deadline check that the program writes itself; no library offers it",
        source: PAGE,
    },
    VariantInfo {
        name: "redislock",
        about: "bsm/redislock for Go: Obtain without retries, TTL() asks the server",
        source: "bsm/redislock v0.9.4, redislock.go and obtain.lua",
    },
    VariantInfo {
        name: "spring",
        about: "Spring Integration's RedisLockRegistry: 60 s, one value a process, counted by a local ReentrantLock",
        source: "spring-projects/spring-integration, RedisLockRegistry.java at 0000434f",
    },
];

pub(super) const INFO: LockInfo =
    LockInfo::new("redis-set-px", "one Redis: SET NX PX, released by a script that compares the value")
        .expectations(include_str!("expectations.toml"))
        .family(Family::Redis)
        .expiry(Expiry::ServerWallClock)
        .check(OWNED)
        .timeout("Lock.acquire(blocking_timeout=…)")
        .variants(VARIANTS)
        .reentrancy(Reentrancy::SelfDeadlock)
        .promises(&[EXCLUSIVE, AVOIDS_DEADLOCK, HIGHLY_AVAILABLE, REENTRANT, FENCING, ORDER])
        .flawed_defaults(&[
            "a SET whose reply is lost is repeated, finds the client's own key, and the client waits until it expires",
        ])
        .verification(Verification::Source { version: "redis-py 8.1.0 (34817ce2)", read: "2026-12-01" })
        .sources(&[PAGE, "redis/redis-py 8.1.0, redis/lock.py, redis/client.py, redis/retry.py, redis/_defaults.py"]);
