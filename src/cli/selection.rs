//! Loads the suites and scenarios in the command line, shipped or from files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fencepost_models::LockInfo;
use fencepost_models::guarded::STORE_BUGS;
use fencepost_scenarios::file::shipped;
use fencepost_scenarios::file::{self, File, Problem, Scenario, Suite, quoted, suggestion};
use fencepost_scenarios::registry::{LockEntry, Registry};
use fencepost_scenarios::run::cell::Cell;

use super::address::Address;
use super::exit::Failure;

/// The suite that runs by default.
const DEFAULT_SUITE: &str = "standard";
/// The default number of seeds per cell.
const DEFAULT_SEEDS: u64 = 200;

/// The scenarios that the command line selects.
#[derive(Debug)]
pub(super) struct Selection {
    /// The name of the suite or scenario.
    pub(super) name: String,
    /// The number of seeds per cell, unless the command line sets it.
    pub(super) seeds: u64,
    pub(super) scenarios: Vec<SelectedScenario>,
}

/// A scenario and its origin.
#[derive(Clone, Debug)]
pub(super) struct SelectedScenario {
    pub(super) scenario: Arc<Scenario>,
    /// The path of the file; `None` if the scenario is shipped.
    pub(super) path: Option<String>,
    /// The locks that its suite lists; `None` means all.
    pub(super) locks: Option<Vec<String>>,
}

impl Selection {
    /// Loads the named suites and scenarios; by default the standard suite.
    pub(super) fn load(registry: &Registry, named: &[String]) -> Result<Self, Failure> {
        let default = [DEFAULT_SUITE.to_owned()];
        let named = if named.is_empty() { default.as_slice() } else { named };
        let parts = named.iter().map(|name| load_one(registry, name)).collect::<Result<Vec<_>, _>>()?;
        let name = parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>().join("+");
        let seeds = parts.iter().map(|part| part.seeds).max().unwrap_or(DEFAULT_SEEDS);
        let scenarios: Vec<SelectedScenario> = parts.into_iter().flat_map(|part| part.scenarios).collect();
        reject_duplicates(&scenarios)?;
        Ok(Selection { name, seeds, scenarios })
    }

    /// Returns the cells with these locks and bugs, without duplicates.
    pub(super) fn cells(&self, registry: &Registry, locks: &[String], bugs: &[String]) -> Vec<Cell> {
        let mut cells: Vec<Cell> = Vec::new();
        for selected in &self.scenarios {
            let only = intersection(selected.locks.as_deref(), locks);
            for cell in Cell::all(registry, &selected.scenario, only.as_deref(), bugs) {
                let same = |other: &Cell| {
                    other.header.scenario == cell.header.scenario && other.header.lock == cell.header.lock
                };
                if !cells.iter().any(same) {
                    cells.push(cell);
                }
            }
        }
        cells
    }
}

/// Returns the cell of a case address.
pub(super) fn cell_of(registry: &Registry, address: &Address, bugs: &[String]) -> Result<Cell, Failure> {
    check_bugs(registry, bugs)?;
    let selected = load_scenario(registry, &address.scenario)?;
    let lock = lock_named(registry, &address.lock)?;
    cell(&selected.scenario, lock, bugs)
}

/// Returns the cell of a scenario and a lock, or a failure if it is not applicable.
pub(super) fn cell(scenario: &Arc<Scenario>, lock: &LockEntry, bugs: &[String]) -> Result<Cell, Failure> {
    let reject = |reason: &str| {
        let message = format!("{} cannot run in the scenario {}: {reason}", lock.name(), scenario.name);
        Failure::nothing_selected(message, "choose another lock, see `fencepost list locks`")
    };
    if !scenario.permits(lock) {
        return Err(reject("its `locks` does not list it"));
    }
    reject_inapplicable_bugs(&[lock.info], bugs)?;
    let cell = Cell::new(scenario, lock, bugs);
    match &cell.header.reason {
        Some(reason) => Err(reject(reason)),
        None => Ok(cell),
    }
}

