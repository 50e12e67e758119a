//! Shrinking: minimizes a case that violates a property, and writes it as a reproducer.
//!
//! Every candidate is the text of a scenario, parsed and run like any other, so the reproducer replays by construction.
//! The budget counts runs of candidates, so the result is the same on every machine.

mod clients;
mod draft;
mod faults;
mod fields;
mod many;
mod random_search;
mod resolve;
mod round_values;
mod shrinker;
mod size;
mod values;

use fencepost_sim::TraceHash;
use fencepost_sim::stream::Streams;

pub(crate) use self::draft::{Draft, DraftFault};
pub use self::many::shrink_all;
use self::resolve::resolve;
pub(crate) use self::resolve::{base, written_faults};
use self::shrinker::Shrinker;
pub use self::size::Size;
use crate::property::{Property, Verdict};
use crate::run::case;
use crate::run::cell::Cell;
use crate::run::registry::Registry;

/// The default maximum number of candidates that `shrink` runs.
pub const BUDGET: u64 = 2_000;

/// The limits of shrinking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// The maximum number of candidates to run.
    pub budget: u64,
    /// The number of other scheduling seeds that the result should reproduce with.
    pub other_seeds: u32,
}

impl Default for Effort {
    fn default() -> Self {
        Effort { budget: BUDGET, other_seeds: 8 }
    }
}

impl Effort {
    /// The limits that `run` uses for the first failure of each cell.
    pub const OF_A_RUN: Effort = Effort { budget: 150, other_seeds: 4 };
}

/// A case to shrink.
#[derive(Clone, Copy, Debug)]
pub struct Failing<'a> {
    /// The cell.
    pub cell: &'a Cell,
    /// The seed.
    pub seed: u64,
    /// The enabled bugs.
    pub bugs: &'a [String],
    /// The violated property.
    pub property: Property,
}

/// The result of shrinking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The text of the reproducer.
    pub text: String,
    /// The violated property.
    pub property: Property,
    /// The number of candidates that ran.
    pub runs: u64,
    /// The size before shrinking.
    pub before: Size,
    /// The size after shrinking.
    pub after: Size,
    /// The number of other scheduling seeds that were tried.
    pub tried: u32,
    /// The number of these seeds that reproduce the violation.
    pub held: u32,
}

/// Why a case cannot be shrunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotShrunk {
    /// The case does not violate the property.
    #[error("the case does not violate {}", .0.name())]
    Holds(Property),
    /// The case does not violate the property if each injection is a separate fault.
    #[error("the case violates {} only with randomly drawn faults, not with each injection as a separate fault", .0.name())]
    NotResolved(Property),
}

/// Returns the draft of a case, with each injection of its schedule as a separate fault.
pub(crate) fn draft_of(cell: &Cell, seed: u64, bugs: &[String], property: Property) -> Draft {
    let cell = &*cell.drawn(seed);
    resolve(cell, seed, bugs, property, &case::run(cell, seed, None))
}

/// Returns the reproducer of an unshrunk case: a scenario that draws its faults, and the pinned case.
pub fn unshrunk(failing: &Failing<'_>) -> String {
    let Failing { cell, seed, bugs, property } = *failing;
    let cell = &*cell.drawn(seed);
    let report = case::run(cell, seed, None);
    let draft = resolve(cell, seed, bugs, property, &report);
    let comment = format!("{} violates {}. It was not shrunk.", cell.case_name(seed), property.name());
    draft.as_drawn(&cell.scenario.source, &comment, &TraceHash(report.result.trace).to_string())
}

/// Shrinks a case.
///
/// # Errors
/// If the case does not violate the property, or does not violate it with each injection as a separate fault.
pub fn shrink(registry: &Registry, failing: &Failing<'_>, effort: Effort) -> Result<Shrunk, NotShrunk> {
    let Failing { cell, seed, bugs, property } = *failing;
    let cell = &*cell.drawn(seed);
    let report = case::run(cell, seed, None);
    if report.result.verdict(property) != Verdict::Violated {
        return Err(NotShrunk::Holds(property));
    }
    let draft = resolve(cell, seed, bugs, property, &report);
    let shrinker = Shrinker::new(registry, &cell.lock, draft, effort.budget, effort.other_seeds);
    let mut shrinker = shrinker.ok_or(NotShrunk::NotResolved(property))?;
    let before = shrinker.size();
    sweep(&mut shrinker, &FIRST);
    reproduce_with_more_seeds(&mut shrinker);
    shrinker.be_strict();
    let mut stream = Streams::new(seed).stream("shrink random search");
    settle(&mut shrinker);
    while random_search::run(&mut shrinker, &mut stream) && !shrinker.exhausted() {
        shrinker.keep_reproducing_seeds();
        settle(&mut shrinker);
    }
    Ok(conclude(shrinker, failing, before))
}

type Pass = fn(&mut Shrinker<'_>);

/// Passes that make a large case small in few runs.
const FIRST: [Pass; 7] = [
    faults::fewer,
    values::shorter_run,
    faults::at_events,
    clients::fewer,
    values::simpler_times,
    fields::fewer_orders,
    faults::fewer,
];

/// Passes that make a small case smaller.
const AGAIN: [Pass; 11] = [
    faults::fewer,
    faults::alone,
    clients::fewer,
    fields::fewer_orders,
    values::simpler_times,
    faults::at_events,
    fields::smaller_times,
    values::fewer_attempts,
    values::shorter_lease,
    fields::smaller_faults,
    values::shorter_run,
];

/// Repeats the passes until none of them changes the case.
fn settle(shrinker: &mut Shrinker<'_>) {
    loop {
        let before = shrinker.best().clone();
        sweep(shrinker, &AGAIN);
        if *shrinker.best() == before || shrinker.exhausted() {
            return;
        }
    }
}

/// Runs each pass once.
fn sweep(shrinker: &mut Shrinker<'_>, passes: &[Pass]) {
    for pass in passes {
        pass(shrinker);
    }
}

/// Makes more scheduling seeds reproduce the violation, and requires their number from then on.
fn reproduce_with_more_seeds(shrinker: &mut Shrinker<'_>) {
    if shrinker.exhausted() {
        return;
    }
    if shrinker.require_reproducing_seeds() < shrinker.others() {
        clients::more_orders(shrinker);
        faults::longer(shrinker);
    }
}

fn conclude(mut shrinker: Shrinker<'_>, failing: &Failing<'_>, before: Size) -> Shrunk {
    let after = shrinker.size();
    let held = shrinker.reproducing_seeds();
    let runs = shrinker.runs();
    let comment = format!(
        "{} violates {}. Shrunk in {runs} runs from {before}\nto {after}.\n\
         Of {} other seeds for order and latencies, {held} show it too.",
        failing.cell.case_name(failing.seed),
        failing.property.name(),
        shrinker.others()
    );
    let draft: &Draft = shrinker.best();
    let trace = TraceHash(shrinker.violation().trace).to_string();
    let text = draft.reproducer(&comment, &trace);
    Shrunk { text, property: failing.property, runs, before, after, tried: shrinker.others(), held }
}
