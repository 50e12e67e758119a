//! Runs scenarios and says what came of them.

#![allow(dead_code, reason = "every test binary uses its own part")]

use std::ops::ControlFlow;
use std::sync::Arc;

use fencepost_scenarios::file::shipped;
use fencepost_scenarios::file::{self, Scenario};
use fencepost_scenarios::property::Property;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::case_result::CaseResult;
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::run::job::Job;
use fencepost_scenarios::run::results::CellResult;

/// The locks whose holder is somebody until a time runs out, and who guard a store of their own.
pub const LEASES: [&str; 4] = ["lease-server", "redis-set-px-del", "redis-set-px", "redlock"];

/// The locks that live in the store that they guard.
pub const IN_STORE: [&str; 2] = ["sql-for-update", "sql-version"];

/// The text of a shipped scenario.
pub fn shipped(name: &str) -> String {
    let found = shipped::SCENARIOS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("no scenario {name} is shipped")).1.into()
}

/// A shipped scenario with some of its text replaced; what it expects is left out, since it would no longer be true.
pub fn altered(name: &str, changes: &[(&str, &str)]) -> String {
    let text = shipped(name);
    let mut text = text.split("\n[expect]").next().unwrap_or_default().to_string();
    for (from, to) in changes {
        assert!(text.contains(from), "{name} does not say {from}");
        text = text.replace(from, to);
    }
    text
}

pub fn parsed(text: &str) -> Arc<Scenario> {
    let scenario = file::scenario(&Registry::standard(), "scenario.toml", text);
    Arc::new(scenario.unwrap_or_else(|problems| panic!("{}\n{text}", problems[0])))
}

/// What a lock's cases came to.
pub struct Seen {
    what: String,
    result: CellResult,
    pub cases: Vec<CaseResult>,
}

pub fn run(text: &str, lock: &str, seeds: u64) -> Seen {
    run_with_bugs(text, lock, &[], seeds)
}

pub fn run_with_bugs(text: &str, lock: &str, bugs: &[&str], seeds: u64) -> Seen {
    let registry = Registry::standard();
    let bugs: Vec<String> = bugs.iter().map(|bug| bug.to_string()).collect();
    let cell = Cell::new(&parsed(text), registry.lock(lock).expect("a known lock"), &bugs);
    assert!(cell.header.applicable, "{lock} in {text}: {:?}", cell.header.reason);
    let what = format!("{lock} in {}", cell.header.scenario);
    let job = Job { cells: vec![cell], seeds: 0..seeds, threads: 1, ..Job::default() };
    let mut seen = Seen { what, result: CellResult::default(), cases: Vec::new() };
    job.run(|_, seed, case| {
        seen.result.add(seed, case);
        seen.cases.push(case.clone());
        ControlFlow::Continue(())
    })
    .expect("no case panics");
    seen
}

impl Seen {
    /// In how many cases the property was violated.
    pub fn violated(&self, property: Property) -> u64 {
        self.result.property(property).violated
    }

    /// In how many cases the property had a meaning, and was judged.
    pub fn judged(&self, property: Property) -> u64 {
        let count = self.result.property(property);
        count.holds + count.violated
    }

    /// The sum of a metric over all cases.
    pub fn total(&self, metric: &str) -> u128 {
        self.result.metric(metric).unwrap_or_else(|| panic!("no metric {metric}")).total()
    }

    /// What it came to must have happened in some case.
    #[track_caller]
    pub fn breaks(&self, properties: &[Property]) -> &Self {
        for property in properties {
            assert!(self.violated(*property) > 0, "{}: {} was never violated", self.what, property.name());
        }
        self
    }

    /// It must not have happened in any case.
    #[track_caller]
    pub fn keeps(&self, properties: &[Property]) -> &Self {
        for property in properties {
            let first = self.result.property(*property).first_seed;
            assert_eq!(first, None, "{}: {} was violated, first by this seed", self.what, property.name());
        }
        self
    }

    /// Every property that has a meaning here was judged, and holds.
    #[track_caller]
    pub fn keeps_everything(&self) {
        self.keeps(&Property::ALL);
        for (property, count) in self.result.properties() {
            assert_eq!(count.unknown, 0, "{}: {} was left open", self.what, property.name());
        }
    }
}