fn load_one(registry: &Registry, name: &str) -> Result<Selection, Failure> {
    if is_path(name) {
        let read = file::read(registry, Path::new(name)).map_err(Failure::Problems)?;
        return match read {
            File::Scenario(scenario) => Ok(Selection::from_scenario(selected(*scenario, Some(name.into())))),
            File::Suite(suite) => {
                let text = std::fs::read_to_string(name).unwrap_or_default();
                let dir = Path::new(name).parent().unwrap_or(Path::new("")).to_owned();
                Selection::from_suite(registry, suite, name, &text, &dir)
            }
        };
    }
    if let Some(text) = shipped::suite(name) {
        let file = format!("{name}.toml");
        let suite = file::suite(registry, &file, text).map_err(Failure::Problems)?;
        return Selection::from_suite(registry, suite, &file, text, Path::new(""));
    }
    if shipped::scenario(name).is_some() {
        return Ok(Selection::from_scenario(load_scenario(registry, name)?));
    }
    let known: Vec<&str> =
        shipped::SUITES.iter().chain(shipped::SCENARIOS).chain(shipped::SEARCHES).map(|(name, _)| *name).collect();
    Err(unknown("suite or scenario", name, &known))
}

impl Selection {
    fn from_scenario(selected: SelectedScenario) -> Self {
        Selection { name: selected.scenario.name.clone(), seeds: DEFAULT_SEEDS, scenarios: vec![selected] }
    }

    fn from_suite(registry: &Registry, suite: Suite, file: &str, text: &str, dir: &Path) -> Result<Self, Failure> {
        let mut scenarios = Vec::new();
        let mut problems = Vec::new();
        for name in &suite.scenarios {
            let path = if is_path(name) { display(&dir.join(name)) } else { name.clone() };
            match load_scenario(registry, &path) {
                Ok(found) => scenarios.push(SelectedScenario { locks: suite.locks.clone(), ..found }),
                Err(Failure::Plain { message, help, .. }) => problems.push(at_name(file, text, name, message, help)),
                Err(Failure::Problems(more)) => problems.extend(more),
            }
        }
        if !problems.is_empty() {
            return Err(Failure::Problems(problems));
        }
        Ok(Selection { name: suite.name, seeds: suite.seeds.unwrap_or(DEFAULT_SEEDS), scenarios })
    }
}

/// Loads a scenario by shipped name or path.
pub(super) fn load_scenario(registry: &Registry, name: &str) -> Result<SelectedScenario, Failure> {
    if is_path(name) {
        return match file::read(registry, Path::new(name)).map_err(Failure::Problems)? {
            File::Scenario(scenario) => Ok(selected(*scenario, Some(name.into()))),
            File::Suite(_) => {
                let message = format!("{name} is a suite, but a scenario is required");
                Err(Failure::usage(message, "name one of its scenarios"))
            }
        };
    }
    let known: Vec<&str> = shipped::SCENARIOS.iter().chain(shipped::SEARCHES).map(|(name, _)| *name).collect();
    let text = shipped::scenario(name).ok_or_else(|| unknown("scenario", name, &known))?;
    let scenario = file::scenario(registry, &format!("{name}.toml"), text).map_err(Failure::Problems)?;
    Ok(selected(scenario, None))
}

fn selected(scenario: Scenario, path: Option<String>) -> SelectedScenario {
    SelectedScenario { scenario: Arc::new(scenario), path, locks: None }
}

/// Returns a problem with a scenario of a suite, located at its name in the suite.
fn at_name(file: &str, text: &str, name: &str, message: String, help: Option<String>) -> Problem {
    let position = [format!("\"{name}\""), format!("'{name}'")].into_iter().find_map(|quoted| text.find(&quoted));
    let span = position.map_or(0..0, |start| start..start + name.len() + 2);
    Problem { file: file.into(), text: text.into(), span, message, help }
}

