//! Tries drafts: each candidate is read from its own text and run, as a reproducer will be. What is tried twice counts
//! once; what is run counts.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use fencepost_sim::SimTime;
use fencepost_sim::stream::SEED_LIMIT;

use super::draft::Draft;
use crate::case::{self, CaseReport, Injected};
use crate::cell::Cell;
use crate::file;
use crate::property::Verdict;
use crate::registry::{LockEntry, Registry};

/// Tries candidates, and keeps the smallest that still shows the violation.
pub(crate) struct Lab<'a> {
    registry: &'a Registry,
    lock: &'a LockEntry,
    budget: u64,
    runs: u64,
    /// How many other scheduling seeds there are to hold for.
    others: u32,
    /// For how many of them a candidate has to hold.
    needed: u32,
    seen: BTreeSet<String>,
    best: Draft,
    shown: Shown,
}

/// What a run of a draft showed.
pub(crate) struct Shown {
    /// When the property was violated first.
    pub at: SimTime,
    /// The clients that the violation names, as indices.
    pub clients: Vec<u16>,
    /// The injections that began.
    pub injections: Vec<Injected>,
    /// The hash of the trace.
    pub trace: u128,
    /// After about how long a crashed holder is replaced.
    pub lease: Option<Duration>,
}

impl<'a> Lab<'a> {
    /// A lab for this draft, if the draft shows what it is about.
    pub fn new(registry: &'a Registry, lock: &'a LockEntry, draft: Draft, budget: u64, others: u32) -> Option<Self> {
        let shown = run(registry, lock, &draft, draft.seed)?;
        let seen = BTreeSet::from([draft.scenario()]);
        Some(Lab { registry, lock, budget, runs: 1, others, needed: 0, seen, best: draft, shown })
    }

    /// The smallest so far.
    pub fn best(&self) -> &Draft {
        &self.best
    }

    /// What it showed.
    pub fn shown(&self) -> &Shown {
        &self.shown
    }

    /// The lease of the smallest so far.
    pub fn lease(&self) -> Option<Duration> {
        self.shown.lease
    }

    /// How many candidates were run.
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// Whether the budget is used up.
    pub fn exhausted(&self) -> bool {
        self.runs >= self.budget
    }

    /// Whether this candidate shows the violation too, under as many seeds as needed: it is then the smallest so far.
    pub fn offer(&mut self, draft: Draft) -> bool {
        if self.exhausted() || !self.seen.insert(draft.scenario()) {
            return false;
        }
        self.runs += 1;
        let Some(shown) = run(self.registry, self.lock, &draft, draft.seed) else { return false };
        if self.needed > 0 && self.held_by(&draft, self.needed) < self.needed {
            return false;
        }
        (self.best, self.shown) = (draft, shown);
        true
    }

    /// From now on candidates have to hold for as many scheduling seeds as the smallest so far.
    pub fn demand_steadiness(&mut self) -> u32 {
        let best = self.best.clone();
        self.needed = self.held_by(&best, 0);
        self.needed
    }

    /// Takes this candidate if it holds for more scheduling seeds than the smallest so far.
    pub fn offer_steadier(&mut self, draft: Draft) -> bool {
        self.needed += 1;
        let before = self.runs;
        let taken = self.offer(draft);
        if taken && self.needed < self.others && self.runs > before {
            self.demand_steadiness();
        }
        self.needed -= u32::from(!taken);
        taken
    }

    /// For how many other scheduling seeds it has to hold at most.
    pub fn others(&self) -> u32 {
        self.others
    }

    /// For how many of them the smallest holds, as far as was asked.
    pub fn needed(&self) -> u32 {
        self.needed
    }

    /// The next seeds after the draft's own that show the violation too. Stops as soon as `needed` cannot be reached.
    fn held_by(&mut self, draft: &Draft, needed: u32) -> u32 {
        let mut held = 0;
        for other in 1..=self.others {
            if held + (self.others - other + 1) < needed {
                break;
            }
            self.runs += 1;
            let seed = (draft.seed + u64::from(other)) % SEED_LIMIT;
            held += u32::from(run(self.registry, self.lock, draft, seed).is_some());
        }
        held
    }

    /// Runs the smallest so far once more, with somebody watching.
    pub fn watch(&mut self, watcher: std::rc::Rc<std::cell::RefCell<dyn crate::recorder::Watcher>>) {
        self.runs += 1;
        if let Some(cell) = cell(self.registry, self.lock, &self.best) {
            case::run(&cell, self.best.seed, Some(watcher));
        }
    }
}

/// Reads the draft's text; none if that is no scenario for this lock.
fn cell(registry: &Registry, lock: &LockEntry, draft: &Draft) -> Option<Cell> {
    let scenario = file::scenario(registry, "candidate.toml", &draft.scenario()).ok()?;
    let cell = Cell::new(&Arc::new(scenario), lock, &draft.bugs);
    cell.header.applicable.then_some(cell)
}

/// What the draft shows under this seed, if it shows the violation.
fn run(registry: &Registry, lock: &LockEntry, draft: &Draft, seed: u64) -> Option<Shown> {
    let cell = cell(registry, lock, draft)?;
    // A candidate that panics is another failure than the one looked for.
    let report: CaseReport = catch_unwind(AssertUnwindSafe(|| case::run(&cell, seed, None))).ok()?;
    if report.outcome.verdict(draft.property) != Verdict::Violated {
        return None;
    }
    let evidence = report.evidence.iter().find(|evidence| evidence.property == draft.property);
    let clients = evidence.map(|evidence| evidence.clients()).unwrap_or_default();
    Some(Shown {
        at: evidence.map_or(report.ended, |evidence| evidence.at),
        clients: clients.iter().map(|node| node.0).collect(),
        injections: report.injections,
        trace: report.outcome.trace,
        lease: cell.header.effective_expiry,
    })
}
