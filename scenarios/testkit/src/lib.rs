//! Runs cells in tests and asserts their results.

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

/// The lease locks that guard a separate store, and whose clients measure the lease themselves. Their locks expire even
/// if the holder never releases them.
pub const LEASES: [&str; 4] =
    ["lease-server", "redis-set-px-del:docs-deadline", "redis-set-px:docs-deadline", "redlock:paper"];

/// The locks that live in the store that they guard.
pub const IN_STORE: [&str; 2] = ["sql-for-update", "sql-version"];

/// Parses a scenario with the standard registry.
///
/// # Panics
/// If the text has an error.
pub fn parse(text: &str) -> Arc<Scenario> {
    parse_with(&Registry::standard(), text)
}

/// Parses a scenario with the given registry.
///
/// # Panics
/// If the text has an error.
pub fn parse_with(registry: &Registry, text: &str) -> Arc<Scenario> {
    let scenario = file::scenario(registry, "scenario.toml", text);
    Arc::new(scenario.unwrap_or_else(|problems| panic!("{}\n{text}", problems[0])))
}

/// Returns the cell of a scenario and a lock, with these bugs enabled.
///
/// # Panics
/// If the scenario has an error, or the lock cannot run in it.
pub fn cell(text: &str, lock: &str, bugs: &[&str]) -> Cell {
    cell_with(&Registry::standard(), text, lock, bugs)
}

/// [`cell`] with the given registry.
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

/// Returns the cases of seeds `0..seeds`, which run on demand.
pub fn run(text: &str, lock: &str, seeds: u64) -> Cases {
    run_with_bugs(text, lock, &[], seeds)
}

/// [`run`] with these bugs enabled.
pub fn run_with_bugs(text: &str, lock: &str, bugs: &[&str], seeds: u64) -> Cases {
    Cases::new(cell(text, lock, bugs), seeds)
}

/// Returns the first of 500 seeds whose case violates the property.
///
/// # Panics
/// If none of these cases does.
pub fn first_seed(cell: &Cell, property: Property) -> u64 {
    let violates = |seed: &u64| case::run(cell, *seed, None).result.verdict(property) == Verdict::Violated;
    (0..500)
        .find(violates)
        .unwrap_or_else(|| panic!("no case of {} violates {}", cell.header.scenario, property.name()))
}

/// Runs cells on two threads. `on_case` receives the results in order and may end a cell early.
///
/// # Panics
/// If a case panics.
pub fn run_cells(cells: Vec<Cell>, seeds: Range<u64>, on_case: impl FnMut(usize, u64, &CaseResult) -> ControlFlow<()>) {
    let job = Job { cells, seeds, threads: 2, ..Job::default() };
    job.run(on_case).unwrap_or_else(|panicked| panic!("{panicked}"));
}
