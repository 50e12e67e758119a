//! Small-scope proof: tries every placement of up to k faults in one small case. The result is the smallest
//! counterexample, or the number of placements if none violates a property.
//!
//! Faults are placed one after the other, each no earlier than the previous one. Events before a fault begins do not
//! depend on it, so this order reaches every set of faults.

mod place;
mod points;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use fencepost_sim::SimTime;

use self::place::{Placed, beginnings, endings};
use self::points::Ran;
use crate::file::Placeable;
use crate::property::{Property, Verdict};
use crate::run::cell::Cell;
use crate::run::job::{CasePanicked, catch_panic};
use crate::run::registry::Registry;
use crate::run::verdicts::Verdicts;
use crate::search::shrink::{Draft, draft_of};

/// The settings of an exploration.
#[derive(Clone, Debug)]
pub struct Exploration<'a> {
    /// The cell. The scenario should be small; its own faults are kept.
    pub cell: &'a Cell,
    /// The seed, which determines latencies and the order of simultaneous events.
    pub seed: u64,
    /// The enabled bugs.
    pub bugs: &'a [String],
    /// The maximum number of placed faults.
    pub faults: u32,
    /// The properties to violate.
    pub wanted: &'a [Property],
    /// The number of threads.
    pub threads: usize,
}

/// The result of an exploration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explored {
    /// One level per number of faults, from 0. The run without placed faults is not a placement.
    pub levels: Vec<Level>,
    /// The verdicts on the wanted properties in all runs.
    pub verdicts: Verdicts,
    /// The smallest placement with a violation, if any.
    pub counterexample: Option<Counterexample>,
}

/// All placements of one number of faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// The number of placed faults.
    pub faults: u32,
    /// The number of placements that ran.
    pub placements: u64,
    /// The number of runs that differ from all previous runs in more than times; 0 for the last level, which does not
    /// count them.
    pub different: u64,
}

/// A placement with a violation.
#[derive(Clone, Debug, PartialEq)]
pub struct Counterexample {
    /// The violated property.
    pub property: Property,
    /// The number of placed faults.
    pub faults: u32,
    /// The case as a scenario file.
    pub scenario: String,
}

/// The progress of an exploration.
#[derive(Clone, Copy, Debug)]
pub struct ExploreProgress {
    /// The number of faults in the current placements.
    pub faults: u32,
    /// The number of placements that ran so far, with any number of faults.
    pub placements: u64,
    /// The number of placements with one fault fewer that were extended so far.
    pub begun: usize,
    /// The number of placements to extend.
    pub of: usize,
}

/// A placement to extend by one fault.
struct Parent {
    placed: Vec<Placed>,
    points: Vec<points::Point>,
}

/// Parents are extended in blocks of this size. The search ends with the block that has a counterexample.
const BLOCK: usize = 64;

impl Explored {
    /// Returns the number of placements that ran.
    pub fn placements(&self) -> u64 {
        self.levels.iter().map(|level| level.placements).sum()
    }
}

/// Runs an exploration, and calls `on_progress` after each placement.
///
/// # Errors
/// If a run panics.
pub fn explore(
    registry: &Registry,
    what: &Exploration<'_>,
    on_progress: impl Fn(ExploreProgress) + Sync,
) -> Result<Explored, CasePanicked> {
    let first = catch_panic(what.cell, what.seed, || points::run(what.cell, what.seed))?;
    let mut explored = Explored { verdicts: Verdicts::new(what.wanted), ..Explored::default() };
    explored.verdicts.add(&first.report.result);
    explored.levels.push(Level { faults: 0, placements: 0, different: 1 });
    if let Some(property) = violated(what, &first) {
        explored.counterexample = Some(counterexample(what, property, &[]));
        return Ok(explored);
    }
    let mut seen = BTreeSet::from([first.signature]);
    let mut parents = vec![Parent { placed: Vec::new(), points: first.points }];
    for faults in 1..=what.faults {
        let count = Count {
            on_progress: &on_progress,
            faults,
            of: parents.len(),
            begun: 0.into(),
            before: explored.placements(),
            run: 0.into(),
        };
        let search = Search { registry, what, count };
        let (level, children) = search.level(&parents, &mut seen, &mut explored)?;
        explored.levels.push(level);
        if explored.counterexample.is_some() {
            break;
        }
        parents = children;
    }
    Ok(explored)
}

/// The search over the placements of one number of faults.
struct Search<'a> {
    registry: &'a Registry,
    what: &'a Exploration<'a>,
    count: Count<'a>,
}

/// Counts placements and reports progress.
struct Count<'a> {
    on_progress: &'a (dyn Fn(ExploreProgress) + Sync),
    faults: u32,
    of: usize,
    begun: AtomicUsize,
    /// Placements of fewer faults.
    before: u64,
    run: AtomicU64,
}

impl Count<'_> {
    fn one_more(&self) {
        let placements = self.before + self.run.fetch_add(1, Ordering::Relaxed) + 1;
        let begun = self.begun.load(Ordering::Relaxed);
        (self.on_progress)(ExploreProgress { faults: self.faults, placements, begun, of: self.of });
    }
}

/// The results of all extensions of one parent.
struct Tried {
    runs: u64,
    verdicts: Verdicts,
    found: Vec<(Property, Vec<Placed>)>,
    children: Vec<(u128, Parent)>,
}

