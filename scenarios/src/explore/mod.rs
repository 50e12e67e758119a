//! Small-scope proof: tries every placement of up to so many faults in one small case, and ends with the smallest
//! counterexample or with the number of placements among which there is none.
//!
//! Faults are placed one after the other, each no earlier than the one before it: what happens before a fault begins
//! does not depend on it, so every set of faults is met in the order of its beginnings.

mod place;
mod points;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use fencepost_sim::SimTime;

use self::place::{Placed, beginnings, endings};
use self::points::Ran;
use crate::cell::Cell;
use crate::file::Placeable;
use crate::property::{Property, Verdict};
use crate::registry::Registry;
use crate::run::{CasePanicked, caught};
use crate::shrink::{Draft, draft_of};

/// What to explore.
#[derive(Clone, Debug)]
pub struct Exploration<'a> {
    /// The cell: its scenario is small, and its own faults stay.
    pub cell: &'a Cell,
    /// The seed: it decides latencies, and the order of what happens at once.
    pub seed: u64,
    /// The bugs that are switched on.
    pub bugs: &'a [String],
    /// How many faults are placed at most.
    pub faults: u32,
    /// What must not be violated.
    pub wanted: &'a [Property],
    /// How many threads.
    pub threads: usize,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explored {
    /// For each number of faults, from none: how many placements were run, and how many of them differed in more than
    /// times from all before.
    pub levels: Vec<Level>,
    /// The smallest placement that violates something, if there is one.
    pub counterexample: Option<Counterexample>,
}

/// All placements of one number of faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// How many faults are placed.
    pub faults: u32,
    /// How many placements were run.
    pub placements: u64,
    /// How many of them differed from all others in more than times. Not asked of the last level: 0.
    pub different: u64,
}

/// A placement that violates something.
#[derive(Clone, Debug, PartialEq)]
pub struct Counterexample {
    /// What it violates.
    pub property: Property,
    /// How many faults it has.
    pub faults: u32,
    /// It as a scenario.
    pub scenario: String,
}

/// How far an exploration is: the number of faults, and how many starting points of how many are done.
#[derive(Clone, Copy, Debug)]
pub struct Stand {
    /// How many faults are being placed.
    pub faults: u32,
    /// Placements with one fault less whose continuations are done.
    pub done: usize,
    /// All of them.
    pub of: usize,
    /// How many placements were run so far.
    pub placements: u64,
}

/// A placement from which more faults are placed.
struct Parent {
    placed: Vec<Placed>,
    points: Vec<points::Point>,
}

/// Starting points are dealt with in blocks of this many, and the search ends with the block that has a counterexample.
const BLOCK: usize = 64;

impl Explored {
    /// How many placements were run in all.
    pub fn placements(&self) -> u64 {
        self.levels.iter().map(|level| level.placements).sum()
    }
}

/// Explores. `told` hears how far it is.
///
/// # Errors
/// If a run panicked: then nothing is said of any placement.
pub fn explore(
    registry: &Registry,
    what: &Exploration<'_>,
    mut told: impl FnMut(Stand),
) -> Result<Explored, CasePanicked> {
    let first = caught(what.cell, what.seed, || points::run(what.cell, what.seed))?;
    let mut explored = Explored::default();
    explored.levels.push(Level { faults: 0, placements: 1, different: 1 });
    if let Some(property) = violated(what, &first) {
        explored.counterexample = Some(counterexample(what, property, &[]));
        return Ok(explored);
    }
    let mut seen = BTreeSet::from([first.signature]);
    let mut parents = vec![Parent { placed: Vec::new(), points: first.points }];
    for faults in 1..=what.faults {
        let mut level = Level { faults, ..Level::default() };
        let mut children = Vec::new();
        let mut done = 0;
        let before = explored.placements();
        for block in parents.chunks(BLOCK) {
            let mut found: Vec<(Property, Vec<Placed>)> = Vec::new();
            for tried in try_all(registry, what, block)? {
                level.placements += tried.runs;
                found.extend(tried.found);
                for child in tried.children {
                    if seen.insert(child.0) {
                        level.different += 1;
                        children.push(child.1);
                    }
                }
            }
            done += block.len();
            told(Stand { faults, done, of: parents.len(), placements: before + level.placements });
            if let Some((property, placed)) = found.into_iter().next() {
                explored.levels.push(level);
                explored.counterexample = Some(counterexample(what, property, &placed));
                return Ok(explored);
            }
        }
        explored.levels.push(level);
        parents = children;
    }
    Ok(explored)
}

/// What came of all continuations of one parent.
#[derive(Default)]
struct Tried {
    runs: u64,
    found: Vec<(Property, Vec<Placed>)>,
    children: Vec<(u128, Parent)>,
}

