//! The combined expectations of shipped scenarios and locks, and the expectation files of locks.

use std::collections::{BTreeMap, BTreeSet};

use fencepost_models::LockInfo;
use fencepost_scenarios::file::{self, Expectation, shipped};
use fencepost_scenarios::property::Property;
use toml::{Table, Value};

use crate::mistakes::{below_head, one};
use crate::shipped::registry;

/// One line for each scenario, property and verdict, with the locks in the order of the registry.
const REVIEWED: &str = include_str!("expectations.txt");

fn shipped_files() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    shipped::SCENARIOS.iter().chain(shipped::SEARCHES).chain(shipped::BUGS)
}

#[test]
fn all_expectations_match_the_reviewed_list() {
    let registry = registry();
    let mut lines: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, text) in shipped_files() {
        let scenario = file::scenario(&registry, &format!("{name}.toml"), text).expect("a shipped scenario is valid");
        for lock in registry.locks() {
            for (property, expectation) in scenario.expect.get(lock.name()).into_iter().flatten() {
                let verdict = if *expectation == Expectation::Holds { "holds" } else { "violated" };
                lines.entry(format!("{name} {} {verdict}", property.name())).or_default().push(lock.name());
            }
        }
    }
    let now: BTreeSet<String> = lines.iter().map(|(head, locks)| format!("{head}: {}", locks.join(" "))).collect();
    let reviewed: BTreeSet<String> = REVIEWED.lines().map(String::from).collect();
    let gone: Vec<_> = reviewed.difference(&now).collect();
    let new: Vec<_> = now.difference(&reviewed).collect();
    // To accept the new list after a review, copy it to files/expectations.txt.
    let list: String = now.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(format!("{}/expectations.txt", env!("CARGO_TARGET_TMPDIR")), list).expect("a writable directory");
    assert!(gone.is_empty() && new.is_empty(), "no longer expected: {gone:#?}\nnewly expected: {new:#?}");
}

/// Returns the entries of a lock's file: scenario and property.
fn entries(info: &LockInfo) -> Vec<(String, String)> {
    let text: Table = info.expectations.parse().expect("the file is TOML");
    let groups = text.get("expect").and_then(Value::as_array).into_iter().flatten();
    let verdicts = groups.flat_map(|group| ["holds", "violated", "free"].map(|verdict| group.get(verdict)));
    let by_property = verdicts.flatten().flat_map(|verdict| verdict.as_table().into_iter().flatten());
    let scenarios = by_property.flat_map(|(property, scenarios)| {
        let scenarios = scenarios.as_array().into_iter().flatten().filter_map(Value::as_str);
        scenarios.map(|scenario| (scenario.to_string(), property.clone()))
    });
    scenarios.collect()
}

#[test]
fn a_lock_states_only_what_differs_from_its_classes() {
    let registry = registry();
    let expected = |text: &str, lock: &str, property: &str| {
        let scenario = file::scenario(&registry, "it.toml", text).expect("a shipped scenario is valid");
        let property = Property::named(property).expect("the file names a property");
        scenario.expect.get(lock).and_then(|expected| expected.get(&property)).copied()
    };
    let mut idle = Vec::new();
    for lock in registry.locks() {
        for (name, property) in entries(&lock.info) {
            let text = shipped::scenario(&name).unwrap_or_else(|| panic!("{lock:?}: `{name}` is not shipped"));
            // Under another name, only the expectations of classes apply to the scenario.
            let renamed = text.replacen(&format!("name = \"{name}\""), "name = \"another\"", 1);
            if expected(text, lock.name(), &property) == expected(&renamed, lock.name(), &property) {
                idle.push(format!("{lock:?}: the entry for {property} in {name} changes nothing"));
            }
        }
    }
    assert!(idle.is_empty(), "{}", idle.join("\n"));
}

#[test]
fn a_list_selects_classes_and_names_minus_exclusions() {
    let locks = |list: &str| {
        let text = format!("run_for = '1s'\nlocks = {list}\n");
        let scenario = file::scenario(&registry(), "it.toml", &text).unwrap_or_else(|wrong| panic!("{wrong:#?}"));
        scenario.locks.expect("`locks` is given").join(" ")
    };
    assert_eq!(locks("['@consensus', '!etcd']"), "zookeeper consul chubby hazelcast-cp");
    assert_eq!(locks("['!@lease', '@session', 'none']"), "sql-for-update pg-advisory mysql-get-lock none");
    assert_eq!(locks("['@in-store', '@fencing', '!@consensus']").split(' ').count(), 5);
    assert_eq!(locks("['@all']").split(' ').count(), registry().locks().len());
}

#[test]
fn errors_in_a_list_show_their_location() {
    below_head("locks = [«\"@leese\"»]", "no class of locks is named `@leese`", "did you mean `@lease`?");
    below_head(
        "locks = [\"@all\", «\"!@sesion\"»]",
        "no class of locks is named `@sesion`",
        "did you mean `@session`?",
    );
    below_head("locks = [«\"consensus\"»]", "no lock is named `consensus`", "did you mean `@consensus`?");
    below_head("locks = [«\"!etcd\"»]", "`!etcd` excludes no lock", "`[\"@all\", \"!etcd\"]`");
    below_head("locks = [\"@in-store\", «\"!etcd\"»]", "`!etcd` excludes no lock", "remove it");
    below_head("locks = [\"none\", «\"@consensus\"», \"!@lease\"]", "`@consensus` selects no lock", "exclusions");
    let expect = |list: &str| format!("locks = [\"etcd\", \"none\"]\n[expect.fencing]\nholds = {list}");
    below_head(&expect("[«\"@in-store\"»]"), "`@in-store` selects no lock", "`locks` has no lock of this class");
    below_head(&expect("[\"@all\", «\"!redlock\"»]"), "`!redlock` excludes no lock", "remove it");
    let twice = "locks = [\"etcd\"]\n[expect.fencing]\nviolated = [\"@lease\"]\nholds = [«\"etcd\"»]";
    below_head(twice, "`fencing` has two expectations for `etcd`", "`!etcd` excludes the lock");
    one("scenarios = [\"quiet\"]\nlocks = [«\"@replicate\"»]", "no class of locks", "did you mean `@replicated`?");
}
