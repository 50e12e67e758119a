//! Locks that exist by name only, and the files of the tests.

use fencepost_scenarios::registry::{LockEntry, LockSpec, Registry};
use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::Deserialize;

pub const SCENARIOS: [(&str, &str); 5] = [
    ("gc-pause-inventory", include_str!("fixtures/gc-pause-inventory.toml")),
    ("late-release", include_str!("fixtures/late-release.toml")),
    ("split-brain", include_str!("fixtures/split-brain.toml")),
    ("database-crash", include_str!("fixtures/database-crash.toml")),
    ("reproducer", include_str!("fixtures/reproducer.toml")),
];

pub const SUITE: &str = include_str!("fixtures/nightly.suite.toml");

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

/// Parameters of a lock on one Redis.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedisParams {
    /// The time between two attempts.
    pub retry_every: Span,
}

/// Parameters of Redlock.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedlockParams {
    /// How many servers there are.
    pub servers: u8,
    /// How often an attempt is made.
    pub retry: u32,
}

impl Default for RedlockParams {
    fn default() -> Self {
        RedlockParams { servers: 5, retry: 1 }
    }
}

macro_rules! fake_lock {
    ($type:ident, $name:literal, $params:ty, $nodes:expr) => {
        struct $type;

        impl LockSpec for $type {
            const NAME: &'static str = $name;
            type Params = $params;

            fn nodes(params: &$params) -> Vec<String> {
                let nodes: fn(&$params) -> Vec<String> = $nodes;
                nodes(params)
            }
        }
    };
}

fake_lock!(NoLock, "none", NoParams, |_| vec![]);
fake_lock!(LeaseServer, "lease-server", NoParams, |_| vec!["lease-server".into()]);
fake_lock!(BlindDelete, "redis-set-px-del", RedisParams, |_| vec!["redis-1".into()]);
fake_lock!(ComparedDelete, "redis-set-px", RedisParams, |_| vec!["redis-1".into()]);
fake_lock!(Redlock, "redlock", RedlockParams, |params| (1..=params.servers).map(|n| format!("redis-{n}")).collect());
fake_lock!(ForUpdate, "sql-for-update", NoParams, |_| vec!["sql".into()]);
fake_lock!(Version, "sql-version", NoParams, |_| vec!["sql".into()]);

pub fn registry() -> Registry {
    Registry::standard()
        .lock_entry(LockEntry::of::<NoLock>())
        .lock_entry(LockEntry::of::<LeaseServer>())
        .lock_entry(LockEntry::of::<BlindDelete>())
        .lock_entry(LockEntry::of::<ComparedDelete>())
        .lock_entry(LockEntry::of::<Redlock>())
        .lock_entry(LockEntry::of::<ForUpdate>())
        .lock_entry(LockEntry::of::<Version>())
}
