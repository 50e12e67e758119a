//! Shrinking, exploring and hunting, each with a tiny budget.

use fencepost_scenarios::property::{Property, Verdict};
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::case;
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::search::explore::{Exploration, Explored, explore};
use fencepost_scenarios::search::hunt::{Aim, Hunt, hunt};
use fencepost_scenarios::search::interest;
use fencepost_scenarios::search::shrink::{Effort, Failing, NotShrunk, Shrunk, shrink, shrink_all, unshrunk};
use fencepost_sim::TraceHash;
use fencepost_testkit::{cell, first_seed, parse, shipped};

const BUDGET: Effort = Effort { budget: 500, other_seeds: 3 };

fn shipped_cell(name: &str, lock: &str) -> Cell {
    cell(&shipped(name), lock, &[])
}

fn shrunk(scenario: &str, lock: &str, property: Property) -> Shrunk {
    let cell = shipped_cell(scenario, lock);
    let seed = first_seed(&cell, property);
    let failing = Failing { cell: &cell, seed, bugs: &[], property };
    shrink(&Registry::standard(), &failing, BUDGET).expect("the case violates the property")
}

/// Asserts that the reproducer violates the property, and that its trace has the pinned hash.
fn assert_replays(text: &str, property: Property) {
    let scenario = parse(text);
    let pin = scenario.case.clone().expect("a reproducer pins a case");
    let bugs: Vec<&str> = pin.bugs.iter().map(String::as_str).collect();
    let cell = cell(text, &pin.lock, &bugs);
    let result = case::run(&cell, pin.seed, None).result;
    assert_eq!(result.verdict(property), Verdict::Violated, "{text}");
    assert_eq!(Some(TraceHash(result.trace).to_string()), pin.trace, "{text}");
}

#[test]
fn a_violation_by_a_long_pause_shrinks_to_one_pause() {
    let shrunk = shrunk("client-pauses", "lease-server", Property::NoLostUpdate);
    assert_replays(&shrunk.text, Property::NoLostUpdate);
    assert_eq!((shrunk.after.clients, shrunk.after.faults), (2, 1), "{}", shrunk.text);
    assert!(shrunk.after.events <= 40, "{}", shrunk.text);
    assert!(shrunk.runs <= BUDGET.budget, "{} runs", shrunk.runs);
    assert_eq!(shrunk.held, shrunk.tried, "{}", shrunk.text);
}

#[test]
fn violations_that_need_many_orders_nodes_or_long_waits_shrink_to_a_page() {
    let hard = [
        ("highly-available", "mysql-get-lock", Property::Progress),
        ("crash-takeover", "redis-setnx", Property::Takeover),
        ("leader-pauses", "etcd", Property::OwnerRelease),
        ("client-pauses", "redlock", Property::NoOversell),
        ("disk-lies", "chubby", Property::Fencing),
    ];
    for (scenario, lock, property) in hard {
        let (registry, cell) = (Registry::standard(), shipped_cell(scenario, lock));
        let what = Hunt { cell: &cell, bugs: &[], wanted: &[property], aim: Aim::default(), cases: 2_000, threads: 2 };
        let found = hunt(&registry, &what).expect("no case panics").found.expect("the weakness is known");
        let failing = Failing { cell: &found.cell, seed: found.seed, bugs: &[], property };
        let shrunk = shrink(&registry, &failing, Effort::default()).expect("the case violates the property");
        assert!(shrunk.after.readable(), "{}", shrunk.text);
        assert!(shrunk.runs <= Effort::default().budget, "{} runs", shrunk.runs);
        assert_replays(&shrunk.text, property);
    }
}

#[test]
fn shrunk_work_stays_shorter_than_the_lease() {
    let shrunk = shrunk("client-pauses", "redlock", Property::NoLostUpdate);
    assert!(shrunk.after.faults > 0, "without its pause nothing is lost: {}", shrunk.text);
}

