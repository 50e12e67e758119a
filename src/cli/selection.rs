//! Finds what the command line names: suites and scenarios, shipped or in files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fencepost_models::LockInfo;
use fencepost_models::guarded::STORE_BUGS;
use fencepost_scenarios::file::shipped;
use fencepost_scenarios::file::{self, File, Problem, Scenario, Suite, quoted, remedy};
use fencepost_scenarios::registry::{LockEntry, Registry};
use fencepost_scenarios::run::cell::Cell;

use super::address::Address;
use super::exit::Failure;

/// What runs when nothing is named.
const DEFAULT_SUITE: &str = "standard";
/// How many seeds a cell gets where neither the suite nor the command line says.
const DEFAULT_SEEDS: u64 = 200;

/// The scenarios that the command line selects.
#[derive(Debug)]
pub(super) struct Selection {
    /// The suite's name, or that of the scenario.
    pub(super) name: String,
    /// How many seeds each cell gets, unless the command line says.
    pub(super) seeds: u64,
    pub(super) scenarios: Vec<Chosen>,
}

/// One scenario, and how to name it again.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub(super) scenario: Arc<Scenario>,
    /// The path to replay it by; shipped ones go by their name.
    pub(super) path: Option<String>,
    /// The locks of the suite that it was found in; all if left out.
    pub(super) locks: Option<Vec<String>>,
}

impl Selection {
    /// Loads everything that is named; by default the standard suite.
    pub(super) fn load(registry: &Registry, named: &[String]) -> Result<Self, Failure> {
        let default = [DEFAULT_SUITE.to_owned()];
        let named = if named.is_empty() { default.as_slice() } else { named };
        let parts = named.iter().map(|name| load_one(registry, name)).collect::<Result<Vec<_>, _>>()?;
        let name = parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>().join("+");
        let seeds = parts.iter().map(|part| part.seeds).max().unwrap_or(DEFAULT_SEEDS);
        let scenarios: Vec<Chosen> = parts.into_iter().flat_map(|part| part.scenarios).collect();
        refuse_namesakes(&scenarios)?;
        Ok(Selection { name, seeds, scenarios })
    }

