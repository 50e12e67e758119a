//! Runs cells of cases in tests, and asserts what they show.

mod cases;
mod shipped;

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use fencepost_scenarios::file::{self, Scenario};
use fencepost_scenarios::property::{Property, Verdict};
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::case;
use fencepost_scenarios::run::case_result::CaseResult;
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::run::job::Job;

pub use self::cases::Cases;
pub use self::shipped::{altered, shipped};

/// The lease locks that guard a separate store: after a time the lock is free, whatever its holder does.
pub const LEASES: [&str; 4] = ["lease-server", "redis-set-px-del", "redis-set-px", "redlock"];

/// The locks inside the store that they guard.
pub const IN_STORE: [&str; 2] = ["sql-for-update", "sql-version"];

/// Parses a scenario.
///
/// # Panics
/// If the text has an error.
pub fn parse(text: &str) -> Arc<Scenario> {
    parse_with(&Registry::standard(), text)
}

/// [`parse`] with a registry of its own.
///
/// # Panics
/// If the text has an error.
pub fn parse_with(registry: &Registry, text: &str) -> Arc<Scenario> {
    let scenario = file::scenario(registry, "scenario.toml", text);
    Arc::new(scenario.unwrap_or_else(|problems| panic!("{}\n{text}", problems[0])))
}

/// The cell of a scenario and a lock, with these bugs switched on.
///
/// # Panics
/// If the scenario has an error, or the lock cannot run in it.
pub fn cell(text: &str, lock: &str, bugs: &[&str]) -> Cell {
    cell_with(&Registry::standard(), text, lock, bugs)
}

/// [`cell`] with a registry of its own.
///
/// # Panics
/// If the scenario has an error, or the lock cannot run in it.
pub fn cell_with(registry: &Registry, text: &str, lock: &str, bugs: &[&str]) -> Cell {
    let bugs: Vec<String> = bugs.iter().map(|bug| bug.to_string()).collect();
    let entry = registry.lock(lock).unwrap_or_else(|| panic!("no lock is named {lock}"));
    let cell = Cell::new(&parse_with(registry, text), entry, &bugs);
    assert!(cell.header.applicable, "{lock} in {text}: {:?}", cell.header.reason);
    cell
}

/// The cases of seeds `0..seeds`, not yet run.
pub fn run(text: &str, lock: &str, seeds: u64) -> Cases {
    run_with_bugs(text, lock, &[], seeds)
}

/// [`run`] with these bugs switched on.
pub fn run_with_bugs(text: &str, lock: &str, bugs: &[&str], seeds: u64) -> Cases {
    Cases::new(cell(text, lock, bugs), seeds)
}

/// The first of 500 seeds whose case violates the property.
///
/// # Panics
/// If none does.
pub fn first_seed(cell: &Cell, property: Property) -> u64 {
    let violates = |seed: &u64| case::run(cell, *seed, None).result.verdict(property) == Verdict::Violated;
    (0..500)
        .find(violates)
        .unwrap_or_else(|| panic!("no case of {} violates {}", cell.header.scenario, property.name()))
}

/// Runs many cells on two threads. `on_case` gets the results in order and may end a cell early.
///
/// # Panics
/// If a case panics.
pub fn run_cells(cells: Vec<Cell>, seeds: Range<u64>, on_case: impl FnMut(usize, u64, &CaseResult) -> ControlFlow<()>) {
    let job = Job { cells, seeds, threads: 2, ..Job::default() };
    job.run(on_case).unwrap_or_else(|panicked| panic!("{panicked}"));
}
