//! What a report tells of each failing cell: its smallest known case, run again and told.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fencepost_reports::case_run::CaseRun;
use fencepost_reports::failures::{Failures, Story};
use fencepost_reports::grid::Cell as Counted;
use fencepost_reports::text::{replay_file_command, visible};
use fencepost_scenarios::file::{Expectation, Scenario};
use fencepost_scenarios::property::Property;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::cell::Cell;

use super::manifest::{Manifest, ScenarioInput};
use super::selection::{is_path, load_scenario};

/// Where runs leave the smallest counterexamples that they found.
const REPRODUCERS: &str = "reproducers";

/// The scenarios of a run, as far as they can still be read and are what was run.
pub(super) struct Scenarios(BTreeMap<String, Arc<Scenario>>);

impl Scenarios {
    /// Reads them. One that has changed since would tell another story, so it is left out.
    pub(super) fn of(registry: &Registry, manifest: &Manifest) -> Self {
        let read = |input: &ScenarioInput| {
            let name = input.path.as_deref().unwrap_or(&input.name);
            let chosen = load_scenario(registry, name).ok()?;
            let same = ScenarioInput::of(&chosen.scenario, None).source == input.source;
            same.then_some((input.name.clone(), chosen.scenario))
        };
        Scenarios(manifest.scenarios.iter().filter_map(read).collect())
    }

    /// What they say will be violated.
    pub(super) fn expected_violations(&self) -> BTreeSet<(String, String, Property)> {
        let mut expected = BTreeSet::new();
        for (name, scenario) in &self.0 {
            for (lock, properties) in &scenario.expect {
                let violated = properties.iter().filter(|(_, expectation)| **expectation == Expectation::Violated);
                expected.extend(violated.map(|(property, _)| (name.clone(), lock.clone(), *property)));
            }
        }
        expected
    }

    /// What they say holds of a lock.
    pub(super) fn expects_to_hold(&self, scenario: &str, lock: &str, property: Property) -> bool {
        let expected = self.0.get(scenario).and_then(|s| s.expect.get(lock)).and_then(|expect| expect.get(&property));
        expected == Some(&Expectation::Holds)
    }

    fn cell(&self, registry: &Registry, scenario: &str, lock: &str, bugs: &[String]) -> Option<Cell> {
        let cell = Cell::new(self.0.get(scenario)?, registry.lock(lock)?, bugs);
        cell.header.applicable.then_some(cell)
    }
}

/// The story of every failing cell.
pub(super) fn stories(
    registry: &Registry,
    scenarios: &Scenarios,
    manifest: &Manifest,
    cells: &[Counted],
    dir: &Path,
) -> BTreeMap<(String, String), Story> {
    let none = BTreeMap::new();
    let failures = Failures::of(cells, &none);
    let told = failures.all().iter().filter_map(|failure| {
        let (header, _) = failure.cell;
        let story = match shrunk(registry, dir, &header.scenario, &header.lock) {
            Some(story) => story,
            None => {
                let cell = scenarios.cell(registry, &header.scenario, &header.lock, &manifest.bugs)?;
                story(&cell, failure.seed)?
            }
        };
        Some(((header.scenario.clone(), header.lock.clone()), story))
    });
    told.collect()
}

/// The story of a smallest counterexample, if the run left one.
fn shrunk(registry: &Registry, dir: &Path, scenario: &str, lock: &str) -> Option<Story> {
    let path = reproducer(dir, scenario, lock)?;
    let chosen = load_scenario(registry, path.to_str()?).ok()?;
    let pin = chosen.scenario.case.as_ref()?;
    let cell = Cell::new(&chosen.scenario, registry.lock(&pin.lock)?, &pin.bugs);
    let faults: usize = chosen.scenario.faults.len();
    let clients = chosen.scenario.clients.count;
    let smallest = format!("{clients} clients and {faults} {}", if faults == 1 { "fault" } else { "faults" });
    let mut story = cell.header.applicable.then(|| story(&cell, pin.seed))??;
    story.smallest = Some(smallest);
    story.command = Some(replay_file_command(&format!("{REPRODUCERS}/{scenario}--{lock}.toml")));
    Some(story)
}

/// Names are untrusted: only one that is a plain file name is looked for.
fn reproducer(dir: &Path, scenario: &str, lock: &str) -> Option<PathBuf> {
    let plain = |name: &str| !name.contains(['/', '\\']) && !name.starts_with('.') && !is_path(name);
    let path = dir.join(REPRODUCERS).join(format!("{scenario}--{lock}.toml"));
    (plain(scenario) && plain(lock) && path.is_file()).then_some(path)
}

/// Watches a case and tells it. One that breaks down costs its own story, and not the report.
fn story(cell: &Cell, seed: u64) -> Option<Story> {
    let watched = catch_unwind(AssertUnwindSafe(|| Story::of(&CaseRun::watch(cell, seed))));
    if watched.is_err() {
        eprintln!("warning: {} breaks down and is not told: please report it", visible(&cell.case_name(seed)));
    }
    watched.ok()
}
