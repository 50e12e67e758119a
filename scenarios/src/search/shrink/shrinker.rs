//! Tries candidates. Each candidate is parsed from its own text and run, like a reproducer. Every run counts against
//! the budget, and no candidate runs twice.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use fencepost_sim::SimTime;
use fencepost_sim::stream::SEED_LIMIT;

use super::draft::Draft;
use super::size::{History, Size};
use crate::file;
use crate::property::Verdict;
use crate::run::case::{self, CaseReport, Injected};
use crate::run::cell::Cell;
use crate::run::recorder::Watcher;
use crate::run::registry::{LockEntry, Registry};

/// The number of additional events that a simpler case may have.
const SLACK: usize = 4;

/// Tries candidates, and keeps the smallest one that reproduces the violation.
pub(crate) struct Shrinker<'a> {
    registry: &'a Registry,
    lock: &'a LockEntry,
    budget: u64,
    runs: u64,
    /// The number of other scheduling seeds to try.
    others: u32,
    /// The number of these seeds with which a candidate must reproduce the violation.
    needed: u32,
    /// Whether a candidate may be at most [`SLACK`] larger than the best.
    strict: bool,
    /// The `run_for` of the case before shrinking.
    longest_run: Duration,
    seen: BTreeSet<(u64, String)>,
    best: Draft,
    violation: Violation,
}

/// The violation in a run of a draft.
pub(crate) struct Violation {
    /// When the property is first violated.
    pub at: SimTime,
    /// The number of history events up to this time.
    pub events: usize,
    /// The clients that the violation names, as indices.
    pub clients: Vec<u16>,
    /// The injections that began.
    pub injections: Vec<Injected>,
    /// The hash of the trace.
    pub trace: u128,
    /// The effective expiry of the lock.
    pub lease: Option<Duration>,
}

impl<'a> Shrinker<'a> {
    /// Creates a shrinker for this draft, or returns `None` if the draft does not reproduce the violation.
    pub fn new(registry: &'a Registry, lock: &'a LockEntry, draft: Draft, budget: u64, others: u32) -> Option<Self> {
        let violation = run(registry, lock, &draft, draft.seed)?;
        let seen = BTreeSet::from([(draft.seed, draft.scenario())]);
        let longest_run = draft.run_for;
        let (needed, strict) = (0, false);
        Some(Shrinker {
            registry,
            lock,
            budget,
            runs: 1,
            others,
            needed,
            strict,
            longest_run,
            seen,
            best: draft,
            violation,
        })
    }

    /// Returns the smallest draft so far.
    pub fn best(&self) -> &Draft {
        &self.best
    }

    /// Returns the violation of the smallest draft so far.
    pub fn violation(&self) -> &Violation {
        &self.violation
    }

    /// Returns the lease of the smallest draft so far.
    pub fn lease(&self) -> Option<Duration> {
        self.violation.lease
    }

    /// Returns the lock.
    pub fn lock(&self) -> &LockEntry {
        self.lock
    }

    /// Returns the size of the smallest draft so far.
    pub fn size(&self) -> Size {
        Size::new(&self.best, self.violation.events)
    }

    /// Returns the `run_for` of the case before shrinking.
    pub fn longest_run(&self) -> Duration {
        self.longest_run
    }

    /// From now on, rejects candidates that are more than [`SLACK`] larger, even if they are simpler.
    pub fn be_strict(&mut self) {
        self.strict = true;
    }

    /// Returns the number of runs so far.
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// Returns whether the budget is used up, except for one more candidate and the final check.
    pub fn exhausted(&self) -> bool {
        self.runs + 2 * u64::from(self.others) + 2 > self.budget
    }

    /// Accepts this candidate if it reproduces with as many seeds as required. Returns whether it was accepted.
    pub fn offer(&mut self, draft: Draft) -> bool {
        match self.strict {
            true => self.offer_if(draft, |best, new| {
                let slack = if new.readable() { SLACK } else { 0 };
                new.cost() <= best.cost() + slack
            }),
            false => self.offer_if(draft, |_, _| true),
        }
    }

    /// Does the same as [`Shrinker::offer`], but accepts only a smaller cost.
    pub fn offer_smaller(&mut self, draft: Draft) -> bool {
        self.offer_if(draft, |best, new| new.cost() < best.cost())
    }

