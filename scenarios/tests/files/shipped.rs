//! The fixtures of the tests.

use fencepost_scenarios::registry::Registry;

pub const SCENARIOS: [(&str, &str); 5] = [
    ("gc-pause-inventory", include_str!("fixtures/gc-pause-inventory.toml")),
    ("late-release", include_str!("fixtures/late-release.toml")),
    ("split-brain", include_str!("fixtures/split-brain.toml")),
    ("database-crash", include_str!("fixtures/database-crash.toml")),
    ("reproducer", include_str!("fixtures/reproducer.toml")),
];

pub const SUITE: &str = include_str!("fixtures/nightly.suite.toml");

pub fn registry() -> Registry {
    Registry::standard()
}
