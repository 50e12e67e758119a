//! The shipped scenarios meet their expectations.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use fencepost_scenarios::file::shipped::{SCENARIOS, SUITES};
use fencepost_scenarios::file::{self, Expectation, Suite};
use fencepost_scenarios::property::{Property, Verdict};
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::case_result::CaseResult;
use fencepost_scenarios::run::cell::Cell;
use fencepost_testkit::{parse, run, run_cells, shipped};

/// The number of seeds at which `cargo test` checks properties that must hold: one chunk of a job. All seeds of the suite
/// are checked by `.ci/run expectations`. Cells with an expected violation run until it occurs.
const SEEDS_THAT_HOLD: u64 = 16;

fn standard() -> Suite {
    let (name, text) = SUITES[0];
    file::suite(&Registry::standard(), name, text).unwrap_or_else(|problems| panic!("{}", problems[0]))
}

/// The expectations of a cell, and the first seed that violates each property.
struct Expected {
    cell: Cell,
    expected: BTreeMap<Property, Expectation>,
    violated: BTreeMap<Property, u64>,
}

impl Expected {
    fn add(&mut self, seed: u64, result: &CaseResult) {
        for property in self.expected.keys() {
            if result.verdict(*property) == Verdict::Violated {
                self.violated.entry(*property).or_insert(seed);
            }
        }
    }

    fn is_missing_a_violation(&self) -> bool {
        self.unmet().any(|(_, expected)| expected == Expectation::Violated)
    }

    fn unmet(&self) -> impl Iterator<Item = (Property, Expectation)> {
        (self.expected.iter().map(|(property, expected)| (*property, *expected))).filter(|(property, expected)| {
            let violated = self.violated.contains_key(property);
            violated != (*expected == Expectation::Violated)
        })
    }

    fn problems(&self) -> impl Iterator<Item = String> {
        let (scenario, lock) = (&self.cell.header.scenario, &self.cell.header.lock);
        self.unmet().map(move |(property, expected)| {
            let first = self.violated.get(&property);
            format!("{scenario}/{lock}: {} should be {expected:?}; first violating seed: {first:?}", property.name())
        })
    }
}

/// Runs every cell for at least `seeds_that_hold` seeds, and until each expected violation has occurred.
fn assert_expectations(seeds_that_hold: u64) {
    let registry = Registry::standard();
    let (mut cells, mut problems) = (Vec::new(), Vec::new());
    for (name, text) in SCENARIOS {
        let scenario = parse(text);
        for cell in Cell::all(&registry, &scenario, None, &[]) {
            let Some(expected) = scenario.expect.get(&cell.header.lock).cloned() else { continue };
            // Classes include locks whose library offers no check.
            if scenario.clients.check_before_write && cell.lock.info.offers.check.is_none() {
                continue;
            }
            if !cell.header.applicable {
                problems.push(format!("{name}: {} has expectations, but cannot run", cell.header.lock));
            }
            cells.push(Expected { cell, expected, violated: BTreeMap::new() });
        }
    }
    let seeds = standard().seeds.expect("the suite states its number of seeds");
    run_cells(cells.iter().map(|expected| expected.cell.clone()).collect(), 0..seeds, |cell, seed, result| {
        cells[cell].add(seed, result);
        let enough = seed + 1 >= seeds_that_hold && !cells[cell].is_missing_a_violation();
        if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    problems.extend(cells.iter().flat_map(Expected::problems));
    assert!(problems.is_empty(), "{} expectations are not met:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn every_expectation_is_met() {
    assert_expectations(SEEDS_THAT_HOLD);
}

#[test]
#[ignore = "takes 10 minutes: `.ci/run expectations`"]
fn every_expectation_is_met_at_all_seeds_of_the_suite() {
    assert_expectations(u64::MAX);
}

#[test]
fn every_shipped_scenario_has_a_purpose_and_expectations() {
    let shipped: BTreeSet<&str> = SCENARIOS.iter().map(|(name, _)| *name).collect();
    assert_eq!(shipped.len(), SCENARIOS.len(), "every name once");
    assert!(standard().scenarios.iter().all(|name| shipped.contains(name.as_str())));
    for (name, text) in SCENARIOS {
        let scenario = parse(text);
        assert_eq!(scenario.name, *name);
        assert!(scenario.about.ends_with('.'), "`about` of {name} is a sentence");
        assert!(!scenario.expect.is_empty(), "{name} has expectations");
    }
}

#[test]
fn without_faults_every_lock_holds_everything() {
    let quiet = shipped("quiet");
    for lock in Registry::standard().locks().iter().filter(|lock| lock.name() != "none") {
        run(&quiet, lock.name(), 50).holds_everything();
    }
    let none = run(&quiet, "none", 50);
    assert_eq!(none.violated(Property::NoLostUpdate), 50, "without a lock every case loses updates");
}

#[test]
fn doses_are_shares_of_the_lease() {
    let registry = Registry::standard();
    for (name, dose) in [
        ("dose-025", 0.25),
        ("dose-050", 0.5),
        ("dose-090", 0.9),
        ("dose-110", 1.1),
        ("dose-150", 1.5),
        ("dose-300", 3.0),
    ] {
        let cell = Cell::new(&parse(&shipped(name)), registry.lock("redis-set-px").expect("a lock"), &[]);
        assert_eq!(cell.header.dose, Some(dose), "{name}");
    }
}
