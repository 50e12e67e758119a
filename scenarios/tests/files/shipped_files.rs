//! The shipped files are valid and have the names under which they are listed.

use fencepost_scenarios::file;
use fencepost_scenarios::file::shipped::{BUGS, SCENARIOS, SEARCHES, SUITES, scenario};

use crate::shipped::registry;

#[test]
fn every_suite_parses_and_names_only_shipped_scenarios() {
    for (name, text) in SUITES {
        let suite = file::suite(&registry(), &format!("{name}.toml"), text);
        let suite = suite.unwrap_or_else(|problems| panic!("{problems:#?}"));
        assert_eq!(suite.name, *name, "the suite must have the name under which it is listed");
        for listed in &suite.scenarios {
            assert!(scenario(listed).is_some(), "{name} lists {listed}, which is not shipped");
        }
    }
}

#[test]
fn every_scenario_parses_and_has_its_own_name() {
    let all = || SCENARIOS.iter().chain(SEARCHES).chain(BUGS);
    for (name, text) in all() {
        let scenario = file::scenario(&registry(), &format!("{name}.toml"), text);
        let scenario = scenario.unwrap_or_else(|problems| panic!("{problems:#?}"));
        assert_eq!(scenario.name, *name, "the scenario must have the name under which it is listed");
        assert_eq!(all().filter(|(other, _)| other == name).count(), 1, "{name} is listed twice");
    }
}
