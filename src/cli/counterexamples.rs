//! The counterexamples of a report: the smallest known case of each failing cell, run again.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fencepost_reports::case_record::CaseRecord;
use fencepost_reports::failures::{Counterexample, Failures};
use fencepost_reports::grid::Cell as Counted;
use fencepost_reports::text::{counted, replay_file_command, visible};
use fencepost_scenarios::file::{Expectation, Scenario};
use fencepost_scenarios::property::Property;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::cell::Cell;

use super::files::reproducer_name;
use super::manifest::{Manifest, ScenarioInput};
use super::reproducers;
use super::selection::{is_path, load_scenario};

/// The scenarios of a run that are still readable and unchanged.
pub(super) struct Scenarios(BTreeMap<String, Arc<Scenario>>);

impl Scenarios {
    /// Loads the scenarios, except changed ones, whose cases would differ.
    pub(super) fn load(registry: &Registry, manifest: &Manifest) -> Self {
        let read = |input: &ScenarioInput| {
            let name = input.path.as_deref().unwrap_or(&input.name);
            let selected = load_scenario(registry, name).ok()?;
            let same = ScenarioInput::new(&selected.scenario, None).source == input.source;
            same.then_some((input.name.clone(), selected.scenario))
        };
        Scenarios(manifest.scenarios.iter().filter_map(read).collect())
    }

    /// Returns the violations that `[expect]` declares, as (scenario, lock, property).
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

    /// Returns whether `[expect]` declares the property to hold.
    pub(super) fn expects_to_hold(&self, scenario: &str, lock: &str, property: Property) -> bool {
        let expected = self.0.get(scenario).and_then(|s| s.expect.get(lock)).and_then(|expect| expect.get(&property));
        expected == Some(&Expectation::Holds)
    }

    fn cell(&self, registry: &Registry, scenario: &str, lock: &str, bugs: &[String]) -> Option<Cell> {
        let cell = Cell::new(self.0.get(scenario)?, registry.lock(lock)?, bugs);
        cell.header.applicable.then_some(cell)
    }
}

/// Returns the counterexample of each failing cell, by (scenario, lock).
pub(super) fn counterexamples(
    registry: &Registry,
    scenarios: &Scenarios,
    manifest: &Manifest,
    cells: &[Counted],
    dir: &Path,
) -> BTreeMap<(String, String), Counterexample> {
    let none = BTreeMap::new();
    let failures = Failures::of(cells, &none);
    let found = failures.all().iter().filter_map(|failure| {
        let (header, _) = failure.cell;
        let counterexample = match shrunk(registry, dir, &header.scenario, &header.lock) {
            Some(counterexample) => counterexample,
            None => {
                let cell = scenarios.cell(registry, &header.scenario, &header.lock, &manifest.bugs)?;
                run_and_record(&cell, failure.seed)?
            }
        };
        Some(((header.scenario.clone(), header.lock.clone()), counterexample))
    });
    found.collect()
}

/// Returns the counterexample of the cell's reproducer, if the run wrote one.
fn shrunk(registry: &Registry, dir: &Path, scenario: &str, lock: &str) -> Option<Counterexample> {
    let path = reproducer(dir, scenario, lock)?;
    let selected = load_scenario(registry, path.to_str()?).ok()?;
    let pin = selected.scenario.case.as_ref()?;
    let cell = Cell::new(&selected.scenario, registry.lock(&pin.lock)?, &pin.bugs);
    let (clients, faults) = (selected.scenario.clients.count, selected.scenario.faults.len());
    let smallest = format!("{} and {}", counted(clients, "client"), counted(faults, "fault"));
    let mut counterexample = cell.header.applicable.then(|| run_and_record(&cell, pin.seed))??;
    counterexample.smallest = Some(smallest);
    counterexample.command =
        Some(replay_file_command(&format!("{}/{}", reproducers::DIR, reproducer_name(scenario, lock))));
    Some(counterexample)
}

/// Returns the path of the cell's reproducer. Names are untrusted, so only plain file names are accepted.
fn reproducer(dir: &Path, scenario: &str, lock: &str) -> Option<PathBuf> {
    let plain = |name: &str| !name.contains(['/', '\\']) && !name.starts_with('.') && !is_path(name);
    let path = dir.join(reproducers::DIR).join(reproducer_name(scenario, lock));
    (plain(scenario) && plain(lock) && path.is_file()).then_some(path)
}

/// Runs a case and records its counterexample. A panic loses only this counterexample, not the report.
fn run_and_record(cell: &Cell, seed: u64) -> Option<Counterexample> {
    let recorded = catch_unwind(AssertUnwindSafe(|| Counterexample::from_record(&CaseRecord::watch(cell, seed))));
    if recorded.is_err() {
        eprintln!(
            "warning: {} panicked and is not in the report; please report this bug",
            visible(&cell.case_name(seed))
        );
    }
    recorded.ok()
}
