//! Each bug that can be enabled has a reproducer, which violates the bug's property only if the bug is enabled.

use std::collections::BTreeSet;
use std::sync::Arc;

use fencepost_scenarios::file::shipped;
use fencepost_scenarios::file::{self, CasePin, Expectation, Scenario};
use fencepost_scenarios::property::{Property, Verdict};
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::case;
use fencepost_scenarios::run::cell::Cell;

struct Reproducer {
    scenario: Arc<Scenario>,
    case: CasePin,
}

fn reproducers(registry: &Registry) -> Vec<Reproducer> {
    let parse = |(name, text): &(&str, &str)| {
        let scenario = file::scenario(registry, name, text).unwrap_or_else(|wrong| panic!("{name}: {wrong:#?}"));
        let case = scenario.case.clone().unwrap_or_else(|| panic!("{name} pins no case"));
        Reproducer { scenario: Arc::new(scenario), case }
    };
    shipped::BUGS.iter().map(parse).collect()
}

impl Reproducer {
    fn verdict(&self, registry: &Registry, bugs: &[String], property: Property) -> Verdict {
        let lock = registry.lock(&self.case.lock).expect("a lock of this registry");
        let cell = Cell::new(&self.scenario, lock, bugs);
        assert!(cell.header.applicable, "{}: {:?}", self.scenario.name, cell.header.reason);
        case::run(&cell, self.case.seed, None).result.verdict(property)
    }
}

#[test]
fn every_bug_has_a_reproducer() {
    let registry = Registry::standard();
    let reproducers = reproducers(&registry);
    let reproduced: BTreeSet<&str> = reproducers.iter().flat_map(|r| r.case.bugs.iter().map(String::as_str)).collect();
    let known: BTreeSet<&str> = registry.bugs().map(|(_, bug)| bug.name).collect();
    assert_eq!(reproduced, known);
}

#[test]
fn every_reproducer_needs_its_bug() {
    let registry = Registry::standard();
    for reproducer in reproducers(&registry) {
        let name = &reproducer.scenario.name;
        let [bug] = &reproducer.case.bugs[..] else { panic!("{name} must name one bug") };
        let (_, bug) = registry.bugs().find(|(_, known)| known.name == bug).expect("a known bug");
        let property = Property::named(bug.property).unwrap_or_else(|| panic!("{name}: no {}", bug.property));
        assert_eq!(
            reproducer.case.expect.get(&property),
            Some(&Expectation::Violated),
            "{name} must expect a violation of the bug's property"
        );
        assert_eq!(reproducer.verdict(&registry, &reproducer.case.bugs, property), Verdict::Violated, "{name}, bug on");
        let off = [format!("!{}", bug.name)];
        assert_eq!(reproducer.verdict(&registry, &off, property), Verdict::Holds, "{name}, bug off");
    }
}
