//! Hunting: looks for one violation as fast as it can. Its cases are no sample of anything, so no rate is ever made of
//! them.

mod aimed;
mod swarm;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::file;
use crate::property::{Property, Verdict};
use crate::registry::Registry;
use crate::run::cell::Cell;
use crate::run::job::{CasePanicked, run_caught};
use crate::run::verdicts::Verdicts;
use crate::search::shrink::Draft;

/// How cases are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aim {
    /// As `run` would: the scenario's own cases, seed by seed.
    Uniform,
    /// The scenario's kinds of fault, each at an event of the clients and about as long as the lock's expiry.
    #[default]
    Aimed,
    /// A part of the scenario's faults and settings, drawn anew for each case.
    Swarm,
}

/// What to hunt for.
#[derive(Clone, Debug)]
pub struct Hunt<'a> {
    /// The cell to hunt in.
    pub cell: &'a Cell,
    /// The bugs that are switched on.
    pub bugs: &'a [String],
    /// What must not be violated. Where that is nothing, no case is tried.
    pub wanted: &'a [Property],
    /// How cases are chosen.
    pub aim: Aim,
    /// How many cases are tried at most.
    pub cases: u64,
    /// How many threads.
    pub threads: usize,
}

/// What a hunt came to.
#[derive(Clone, Debug)]
pub struct Hunted {
    /// How many cases it took; all where nothing was found.
    pub cases: u64,
    /// What could be judged, where nothing was found.
    pub verdicts: Verdicts,
    /// The first case that violates something.
    pub found: Option<Found>,
}

/// A case that violates something.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its cell: the hunt's own, or one made for this case.
    pub cell: Cell,
    /// Its seed.
    pub seed: u64,
    /// What it violates.
    pub property: Property,
    /// What was chosen for it, in words; nothing where the case is one of the scenario's own.
    pub choice: String,
}

/// Hunts until something is found. The first case in the order of seeds counts, whatever the number of threads.
///
/// # Errors
/// If a case panicked.
pub fn hunt(registry: &Registry, hunt: &Hunt<'_>) -> Result<Hunted, CasePanicked> {
    if hunt.wanted.is_empty() {
        return Ok(Hunted { cases: 0, verdicts: Verdicts::default(), found: None });
    }
    let (next, first) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
    let found: Mutex<Vec<Result<Found, (u64, CasePanicked)>>> = Mutex::default();
    let verdicts = Mutex::new(Verdicts::on(hunt.wanted));
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
        Aim::Aimed => made(registry, hunt, aimed::draft(hunt, seed)),
        Aim::Swarm => swarm::drawn(hunt, seed),
    };
    let result = run_caught(&cell, seed)?;
    verdicts.lock().unwrap_or_else(PoisonError::into_inner).add(&result);
    let violated = hunt.wanted.iter().find(|property| result.verdict(**property) == Verdict::Violated);
    Ok(violated.map(|property| Found { cell, seed, property: *property, choice }))
}

/// The cell of a draft, and what it chose. One that is no scenario is replaced by the hunt's own cell.
fn made(registry: &Registry, hunt: &Hunt<'_>, (draft, choice): (Draft, String)) -> (Cell, String) {
    let made = file::scenario(registry, "hunted.toml", &draft.scenario()).ok();
    let made = made.map(|scenario| Cell::new(&Arc::new(scenario), &hunt.cell.lock, hunt.bugs));
    match made.filter(|cell| cell.header.applicable) {
        Some(cell) => (cell, choice),
        None => (hunt.cell.clone(), String::new()),
    }
}