impl Search<'_> {
    /// Tries all extensions of these parents, up to the block that has a counterexample. Returns the placements to
    /// extend further.
    fn level(
        &self,
        parents: &[Parent],
        seen: &mut BTreeSet<u128>,
        explored: &mut Explored,
    ) -> Result<(Level, Vec<Parent>), CasePanicked> {
        let mut level = Level { faults: self.count.faults, ..Level::default() };
        let mut children = Vec::new();
        for block in parents.chunks(BLOCK) {
            let mut found: Vec<(Property, Vec<Placed>)> = Vec::new();
            for tried in self.try_all(block)? {
                level.placements += tried.runs;
                explored.verdicts.merge(&tried.verdicts);
                found.extend(tried.found);
                for child in tried.children {
                    if seen.insert(child.0) {
                        level.different += 1;
                        children.push(child.1);
                    }
                }
            }
            if let Some((property, placed)) = found.into_iter().next() {
                explored.counterexample = Some(counterexample(self.what, property, &placed));
                break;
            }
        }
        Ok((level, children))
    }

    /// Tries the extensions of these parents on several threads. The results are in the order of the parents. A panic
    /// is an error, because the result would not cover all placements.
    fn try_all(&self, parents: &[Parent]) -> Result<Vec<Tried>, CasePanicked> {
        let next = AtomicUsize::new(0);
        let tried: Mutex<Vec<(usize, Result<Tried, CasePanicked>)>> = Mutex::default();
        thread::scope(|scope| {
            for _ in 0..self.what.threads.clamp(1, parents.len()) {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(parent) = parents.get(index) else { return };
                        self.count.begun.fetch_add(1, Ordering::Relaxed);
                        let one = catch_panic(self.what.cell, self.what.seed, || self.extend(parent));
                        tried.lock().unwrap_or_else(PoisonError::into_inner).push((index, one));
                    }
                });
            }
        });
        let mut tried = tried.into_inner().unwrap_or_else(PoisonError::into_inner);
        tried.sort_by_key(|(index, _)| *index);
        tried.into_iter().map(|(_, tried)| tried).collect()
    }

    fn extend(&self, parent: &Parent) -> Tried {
        let what = self.what;
        let verdicts = Verdicts::new(what.wanted);
        let mut tried = Tried { runs: 0, verdicts, found: Vec::new(), children: Vec::new() };
        let from = parent.placed.last().map_or(SimTime(0), |last| last.at);
        let until = SimTime(0) + what.cell.scenario.run_for;
        let menu: &[Placeable] = &what.cell.scenario.explore.menu;
        let mut seen = BTreeSet::new();
        for placed in beginnings(what.cell, menu, &parent.points, from, until) {
            let ran = self.try_placement(parent, &placed, &mut tried, &mut seen);
            if placed.has_an_end() {
                for ended in endings(&placed, &ran) {
                    self.try_placement(parent, &ended, &mut tried, &mut seen);
                }
            }
        }
        tried
    }

    /// Runs the parent's faults and one more, and returns the points of this run.
    fn try_placement(
        &self,
        parent: &Parent,
        placed: &Placed,
        tried: &mut Tried,
        seen: &mut BTreeSet<u128>,
    ) -> Vec<points::Point> {
        let all: Vec<Placed> = parent.placed.iter().chain([placed]).cloned().collect();
        let ran = points::run(&cell_with(self.registry, self.what, &all), self.what.seed);
        self.count.one_more();
        tried.runs += 1;
        tried.verdicts.add(&ran.report.result);
        if let Some(property) = violated(self.what, &ran) {
            tried.found.push((property, all));
        } else if (all.len() as u32) < self.what.faults && seen.insert(ran.signature) {
            let parent = Parent { placed: all, points: ran.points.clone() };
            tried.children.push((ran.signature, parent));
        }
        ran.points
    }
}

/// Returns the first wanted property that is violated.
fn violated(what: &Exploration<'_>, ran: &Ran) -> Option<Property> {
    what.wanted.iter().copied().find(|property| ran.report.result.verdict(*property) == Verdict::Violated)
}

/// Returns the cell with these faults after its own.
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
    use crate::{file, file::shipped};

    #[test]
    fn a_panic_in_a_thread_is_an_error() {
        let registry = Registry::standard();
        let text = shipped::scenario("explore-unguarded").expect("the scenario is shipped");
        let scenario = file::scenario(&registry, "explore-unguarded.toml", text).expect("the scenario is valid");
        let cell = Cell::new(&Arc::new(scenario), registry.lock("sql-version").expect("the lock is registered"), &[]);
        let what = Exploration { cell: &cell, seed: 0, bugs: &[], faults: 2, wanted: &[], threads: 2 };
        let invalid = Placed {
            what: Placeable::named("pause").unwrap(),
            place: Place::Node(NodeId(99)),
            begins: Begins::At,
            at: SimTime(0),
            lasts: Duration::from_secs(1),
            step: 0,
        };
        let parent = |placed| Parent { placed, points: points::run(&cell, 0).points };
        let (begun, run) = (0.into(), 0.into());
        let count = Count { on_progress: &|_| {}, faults: 2, of: 2, begun, before: 0, run };
        let search = Search { registry: &registry, what: &what, count };
        let tried = search.try_all(&[parent(vec![]), parent(vec![invalid])]);
        assert!(tried.err().is_some_and(|panicked| panicked.message.contains("99")));
    }
}
