//! The standard suite shows what its scenarios expect.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, Range};

use fencepost_scenarios::file::shipped::{SCENARIOS, SUITES};
use fencepost_scenarios::file::{self, Expectation, Suite};
use fencepost_scenarios::property::{Property, Verdict};
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::run::job::Job;

use crate::lab::{parsed, run, shipped};

/// What holds must hold at so many of the suite's seeds here; every run of the suite judges all of them. What is
/// violated may take all of the suite's seeds to show.
const SEEDS_THAT_HOLD: u64 = 50;

fn standard() -> Suite {
    let (name, text) = SUITES[0];
    file::suite(&Registry::standard(), name, text).unwrap_or_else(|problems| panic!("{}", problems[0]))
}

/// What a cell has shown so far, against what it is expected to show.
struct Judge {
    cell: Cell,
    expected: BTreeMap<Property, Expectation>,
    violated: BTreeMap<Property, u64>,
}

impl Judge {
    fn of(cell: Cell, expected: &BTreeMap<Property, Expectation>) -> Self {
        Judge { cell, expected: expected.clone(), violated: BTreeMap::new() }
    }

    fn add(&mut self, seed: u64, verdict: impl Fn(Property) -> Verdict) {
        for property in self.expected.keys() {
            if verdict(*property) == Verdict::Violated {
                self.violated.entry(*property).or_insert(seed);
            }
        }
    }

    fn still_to_show(&self) -> bool {
        self.unkept().any(|(_, expected)| expected == Expectation::Violated)
    }

    fn unkept(&self) -> impl Iterator<Item = (Property, Expectation)> {
        (self.expected.iter().map(|(property, expected)| (*property, *expected))).filter(|(property, expected)| {
            let violated = self.violated.contains_key(property);
            violated != (*expected == Expectation::Violated)
        })
    }

    fn problems(&self) -> impl Iterator<Item = String> {
        let (scenario, lock) = (&self.cell.header.scenario, &self.cell.header.lock);
        self.unkept().map(move |(property, expected)| {
            let first = self.violated.get(&property);
            format!("{scenario}/{lock}: {} should be {expected:?}; violated first by {first:?}", property.name())
        })
    }
}

fn judge_at(seeds: Range<u64>, mut judges: Vec<&mut Judge>) {
    let cells = judges.iter().map(|judge| judge.cell.clone()).collect();
    let job = Job { cells, seeds, threads: 2, ..Job::default() };
    job.run(|cell, seed, result| {
        judges[cell].add(seed, |property| result.verdict(property));
        ControlFlow::Continue(())
    })
    .expect("no panic");
}

#[test]
fn every_expectation_is_kept() {
    let registry = Registry::standard();
    let mut judges = Vec::new();
    let mut problems = Vec::new();
    for (name, text) in SCENARIOS {
        let scenario = parsed(text);
        for cell in Cell::all(&registry, &scenario, None, &[]) {
            let Some(expected) = scenario.expect.get(&cell.header.lock) else { continue };
            if !cell.header.applicable {
                problems.push(format!("{name}: {} is expected to show something, but cannot run", cell.header.lock));
            }
            judges.push(Judge::of(cell, expected));
        }
    }
    let seeds = standard().seeds.expect("the suite says how many seeds");
    judge_at(0..SEEDS_THAT_HOLD, judges.iter_mut().collect());
    judge_at(SEEDS_THAT_HOLD..seeds, judges.iter_mut().filter(|judge| judge.still_to_show()).collect());
    problems.extend(judges.iter().flat_map(Judge::problems));
    assert!(problems.is_empty(), "{} expectations are not kept:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn every_shipped_scenario_says_what_it_is_for_and_what_it_expects() {
    let shipped: BTreeSet<&str> = SCENARIOS.iter().map(|(name, _)| *name).collect();
    assert_eq!(shipped.len(), SCENARIOS.len(), "every name once");
    assert!(standard().scenarios.iter().all(|name| shipped.contains(name.as_str())));
    for (name, text) in SCENARIOS {
        let scenario = parsed(text);
        assert_eq!(scenario.name, *name);
        assert!(scenario.about.ends_with('.'), "{name} says what it is for, in a sentence");
        assert!(!scenario.expect.is_empty(), "{name} expects something");
    }
}

#[test]
fn when_nothing_goes_wrong_every_lock_keeps_every_promise() {
    let quiet = shipped("quiet");
    for lock in Registry::standard().locks().iter().filter(|lock| lock.name() != "none") {
        run(&quiet, lock.name(), 200).keeps_everything();
    }
    let none = run(&quiet, "none", 200);
    assert_eq!(none.violated(Property::NoLostUpdate), 200, "without a lock every case loses updates");
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
        let cell = Cell::new(&parsed(&shipped(name)), registry.lock("redis-set-px").expect("a lock"), &[]);
        assert_eq!(cell.header.dose, Some(dose), "{name}");
    }
}