/// Tries the continuations of these parents on all cores; the results are in the order of the parents. Work that panics
/// is an error and not left out, since "none among all placements" would be said of what nobody tried.
fn try_all(registry: &Registry, what: &Exploration<'_>, parents: &[Parent]) -> Result<Vec<Tried>, CasePanicked> {
    let next = AtomicUsize::new(0);
    let tried: Mutex<Vec<(usize, Result<Tried, CasePanicked>)>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..what.threads.clamp(1, parents.len()) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(parent) = parents.get(index) else { return };
                    let one = caught(what.cell, what.seed, || try_one(registry, what, parent));
                    tried.lock().unwrap_or_else(PoisonError::into_inner).push((index, one));
                }
            });
        }
    });
    let mut tried = tried.into_inner().unwrap_or_else(PoisonError::into_inner);
    tried.sort_by_key(|(index, _)| *index);
    tried.into_iter().map(|(_, tried)| tried).collect()
}

fn try_one(registry: &Registry, what: &Exploration<'_>, parent: &Parent) -> Tried {
    let mut tried = Tried::default();
    let from = parent.placed.last().map_or(SimTime(0), |last| last.at);
    let until = SimTime(0) + what.cell.scenario.run_for;
    let menu: &[Placeable] = &what.cell.scenario.explore.menu;
    let mut seen = BTreeSet::new();
    for placed in beginnings(what.cell, menu, &parent.points, from, until) {
        let ran = tried.try_placement(registry, what, parent, &placed, &mut seen);
        if placed.has_an_end() {
            for ended in endings(&placed, &ran) {
                tried.try_placement(registry, what, parent, &ended, &mut seen);
            }
        }
    }
    tried
}

impl Tried {
    /// Runs the parent's faults with one more, and gives the points of that run.
    fn try_placement(
        &mut self,
        registry: &Registry,
        what: &Exploration<'_>,
        parent: &Parent,
        placed: &Placed,
        seen: &mut BTreeSet<u128>,
    ) -> Vec<points::Point> {
        let all: Vec<Placed> = parent.placed.iter().chain([placed]).cloned().collect();
        let ran = points::run(&cell_with(registry, what, &all), what.seed);
        self.runs += 1;
        if let Some(property) = violated(what, &ran) {
            self.found.push((property, all));
        } else if (all.len() as u32) < what.faults && seen.insert(ran.signature) {
            let parent = Parent { placed: all, points: ran.points.clone() };
            self.children.push((ran.signature, parent));
        }
        ran.points
    }
}

/// The first of what must not be violated that is.
fn violated(what: &Exploration<'_>, ran: &Ran) -> Option<Property> {
    what.wanted.iter().copied().find(|property| ran.report.outcome.verdict(*property) == Verdict::Violated)
}

/// The cell with these faults after its own.
fn cell_with(registry: &Registry, what: &Exploration<'_>, placed: &[Placed]) -> Cell {
    let mut cell = what.cell.clone();
    let nodes = cell.nodes();
    let mut scenario = (*cell.scenario).clone();
    let more = placed.iter().enumerate().map(|(index, placed)| placed.plan(registry, &nodes, index + 1));
    scenario.faults = scenario.faults.iter().cloned().chain(more).collect();
    cell.scenario = Arc::new(scenario);
    cell
}

fn counterexample(what: &Exploration<'_>, property: Property, placed: &[Placed]) -> Counterexample {
    let mut draft: Draft = draft_of(what.cell, what.seed, what.bugs, property);
    let nodes = what.cell.nodes();
    draft.faults.extend(placed.iter().enumerate().map(|(index, placed)| placed.fault(&nodes, index + 1)));
    Counterexample { property, faults: placed.len() as u32, scenario: draft.scenario() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fencepost_sim::NodeId;

    use super::place::{Begins, Place};
    use super::*;
    use crate::{file, shipped};

    #[test]
    fn a_thread_that_panics_is_an_error_and_not_a_clean_result() {
        let registry = Registry::standard();
        let text = shipped::scenario("explore-unguarded").expect("it is shipped");
        let scenario = file::scenario(&registry, "explore-unguarded.toml", text).expect("it is right");
        let cell = Cell::new(&Arc::new(scenario), registry.lock("sql-version").expect("there is this lock"), &[]);
        let what = Exploration { cell: &cell, seed: 0, bugs: &[], faults: 2, wanted: &[], threads: 2 };
        let nowhere = Placed {
            what: Placeable::Pause,
            place: Place::Node(NodeId(99)),
            begins: Begins::At,
            at: SimTime(0),
            lasts: Duration::from_secs(1),
            step: 0,
        };
        let parent = |placed| Parent { placed, points: points::run(&cell, 0).points };
        let tried = try_all(&registry, &what, &[parent(vec![]), parent(vec![nowhere])]);
        assert!(tried.err().is_some_and(|panicked| panicked.message.contains("99")));
    }
}
