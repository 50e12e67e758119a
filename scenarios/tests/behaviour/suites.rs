//! The suites contain what they state, swarms draw their cases, and the clean list is clean.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use fencepost_scenarios::file::shipped::{SCENARIOS, SUITES};
use fencepost_scenarios::file::{self, Scenario, Suite};
use fencepost_scenarios::property::Verdict;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::case;
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::run::clean::must_be_clean;
use fencepost_scenarios::workload::Workload;
use fencepost_testkit::{parse, run_cells, shipped};

/// Seeds that no suite uses; `.ci/run clean` runs more of them.
const CLEAN_SEEDS: std::ops::Range<u64> = 1_000_000..1_000_012;

fn suites() -> Vec<Suite> {
    let read = |(name, text): &(&str, &str)| {
        file::suite(&Registry::standard(), name, text).unwrap_or_else(|problems| panic!("{}", problems[0]))
    };
    SUITES.iter().map(read).collect()
}

fn suite(name: &str) -> Suite {
    suites().into_iter().find(|suite| suite.name == name).unwrap_or_else(|| panic!("no suite {name}"))
}

fn scenarios_of(name: &str) -> Vec<std::sync::Arc<Scenario>> {
    suite(name).scenarios.iter().map(|name| parse(&shipped(name))).collect()
}

#[test]
fn every_scenario_is_in_a_suite_and_no_suite_has_its_name() {
    let suites = suites();
    let listed: BTreeSet<&str> = suites.iter().flat_map(|suite| suite.scenarios.iter().map(String::as_str)).collect();
    for (name, _) in SCENARIOS {
        assert!(listed.contains(name), "{name} is in no suite");
        assert!(suites.iter().all(|suite| suite.name != *name), "{name} is a suite and a scenario");
    }
    for suite in &suites {
        assert!(suite.about.ends_with('.') || suite.about.ends_with('?'), "`about` of {} is a sentence", suite.name);
        assert!(suite.seeds.is_some(), "{} states its seeds", suite.name);
    }
}

#[test]
fn efficiency_and_correctness_contain_workloads_of_that_use() {
    for name in ["efficiency", "correctness"] {
        for scenario in scenarios_of(name) {
            assert_eq!(Workload::of_scenario(&scenario).info.use_case.name(), name, "{}", scenario.name);
        }
    }
}

#[test]
fn the_standard_suite_contains_all_requirements_and_workloads() {
    let standard = suite("standard").scenarios;
    let requirements = ["exclusive", "avoids-deadlock", "highly-available", "reentrant"];
    for name in requirements {
        assert!(standard.iter().any(|listed| listed == name), "{name}");
        assert!(suite("requirements").scenarios.iter().any(|listed| listed == name), "{name}");
    }
    for workload in Registry::standard().workloads().iter().filter(|workload| workload.info.name != "inventory") {
        let name = format!("{}-pauses", workload.info.name);
        assert!(standard.contains(&name), "{name}");
        assert_eq!(Workload::of_scenario(&parse(&shipped(&name))).info.name, workload.info.name);
    }
    assert!(standard.iter().any(|name| name == "client-pauses"), "the shop's inventory");
}

#[test]
fn swarms_are_only_in_their_own_suite() {
    assert!(scenarios_of("swarm").iter().all(|scenario| scenario.swarm));
    for suite in suites().iter().filter(|suite| suite.name != "swarm") {
        assert!(scenarios_of(&suite.name).iter().all(|scenario| !scenario.swarm), "{}", suite.name);
    }
}

#[test]
fn a_swarm_case_equals_the_case_that_it_draws() {
    let registry = Registry::standard();
    let lock = registry.lock("redis-set-px").expect("a lock");
    let cell = Cell::new(&parse(&shipped("swarm-inventory")), lock, &[]);
    assert!(cell.header.swarm && cell.header.dose.is_none());
    let mut choices = BTreeSet::new();
    for seed in 0..12 {
        let drawn = cell.drawn(seed);
        let choice = drawn.choice.as_ref().expect("a swarm draws a choice");
        choices.insert(choice.to_string());
        let whole = case::run(&cell, seed, None).result;
        let alone = case::run(&drawn, seed, None).result;
        assert_eq!((whole.trace, &whole.verdicts), (alone.trace, &alone.verdicts), "{choice}");
        assert_eq!(whole.faults.len(), cell.scenario.faults.len());
        for (tally, has) in whole.faults.iter().zip(&choice.faults) {
            assert!(*has || tally.planned == 0, "{choice}");
        }
        let written = Cell::new(&parse(&drawn.scenario.source), lock, &[]);
        let faults = |cell: &Cell| cell.header.faults.iter().map(|fault| fault.name.clone()).collect::<BTreeSet<_>>();
        assert_eq!(faults(&written), faults(&drawn), "{choice}");
        assert!(!written.header.swarm && written.scenario.clients == drawn.scenario.clients);
    }
    assert!(choices.len() > 8, "{choices:?}");
}

#[test]
fn the_clean_suite_has_the_scenarios_of_the_list() {
    let list = must_be_clean(&Registry::standard()).unwrap_or_else(|why| panic!("{why}"));
    let listed: BTreeSet<String> = list.iter().map(|clean| clean.scenario.name.clone()).collect();
    assert_eq!(listed, suite("clean").scenarios.into_iter().collect());
}

#[test]
fn small_scenarios_have_small_cases() {
    for scenario in scenarios_of("clean").iter().filter(|scenario| scenario.name.starts_with("small-")) {
        assert!(scenario.clients.count <= 3 && scenario.run_for.as_secs() == 5, "{}", scenario.name);
        assert!(scenario.faults.len() > 5 && !scenario.expect.is_empty(), "{}", scenario.name);
    }
}

#[test]
fn cells_that_must_be_clean_are_clean() {
    let list = must_be_clean(&Registry::standard()).unwrap_or_else(|why| panic!("{why}"));
    let (mut cells, mut entries) = (Vec::new(), Vec::new());
    for (entry, clean) in list.iter().enumerate() {
        entries.extend(clean.cells.iter().map(|_| entry));
        cells.extend(clean.cells.iter().cloned());
    }
    let mut problems = Vec::new();
    run_cells(cells.clone(), CLEAN_SEEDS, |cell, seed, result| {
        let entry = &list[entries[cell]];
        let violated = entry.properties.iter().filter(|property| result.verdict(**property) == Verdict::Violated);
        let case = || cells[cell].case_name(seed);
        problems.extend(violated.map(|property| format!("{}: {} ({})", case(), property.name(), entry.why)));
        ControlFlow::Continue(())
    });
    assert!(problems.is_empty(), "{} violations in cells that must be clean:\n{}", problems.len(), problems.join("\n"));
}