/// Rejects different scenarios with the same name, because results are keyed by name.
fn reject_duplicates(scenarios: &[SelectedScenario]) -> Result<(), Failure> {
    for (at, one) in scenarios.iter().enumerate() {
        let same_name = |other: &&SelectedScenario| {
            other.scenario.name == one.scenario.name && other.scenario.source != one.scenario.source
        };
        if scenarios[..at].iter().find(same_name).is_some() {
            let message = format!("two different scenarios are named {}", quoted(&one.scenario.name));
            return Err(Failure::usage(message, "give one of them another `name`"));
        }
    }
    Ok(())
}

/// Returns the locks that `--lock` selects with names, classes and exclusions. Without words, returns no locks.
pub(super) fn selected_locks(registry: &Registry, words: &[String]) -> Result<Vec<String>, Failure> {
    file::select_locks(registry, words, None).map_err(|problems| {
        let first = problems.into_iter().next().expect("a failure has a problem");
        Failure::usage(first.message, first.help.unwrap_or_default())
    })
}

/// Returns the lock with this name.
pub(super) fn lock_named<'r>(registry: &'r Registry, name: &str) -> Result<&'r LockEntry, Failure> {
    let known: Vec<&str> = registry.lock_names().chain(registry.variant_names()).collect();
    registry.lock(name).ok_or_else(|| unknown("lock", name, &known))
}

/// Rejects unknown bugs.
pub(super) fn check_bugs(registry: &Registry, bugs: &[String]) -> Result<(), Failure> {
    // Several locks may have the same bug.
    let known: BTreeSet<&str> = registry.bugs().map(|(_, bug)| bug.name).collect();
    let known: Vec<&str> = known.into_iter().collect();
    let mut names = bugs.iter().map(|bug| super::bugs::name(bug));
    let missing = names.find(|bug| !known.contains(bug));
    missing.map_or(Ok(()), |bug| Err(unknown("bug", bug, &known)))
}

/// Rejects bugs that neither these locks nor the store have, because they would have no effect.
pub(super) fn reject_inapplicable_bugs(locks: &[LockInfo], bugs: &[String]) -> Result<(), Failure> {
    let of_locks = || locks.iter().flat_map(|lock| lock.bugs);
    let has = |bug: &str| of_locks().chain(STORE_BUGS).any(|known| known.name == bug);
    let inapplicable = bugs.iter().map(|bug| super::bugs::name(bug)).find(|bug| !has(bug));
    inapplicable.map_or(Ok(()), |bug| {
        let message = format!("no selected lock has the bug {}", quoted(bug));
        Err(Failure::usage(message, "run `fencepost list bugs` for the lock of each bug"))
    })
}

/// Returns the failure for an unknown name. Its hint suggests the most similar known name.
pub(super) fn unknown(what: &str, name: &str, known: &[&str]) -> Failure {
    Failure::usage(format!("no {what} is named {}", quoted(name)), suggestion(name, known))
}

fn intersection(listed: Option<&[String]>, requested: &[String]) -> Option<Vec<String>> {
    match (listed, requested) {
        (None, []) => None,
        (Some(listed), []) => Some(listed.to_vec()),
        (None, requested) => Some(requested.to_vec()),
        (Some(listed), requested) => {
            // A list that names a lock permits its variants.
            let base = |lock: &String| lock.split_once(':').map_or_else(|| lock.clone(), |(base, _)| base.to_owned());
            let permitted = |lock: &&String| listed.contains(lock) || listed.contains(&base(lock));
            Some(requested.iter().filter(permitted).cloned().collect())
        }
    }
}

pub(super) fn is_path(name: &str) -> bool {
    name.ends_with(".toml")
}

fn display(path: &Path) -> String {
    PathBuf::from(path).display().to_string()
}