#[test]
fn shrinking_is_the_same_on_any_number_of_threads() {
    let cells = ["none", "lease-server", "redis-set-px"].map(|lock| shipped_cell("client-pauses", lock));
    let property = Property::NoLostUpdate;
    let failing = cells.each_ref().map(|cell| Failing { cell, seed: first_seed(cell, property), bugs: &[], property });
    let with = |threads| {
        let mut texts = vec![String::new(); failing.len()];
        shrink_all(&Registry::standard(), &failing, BUDGET, threads, |index, shrunk| {
            texts[index] = shrunk.expect("the case violates the property").text;
        });
        texts
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn a_reproducer_does_not_shrink_further() {
    let first = shrunk("client-pauses", "lease-server", Property::NoLostUpdate);
    let cell = cell(&first.text, "lease-server", &[]);
    let seed = cell.scenario.case.as_ref().map_or(0, |pin| pin.seed);
    let failing = Failing { cell: &cell, seed, bugs: &[], property: Property::NoLostUpdate };
    let again = shrink(&Registry::standard(), &failing, BUDGET).expect("the case violates the property");
    assert_eq!((again.after.clients, again.after.faults), (first.after.clients, first.after.faults));
    assert!(again.after.events <= first.after.events);
}

#[test]
fn a_property_that_holds_is_not_shrunk() {
    let cell = shipped_cell("quiet", "lease-server");
    let failing = Failing { cell: &cell, seed: 0, bugs: &[], property: Property::NoLostUpdate };
    let shrunk = shrink(&Registry::standard(), &failing, BUDGET);
    assert_eq!(shrunk, Err(NotShrunk::Holds(Property::NoLostUpdate)));
}

#[test]
fn every_kind_of_fault_can_be_written_out() {
    let cell = shipped_cell("everything", "lease-server");
    let property = Property::NoLostUpdate;
    let failing = Failing { cell: &cell, seed: first_seed(&cell, property), bugs: &[], property };
    let effort = Effort { budget: 1, other_seeds: 0 };
    let written = shrink(&Registry::standard(), &failing, effort).expect("the written case violates the property");
    assert_replays(&written.text, property);
    assert!(written.after.faults > 20, "{}", written.text);
    assert_replays(&unshrunk(&failing), property);
}

#[test]
fn unexpected_violations_come_first_then_harm() {
    let cell = shipped_cell("client-pauses", "lease-server");
    let result = case::run(&cell, first_seed(&cell, Property::NoLostUpdate), None).result;
    assert_eq!(interest::of_case(&cell, &[], &result), Some(Property::NoLostUpdate));
    let named = [Property::EffectExclusion];
    assert_eq!(interest::of_case(&cell, &named, &result), Some(Property::EffectExclusion));
    assert!(!interest::wanted(&cell, &[]).contains(&Property::NoLostUpdate), "an expected violation is not wanted");
}

fn explored(scenario: &str, lock: &str, faults: u32, threads: usize) -> Explored {
    let cell = shipped_cell(scenario, lock);
    let wanted = [Property::NoLostUpdate];
    let what = Exploration { cell: &cell, seed: 0, bugs: &[], faults, wanted: &wanted, threads };
    explore(&Registry::standard(), &what, |_| {}).expect("no case panics")
}

#[test]
fn one_pause_breaks_an_unguarded_lease_and_a_fence_on_writes_alone() {
    for scenario in ["explore-unguarded", "explore-fence-writes"] {
        let explored = explored(scenario, "lease-server", 1, 2);
        let found = explored.counterexample.as_ref().expect("one pause is enough");
        assert_eq!(found.faults, 1);
        let cell = cell(&found.scenario, "lease-server", &[]);
        let failing = Failing { cell: &cell, seed: 0, bugs: &[], property: found.property };
        let shrunk = shrink(&Registry::standard(), &failing, BUDGET).expect("a counterexample violates the property");
        assert_replays(&shrunk.text, Property::NoLostUpdate);
    }
}

#[test]
fn one_fault_breaks_every_lock_of_a_separate_store() {
    let registry = Registry::standard();
    for lock in registry.locks().iter().filter(|lock| !["sql-for-update", "sql-version"].contains(&lock.name())) {
        let found = explored("explore-unguarded", lock.name(), 1, 2).counterexample;
        let faults = found.as_ref().map(|found| found.faults);
        assert_eq!(faults, Some(u32::from(lock.name() != "none")), "{}", lock.name());
    }
}

#[test]
fn one_fault_does_not_break_a_fence_on_reads_or_a_transaction() {
    for (scenario, lock) in [("explore-fence-reads", "lease-server"), ("explore-unguarded", "sql-version")] {
        let explored = explored(scenario, lock, 1, 2);
        assert_eq!(explored.counterexample, None, "{lock}");
        assert!(explored.placements() > 100, "{lock}: {} placements", explored.placements());
    }
}

#[test]
fn exploring_is_the_same_on_any_number_of_threads() {
    assert_eq!(
        explored("explore-unguarded", "lease-server", 1, 1),
        explored("explore-unguarded", "lease-server", 1, 3)
    );
}

#[test]
fn hunts_find_the_same_first_case_on_any_number_of_threads() {
    let (registry, cell) = (Registry::standard(), shipped_cell("hunt", "lease-server"));
    let wanted = [Property::NoLostUpdate];
    for aim in [Aim::Uniform, Aim::Aimed, Aim::Swarm] {
        let with = |threads| {
            let hunted = hunt(&registry, &Hunt { cell: &cell, bugs: &[], wanted: &wanted, aim, cases: 300, threads });
            let hunted = hunted.expect("no case panics");
            let found = hunted.found.expect("a violation within 300 cases");
            (hunted.cases, found.seed, found.choice)
        };
        assert_eq!(with(1), with(3), "{aim:?}");
    }
}
