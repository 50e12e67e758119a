//! The page of takeover times matches the measurements.

use std::sync::Arc;

use fencepost_scenarios::file;
use fencepost_scenarios::file::shipped;
use fencepost_scenarios::property::{Property, Verdict};
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::case;
use fencepost_scenarios::run::cell::Cell;

#[path = "../examples/takeover.rs"]
mod example;

#[test]
fn the_page_of_takeover_times_is_up_to_date() {
    let stored = include_str!("../../docs/takeover.md");
    assert_eq!(example::page(), stored, "regenerate the page as it describes");
}

/// Bounds include the delay between attempts, so a lock also meets its bounds with a long delay.
#[test]
fn long_delays_between_attempts_violate_no_bound() {
    let registry = Registry::standard();
    for (name, property) in [("crash-takeover", Property::Takeover), ("server-restarts", Property::Progress)] {
        let text = shipped::scenario(name).expect("the scenario is shipped");
        let patient = text.replacen("wait_at_most", "retry_delay = \"9s\"\nwait_at_most", 1);
        let scenario = Arc::new(file::scenario(&registry, name, &patient).expect("a valid scenario"));
        assert_eq!(scenario.clients.retry_delay.as_secs(), 9);
        for lock in registry.locks() {
            let Some(expected) = scenario.expect.get(lock.name()).and_then(|expected| expected.get(&property)) else {
                continue;
            };
            let cell = Cell::new(&scenario, lock, &[]);
            let verdict = case::run(&cell, 0, None).result.verdict(property);
            let violated = *expected == file::Expectation::Violated;
            assert_eq!(verdict == Verdict::Violated, violated, "{name}/{}: {}", lock.name(), property.name());
        }
    }
}
