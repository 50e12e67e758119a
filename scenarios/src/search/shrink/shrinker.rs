//! Tries drafts: each candidate is read from its own text and run, as a reproducer will be. What is tried twice counts
//! once; what is run counts.

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
use crate::registry::{LockEntry, Registry};
use crate::run::case::{self, CaseReport, Injected};
use crate::run::cell::Cell;
use crate::run::recorder::Watcher;

/// So many events more are no price for a simpler case.
const SLACK: usize = 4;

/// Tries candidates, and keeps the smallest that still shows the violation.
pub(crate) struct Shrinker<'a> {
    registry: &'a Registry,
    lock: &'a LockEntry,
    budget: u64,
    runs: u64,
    /// How many other scheduling seeds there are to hold for.
    others: u32,
    /// For how many of them a candidate has to hold.
    needed: u32,
    /// Whether a candidate may be hardly larger to read than the smallest so far.
    strict: bool,
    /// How long the case ran before anything was made shorter.
    longest_run: Duration,
    seen: BTreeSet<(u64, String)>,
    best: Draft,
    shown: Shown,
}

/// What a run of a draft showed.
pub(crate) struct Shown {
    /// When the property was violated first.
    pub at: SimTime,
    /// How many events its history had by then.
    pub events: usize,
    /// The clients that the violation names, as indices.
    pub clients: Vec<u16>,
    /// The injections that began.
    pub injections: Vec<Injected>,
    /// The hash of the trace.
    pub trace: u128,
    /// The names of the lock's servers.
    pub servers: Vec<String>,
    /// After about how long a crashed holder is replaced.
    pub lease: Option<Duration>,
}

impl<'a> Shrinker<'a> {
    /// A shrinker for this draft, if the draft shows what it is about.
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

    /// The lock.
    pub fn lock(&self) -> &LockEntry {
        self.lock
    }

    /// How large the smallest so far is.
    pub fn size(&self) -> Size {
        Size::of(&self.best, self.shown.events)
    }

    /// How long the case ran before anything was made shorter.
    pub fn longest_run(&self) -> Duration {
        self.longest_run
    }

    /// From now on nothing is taken that is much larger to read, however simple it is.
    pub fn be_strict(&mut self) {
        self.strict = true;
    }

    /// How many candidates were run.
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// Whether the budget is used up, but for what one more candidate and the last look may cost.
    pub fn exhausted(&self) -> bool {
        self.runs + 2 * u64::from(self.others) + 2 > self.budget
    }

    /// Whether this candidate shows the violation too, under as many seeds as needed: it is then the smallest so far.
    pub fn offer(&mut self, draft: Draft) -> bool {
        match self.strict {
            true => self.offer_if(draft, |best, new| {
                let slack = if new.readable() { SLACK } else { 0 };
                new.burden() <= best.burden() + slack
            }),
            false => self.offer_if(draft, |_, _| true),
        }
    }

    /// The same for a candidate that has to be smaller to read.
    pub fn offer_smaller(&mut self, draft: Draft) -> bool {
        self.offer_if(draft, |best, new| new.burden() < best.burden())
    }

    /// What the candidate shows, if that is the violation. It is not taken for it.
    pub fn try_out(&mut self, draft: &Draft) -> Option<Shown> {
        if self.exhausted() || !self.seen.insert((draft.seed, draft.scenario())) {
            return None;
        }
        self.runs += 1;
        run(self.registry, self.lock, draft, draft.seed)
    }

    /// Takes a candidate that was tried out, if it holds for as many seeds as needed.
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

    /// From now on candidates have to hold for as many scheduling seeds as the smallest so far.
    pub fn require_reproducing_seeds(&mut self) -> u32 {
        self.needed = self.reproducing_seeds();
        self.needed
    }

    /// From now on candidates have to hold for as many as the smallest so far, if that is more than it was.
    pub fn keep_reproducing_seeds(&mut self) {
        self.needed = self.needed.max(self.reproducing_seeds());
    }

    /// For how many other scheduling seeds the smallest so far holds.
    pub fn reproducing_seeds(&mut self) -> u32 {
        let best = self.best.clone();
        self.held_by(&best, 0)
    }

    /// Takes this candidate if it holds for more scheduling seeds than the smallest so far.
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
    pub fn watch(&mut self, watcher: Rc<RefCell<dyn Watcher>>) {
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
