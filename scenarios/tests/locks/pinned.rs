//! Reproducers of bugs: the switch on violates what it says, the switch off holds it.

use std::sync::Arc;

use fencepost_scenarios::case;
use fencepost_scenarios::cell::Cell;
use fencepost_scenarios::file::{self, CasePin, Scenario};
use fencepost_scenarios::property::{Property, Verdict};
use fencepost_scenarios::registry::Registry;

pub struct Pinned {
    scenario: Arc<Scenario>,
    case: CasePin,
}

impl Pinned {
    pub fn parse(text: &str) -> Self {
        let scenario = file::scenario(&Registry::standard(), "bug.toml", text);
        let scenario = scenario.unwrap_or_else(|problems| panic!("{}\n{text}", problems[0]));
        let case = scenario.case.clone().expect("a reproducer pins its case");
        Pinned { scenario: Arc::new(scenario), case }
    }

    pub fn shows_its_bug(&self) {
        let name = &self.scenario.name;
        let registry = Registry::standard();
        let known = registry.lock(&self.case.lock).expect("a known lock").info.bugs;
        let [bug] = &self.case.bugs[..] else { panic!("{name} names one bug") };
        let bug = known.iter().find(|known| known.name == bug).unwrap_or_else(|| panic!("{name}: no bug {bug}"));
        assert_eq!(bug.scenario, name, "the bug names its scenario");
        let property = Property::ALL.into_iter().find(|property| property.name() == bug.property);
        let property = property.unwrap_or_else(|| panic!("{} is no property", bug.property));
        assert!(self.case.expect.contains_key(&property), "{name} expects what the bug names");
        assert_eq!(self.verdict(&registry, &self.case.bugs, property), Verdict::Violated, "{name} with {}", bug.name);
        assert_eq!(self.verdict(&registry, &[], property), Verdict::Holds, "{name} without {}", bug.name);
    }

    fn verdict(&self, registry: &Registry, bugs: &[String], property: Property) -> Verdict {
        let lock = registry.lock(&self.case.lock).expect("a known lock");
        let cell = Cell::new(&self.scenario, lock, bugs);
        assert!(cell.header.applicable, "{:?}", cell.header.reason);
        case::run(&cell, self.case.seed, None).outcome.verdict(property)
    }
}