    /// Runs a candidate without accepting it. Returns the violation, if the candidate reproduces it.
    pub fn try_out(&mut self, draft: &Draft) -> Option<Violation> {
        if self.exhausted() || !self.seen.insert((draft.seed, draft.scenario())) {
            return None;
        }
        self.runs += 1;
        run(self.registry, self.lock, draft, draft.seed)
    }

    /// Accepts a tried candidate if it reproduces with as many seeds as required.
    pub fn take(&mut self, draft: Draft, violation: Violation) -> bool {
        if self.needed > 0 && self.count_reproducing(&draft, self.needed) < self.needed {
            return false;
        }
        (self.best, self.violation) = (draft, violation);
        true
    }

    fn offer_if(&mut self, draft: Draft, fits: impl Fn(Size, Size) -> bool) -> bool {
        match self.try_out(&draft) {
            Some(violation) if fits(self.size(), Size::new(&draft, violation.events)) => self.take(draft, violation),
            _ => false,
        }
    }

    /// From now on, requires candidates to reproduce with as many scheduling seeds as the best. Returns this number.
    pub fn require_reproducing_seeds(&mut self) -> u32 {
        self.needed = self.reproducing_seeds();
        self.needed
    }

    /// Does the same as [`Shrinker::require_reproducing_seeds`], but never lowers the requirement.
    pub fn keep_reproducing_seeds(&mut self) {
        self.needed = self.needed.max(self.reproducing_seeds());
    }

    /// Returns the number of other scheduling seeds with which the best reproduces.
    pub fn reproducing_seeds(&mut self) -> u32 {
        let best = self.best.clone();
        self.count_reproducing(&best, 0)
    }

    /// Accepts this candidate if it reproduces with more scheduling seeds than required so far.
    pub fn offer_more_reproducing(&mut self, draft: Draft) -> bool {
        self.needed += 1;
        let before = self.runs;
        let taken = self.offer(draft);
        if taken && self.needed < self.others && self.runs > before {
            self.require_reproducing_seeds();
        }
        self.needed -= u32::from(!taken);
        taken
    }

    /// Returns the number of other scheduling seeds to try.
    pub fn others(&self) -> u32 {
        self.others
    }

    /// Returns the number of these seeds with which candidates must reproduce.
    pub fn needed(&self) -> u32 {
        self.needed
    }

    /// Returns the number of seeds after the draft's own that also reproduce. Stops once `needed` cannot be reached.
    fn count_reproducing(&mut self, draft: &Draft, needed: u32) -> u32 {
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

    /// Reruns the best draft with a watcher.
    pub fn watch(&mut self, watcher: Rc<RefCell<dyn Watcher>>) {
        self.runs += 1;
        if let Some(cell) = cell(self.registry, self.lock, &self.best) {
            case::run(&cell, self.best.seed, Some(watcher));
        }
    }
}

/// Parses the draft's text. Returns `None` if the text is not a scenario for this lock.
fn cell(registry: &Registry, lock: &LockEntry, draft: &Draft) -> Option<Cell> {
    let scenario = file::scenario(registry, "candidate.toml", &draft.scenario()).ok()?;
    let cell = Cell::new(&Arc::new(scenario), lock, &draft.bugs);
    cell.header.applicable.then_some(cell)
}

/// Runs the draft with this seed. Returns the violation, if the draft reproduces it.
fn run(registry: &Registry, lock: &LockEntry, draft: &Draft, seed: u64) -> Option<Violation> {
    let cell = cell(registry, lock, draft)?;
    // A panic is not the violation to reproduce.
    let history = Rc::new(RefCell::new(History::default()));
    let run = AssertUnwindSafe(|| case::run(&cell, seed, Some(history.clone())));
    let report: CaseReport = catch_unwind(run).ok()?;
    if report.result.verdict(draft.property) != Verdict::Violated {
        return None;
    }
    let evidence = report.evidence.iter().find(|evidence| evidence.property == draft.property);
    let clients = evidence.map(|evidence| evidence.clients()).unwrap_or_default();
    let at = evidence.map_or(report.ended, |evidence| evidence.at);
    let events = history.borrow().count_until(at);
    Some(Violation {
        at,
        events,
        clients: clients.iter().map(|node| node.0).collect(),
        injections: report.injections,
        trace: report.result.trace,
        lease: cell.header.effective_expiry,
    })
}