    /// The cells with these locks and bugs, each once.
    pub(super) fn cells(&self, registry: &Registry, locks: &[String], bugs: &[String]) -> Vec<Cell> {
        let mut cells: Vec<Cell> = Vec::new();
        for chosen in &self.scenarios {
            let only = intersection(chosen.locks.as_deref(), locks);
            for cell in Cell::all(registry, &chosen.scenario, only.as_deref(), bugs) {
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

/// The cell of a case.
pub(super) fn cell_of(registry: &Registry, address: &Address, bugs: &[String]) -> Result<Cell, Failure> {
    check_bugs(registry, bugs)?;
    let chosen = load_scenario(registry, &address.scenario)?;
    let lock = lock_named(registry, &address.lock)?;
    cell(&chosen.scenario, lock, bugs)
}

/// The cell of a scenario and a lock, if they go together.
pub(super) fn cell(scenario: &Arc<Scenario>, lock: &LockEntry, bugs: &[String]) -> Result<Cell, Failure> {
    let refuse = |reason: &str| {
        let message = format!("{} cannot be run in the scenario {}: {reason}", lock.name(), scenario.name);
        Failure::nothing_selected(message, "choose another lock: `fencepost list locks`")
    };
    if scenario.locks.as_ref().is_some_and(|locks| !locks.iter().any(|name| name == lock.name())) {
        return Err(refuse("its `locks` does not list it"));
    }
    refuse_foreign_bugs(&[lock.info], bugs)?;
    let cell = Cell::new(scenario, lock, bugs);
    match &cell.header.reason {
        Some(reason) => Err(refuse(reason)),
        None => Ok(cell),
    }
}

fn load_one(registry: &Registry, name: &str) -> Result<Selection, Failure> {
    if is_path(name) {
        let read = file::read(registry, Path::new(name)).map_err(Failure::Problems)?;
        return match read {
            File::Scenario(scenario) => Ok(Selection::of_scenario(chosen(*scenario, Some(name.into())))),
            File::Suite(suite) => {
                let text = std::fs::read_to_string(name).unwrap_or_default();
                let dir = Path::new(name).parent().unwrap_or(Path::new("")).to_owned();
                Selection::of_suite(registry, suite, name, &text, &dir)
            }
        };
    }
    if let Some(text) = shipped::suite(name) {
        let file = format!("{name}.toml");
        let suite = file::suite(registry, &file, text).map_err(Failure::Problems)?;
        return Selection::of_suite(registry, suite, &file, text, Path::new(""));
    }
    if shipped::scenario(name).is_some() {
        return Ok(Selection::of_scenario(load_scenario(registry, name)?));
    }
    let known: Vec<&str> =
        shipped::SUITES.iter().chain(shipped::SCENARIOS).chain(shipped::SEARCHES).map(|(name, _)| *name).collect();
    Err(unknown("suite or scenario", name, &known))
}

impl Selection {
    fn of_scenario(chosen: Chosen) -> Self {
        Selection { name: chosen.scenario.name.clone(), seeds: DEFAULT_SEEDS, scenarios: vec![chosen] }
    }

    fn of_suite(registry: &Registry, suite: Suite, file: &str, text: &str, dir: &Path) -> Result<Self, Failure> {
        let mut scenarios = Vec::new();
        let mut problems = Vec::new();
        for name in &suite.scenarios {
            let path = if is_path(name) { display(&dir.join(name)) } else { name.clone() };
            match load_scenario(registry, &path) {
                Ok(found) => scenarios.push(Chosen { locks: suite.locks.clone(), ..found }),
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
pub(super) fn load_scenario(registry: &Registry, name: &str) -> Result<Chosen, Failure> {
    if is_path(name) {
        return match file::read(registry, Path::new(name)).map_err(Failure::Problems)? {
            File::Scenario(scenario) => Ok(chosen(*scenario, Some(name.into()))),
            File::Suite(_) => {
                let message = format!("{name} is a suite, where a scenario is wanted");
                Err(Failure::usage(message, "name one of its scenarios"))
            }
        };
    }
    let known: Vec<&str> = shipped::SCENARIOS.iter().chain(shipped::SEARCHES).map(|(name, _)| *name).collect();
    let text = shipped::scenario(name).ok_or_else(|| unknown("scenario", name, &known))?;
    let scenario = file::scenario(registry, &format!("{name}.toml"), text).map_err(Failure::Problems)?;
    Ok(chosen(scenario, None))
}

fn chosen(scenario: Scenario, path: Option<String>) -> Chosen {
    Chosen { scenario: Arc::new(scenario), path, locks: None }
}

/// A suite's complaint, at the place where the scenario is named.
fn at_name(file: &str, text: &str, name: &str, message: String, help: Option<String>) -> Problem {
    let place = [format!("\"{name}\""), format!("'{name}'")].into_iter().find_map(|quoted| text.find(&quoted));
    let span = place.map_or(0..0, |start| start..start + name.len() + 2);
    Problem { file: file.into(), text: text.into(), span, message, help }
}

/// Results go by name, so two scenarios of one name would be mixed up.
fn refuse_namesakes(scenarios: &[Chosen]) -> Result<(), Failure> {
    for (at, one) in scenarios.iter().enumerate() {
        let namesake =
            |other: &&Chosen| other.scenario.name == one.scenario.name && other.scenario.source != one.scenario.source;
        if scenarios[..at].iter().find(namesake).is_some() {
            let message = format!("two different scenarios are named {}", quoted(&one.scenario.name));
            return Err(Failure::usage(message, "give one of them another `name`"));
        }
    }
    Ok(())
}

/// Refuses locks that there are not.
pub(super) fn check_locks(registry: &Registry, locks: &[String]) -> Result<(), Failure> {
    locks.iter().try_for_each(|lock| lock_named(registry, lock).map(|_| ()))
}

/// The lock of this name.
pub(super) fn lock_named<'r>(registry: &'r Registry, name: &str) -> Result<&'r LockEntry, Failure> {
    let known: Vec<&str> = registry.locks().iter().map(|lock| lock.name()).collect();
    registry.lock(name).ok_or_else(|| unknown("lock", name, &known))
}

/// Refuses bugs that neither a lock nor the store has.
pub(super) fn check_bugs(registry: &Registry, bugs: &[String]) -> Result<(), Failure> {
    // Two locks may have one bug.
    let known: BTreeSet<&str> = registry.bugs().map(|(_, bug)| bug.name).collect();
    let known: Vec<&str> = known.into_iter().collect();
    let missing = bugs.iter().find(|bug| !known.contains(&bug.as_str()));
    missing.map_or(Ok(()), |bug| Err(unknown("bug", bug, &known)))
}

/// Refuses bugs that neither one of these locks nor the store has: switching them on would change nothing.
pub(super) fn refuse_foreign_bugs(locks: &[LockInfo], bugs: &[String]) -> Result<(), Failure> {
    let of_locks = || locks.iter().flat_map(|lock| lock.bugs);
    let has = |bug: &str| of_locks().chain(STORE_BUGS).any(|known| known.name == bug);
    let foreign = bugs.iter().find(|bug| !has(bug));
    foreign.map_or(Ok(()), |bug| {
        let message = format!("none of the selected locks has the bug {}", quoted(bug));
        Err(Failure::usage(message, "`fencepost list bugs` says which lock has it"))
    })
}

/// An unknown name, with the nearest known one.
pub(super) fn unknown(what: &str, name: &str, known: &[&str]) -> Failure {
    Failure::usage(format!("no {what} is named {}", quoted(name)), remedy(name, known))
}

fn intersection(listed: Option<&[String]>, asked: &[String]) -> Option<Vec<String>> {
    match (listed, asked) {
        (None, []) => None,
        (Some(listed), []) => Some(listed.to_vec()),
        (None, asked) => Some(asked.to_vec()),
        (Some(listed), asked) => Some(listed.iter().filter(|lock| asked.contains(lock)).cloned().collect()),
    }
}

pub(super) fn is_path(name: &str) -> bool {
    name.ends_with(".toml")
}

fn display(path: &Path) -> String {
    PathBuf::from(path).display().to_string()
}
