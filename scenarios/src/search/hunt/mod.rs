//! Hunting: searches for a violation in as few cases as possible. The cases are not a random sample, so rates never
//! include them.

mod aimed;
mod swarm;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::file;
use crate::property::{Property, Verdict};
use crate::run::cell::Cell;
use crate::run::job::{CasePanicked, run_catching_panics};
use crate::run::registry::Registry;
use crate::run::verdicts::Verdicts;
use crate::search::shrink::Draft;

/// How cases are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aim {
    /// The scenario's own cases, seed by seed, as in `run`.
    Uniform,
    /// The scenario's kinds of fault, each at a step of a client and about as long as the lock's expiry.
    #[default]
    Aimed,
    /// A subset of the scenario's faults and settings, drawn for each case.
    Swarm,
}

/// The settings of a hunt.
#[derive(Clone, Debug)]
pub struct Hunt<'a> {
    /// The cell to hunt in.
    pub cell: &'a Cell,
    /// The enabled bugs.
    pub bugs: &'a [String],
    /// The properties to violate. If empty, no case runs.
    pub wanted: &'a [Property],
    /// How cases are chosen.
    pub aim: Aim,
    /// The maximum number of cases.
    pub cases: u64,
    /// The number of threads.
    pub threads: usize,
}

/// The result of a hunt.
#[derive(Clone, Debug)]
pub struct Hunted {
    /// The number of cases up to the first violation, or all cases if there was none.
    pub cases: u64,
    /// The verdicts on the wanted properties.
    pub verdicts: Verdicts,
    /// The first case with a violation, if any.
    pub found: Option<Found>,
}

/// A case with a violation.
#[derive(Clone, Debug)]
pub struct Found {
    /// The cell: the hunt's own, or one built for this case.
    pub cell: Cell,
    /// The seed.
    pub seed: u64,
    /// The violated property.
    pub property: Property,
    /// The draw of the case as text; empty for the scenario's own cases.
    pub choice: String,
}

/// Hunts until a violation is found. The result is the first in seed order, for any number of threads.
///
/// # Errors
/// If a case panicked.
pub fn hunt(registry: &Registry, hunt: &Hunt<'_>) -> Result<Hunted, CasePanicked> {
    if hunt.wanted.is_empty() {
        return Ok(Hunted { cases: 0, verdicts: Verdicts::default(), found: None });
    }
    let (next, first) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
    let found: Mutex<Vec<Result<Found, (u64, CasePanicked)>>> = Mutex::default();
    let verdicts = Mutex::new(Verdicts::new(hunt.wanted));
    thread::scope(|scope| {
        for _ in 0..hunt.threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= hunt.cases || seed > first.load(Ordering::Relaxed) {
                        return;
                    }
                    let tried = try_case(registry, hunt, seed, &verdicts);
                    if let Some(result) = tried.transpose() {
                        first.fetch_min(seed, Ordering::Relaxed);
                        found.lock().unwrap_or_else(PoisonError::into_inner).push(result.map_err(|why| (seed, why)));
                    }
                }
            });
        }
    });
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    let verdicts = verdicts.into_inner().unwrap_or_else(PoisonError::into_inner);
    let seed = |result: &Result<Found, (u64, CasePanicked)>| match result {
        Ok(found) => found.seed,
        Err((seed, _)) => *seed,
    };
    match found.into_iter().min_by_key(seed) {
        None => Ok(Hunted { cases: hunt.cases, verdicts, found: None }),
        Some(Ok(found)) => Ok(Hunted { cases: found.seed + 1, verdicts, found: Some(found) }),
        Some(Err((_, panicked))) => Err(panicked),
    }
}

fn try_case(
    registry: &Registry,
    hunt: &Hunt<'_>,
    seed: u64,
    verdicts: &Mutex<Verdicts>,
) -> Result<Option<Found>, CasePanicked> {
    let (cell, choice) = match hunt.aim {
        Aim::Uniform => (hunt.cell.clone(), String::new()),
        Aim::Aimed => drafted_cell(registry, hunt, aimed::draft(hunt, seed)),
        Aim::Swarm => swarm::drawn(hunt, seed),
    };
    let result = run_catching_panics(&cell, seed)?;
    verdicts.lock().unwrap_or_else(PoisonError::into_inner).add(&result);
    let violated = hunt.wanted.iter().find(|property| result.verdict(**property) == Verdict::Violated);
    Ok(violated.map(|property| Found { cell, seed, property: *property, choice }))
}

/// Returns the cell of a draft, and the draft's choice. If the draft is not a valid scenario, uses the hunt's own cell.
fn drafted_cell(registry: &Registry, hunt: &Hunt<'_>, (draft, choice): (Draft, String)) -> (Cell, String) {
    let made = file::scenario(registry, "hunted.toml", &draft.scenario()).ok();
    let made = made.map(|scenario| Cell::new(&Arc::new(scenario), &hunt.cell.lock, hunt.bugs));
    match made.filter(|cell| cell.header.applicable) {
        Some(cell) => (cell, choice),
        None => (hunt.cell.clone(), String::new()),
    }
}
