//! Tries candidates: each is parsed from its own text and run, like a reproducer. Every run counts against the budget;
//! a candidate never runs twice.

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

/// A simpler case may have this many more events.
const SLACK: usize = 4;

/// Tries candidates, and keeps the smallest one that shows the violation.
pub(crate) struct Shrinker<'a> {
    registry: &'a Registry,
    lock: &'a LockEntry,
    budget: u64,
    runs: u64,
    /// The number of other scheduling seeds to try.
    others: u32,
    /// The number of them that a candidate must reproduce with.
    needed: u32,
    /// Whether a candidate may be at most [`SLACK`] larger than the best.
    strict: bool,
    /// The `run_for` of the case before shrinking.
    longest_run: Duration,
    seen: BTreeSet<(u64, String)>,
    best: Draft,
    shown: Shown,
}

/// What a run of a draft shows.
pub(crate) struct Shown {
    /// When the property is first violated.
    pub at: SimTime,
    /// The number of events of its history up to then.
    pub events: usize,
    /// The clients that the violation names, as indices.
    pub clients: Vec<u16>,
    /// The injections that began.
    pub injections: Vec<Injected>,
    /// The hash of the trace.
    pub trace: u128,
    /// The names of the lock's servers.
    pub servers: Vec<String>,
    /// The effective expiry of the lock.
    pub lease: Option<Duration>,
}

impl<'a> Shrinker<'a> {
    /// A shrinker for this draft; none if the draft does not show the violation.
    pub fn new(registry: &'a Registry, lock: &'a LockEntry, draft: Draft, budget: u64, others: u32) -> Option<Self> {
        let shown = run(registry, lock, &draft, draft.seed)?;
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
            shown,
        })
    }

    /// The smallest draft so far.
    pub fn best(&self) -> &Draft {
        &self.best
    }

    /// What the smallest draft so far shows.
    pub fn shown(&self) -> &Shown {
        &self.shown
    }

    /// The lease of the smallest draft so far.
    pub fn lease(&self) -> Option<Duration> {
        self.shown.lease
    }

    /// The lock.
    pub fn lock(&self) -> &LockEntry {
        self.lock
    }

    /// The size of the smallest draft so far.
    pub fn size(&self) -> Size {
        Size::of(&self.best, self.shown.events)
    }

    /// The `run_for` of the case before shrinking.
    pub fn longest_run(&self) -> Duration {
        self.longest_run
    }

    /// From now on, accepts no candidate that is more than [`SLACK`] larger, however simple it is.
    pub fn be_strict(&mut self) {
        self.strict = true;
    }

    /// The number of runs so far.
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// Whether the budget is used up, except for one more candidate and the final check.
    pub fn exhausted(&self) -> bool {
        self.runs + 2 * u64::from(self.others) + 2 > self.budget
    }

    /// Accepts this candidate if it shows the violation with as many seeds as required. Returns whether it does.
    pub fn offer(&mut self, draft: Draft) -> bool {
        match self.strict {
            true => self.offer_if(draft, |best, new| {
                let slack = if new.readable() { SLACK } else { 0 };
                new.burden() <= best.burden() + slack
            }),
            false => self.offer_if(draft, |_, _| true),
        }
    }

    /// [`Shrinker::offer`] for a candidate that must have a smaller cost.
    pub fn offer_smaller(&mut self, draft: Draft) -> bool {
        self.offer_if(draft, |best, new| new.burden() < best.burden())
    }

    /// What the candidate shows, if it shows the violation. It is not accepted yet.
    pub fn try_out(&mut self, draft: &Draft) -> Option<Shown> {
        if self.exhausted() || !self.seen.insert((draft.seed, draft.scenario())) {
            return None;
        }
        self.runs += 1;
        run(self.registry, self.lock, draft, draft.seed)
    }

    /// Accepts a candidate that was tried, if it reproduces with as many seeds as required.
    pub fn take(&mut self, draft: Draft, shown: Shown) -> bool {
        if self.needed > 0 && self.held_by(&draft, self.needed) < self.needed {
            return false;
        }
        (self.best, self.shown) = (draft, shown);
        true
    }

    fn offer_if(&mut self, draft: Draft, fits: impl Fn(Size, Size) -> bool) -> bool {
        match self.try_out(&draft) {
            Some(shown) if fits(self.size(), Size::of(&draft, shown.events)) => self.take(draft, shown),
            _ => false,
        }
    }

    /// From now on, candidates must reproduce with as many scheduling seeds as the best. Returns how many.
    pub fn require_reproducing_seeds(&mut self) -> u32 {
        self.needed = self.reproducing_seeds();
        self.needed
    }

    /// The same, but never lowers the requirement.
    pub fn keep_reproducing_seeds(&mut self) {
        self.needed = self.needed.max(self.reproducing_seeds());
    }

    /// The number of other scheduling seeds that the best reproduces with.
    pub fn reproducing_seeds(&mut self) -> u32 {
        let best = self.best.clone();
        self.held_by(&best, 0)
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

    /// The number of other scheduling seeds to try.
    pub fn others(&self) -> u32 {
        self.others
    }

    /// The number of them that candidates must reproduce with.
    pub fn needed(&self) -> u32 {
        self.needed
    }

    /// The number of seeds after the draft's own that show the violation too. Stops once `needed` cannot be reached.
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

    /// Runs the best once more, with a watcher.
    pub fn watch(&mut self, watcher: Rc<RefCell<dyn Watcher>>) {
        self.runs += 1;
        if let Some(cell) = cell(self.registry, self.lock, &self.best) {
            case::run(&cell, self.best.seed, Some(watcher));
        }
    }
}

/// Parses the draft's text; none if it is not a scenario for this lock.
fn cell(registry: &Registry, lock: &LockEntry, draft: &Draft) -> Option<Cell> {
    let scenario = file::scenario(registry, "candidate.toml", &draft.scenario()).ok()?;
    let cell = Cell::new(&Arc::new(scenario), lock, &draft.bugs);
    cell.header.applicable.then_some(cell)
}

/// What the draft shows with this seed, if it shows the violation.
fn run(registry: &Registry, lock: &LockEntry, draft: &Draft, seed: u64) -> Option<Shown> {
    let cell = cell(registry, lock, draft)?;
    // A panic is not the violation that is searched for.
    let history = Rc::new(RefCell::new(History::default()));
    let run = AssertUnwindSafe(|| case::run(&cell, seed, Some(history.clone())));
    let report: CaseReport = catch_unwind(run).ok()?;
    if report.result.verdict(draft.property) != Verdict::Violated {
        return None;
    }
    let evidence = report.evidence.iter().find(|evidence| evidence.property == draft.property);
    let clients = evidence.map(|evidence| evidence.clients()).unwrap_or_default();
    let at = evidence.map_or(report.ended, |evidence| evidence.at);
    let events = history.borrow().until(at);
    Some(Shown {
        at,
        events,
        clients: clients.iter().map(|node| node.0).collect(),
        injections: report.injections,
        trace: report.result.trace,
        servers: cell.servers.clone(),
        lease: cell.header.effective_expiry,
    })
}
