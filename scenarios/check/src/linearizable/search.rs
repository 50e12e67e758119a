//! The search for a legal order.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use fencepost_models::history::Token;

use super::chains::{Chain, Chains};
use super::timeline::Timeline;
use super::{Decision, Entry, SearchResult, Stuck};
use crate::spec::{Refusal, Spec};

/// The state of a search.
pub(super) struct Search<'e, S> {
    entries: &'e [Entry],
    timeline: Timeline,
    /// The tokens of the acquires that returned, in the order in which these acquires must take effect.
    tokens: Vec<Token>,
    budget: u64,
    steps: u64,
    /// The order so far.
    order: Vec<usize>,
    /// Whether each entry is in the order.
    taken: Vec<bool>,
    chains: Chains,
    /// The points at which several operations may take effect next. The newest is last.
    forks: Vec<Fork<S>>,
    visited: BTreeMap<Configuration<S>, Vec<Chain>>,
    furthest: Option<FailedFork<S>>,
}

/// Examining this many entries costs as much as one step. The budget thus bounds time and memory even if many pending
/// operations never return.
pub(super) const EXAMINED_PER_STEP: usize = 64;

/// Storing an entry costs as much as examining this many entries.
pub(super) const STORE_COST: usize = 8;

/// A point that the search has visited: the position, the operations that have taken effect but not returned, and the
/// state. [`Search::visited`] maps it to the sets of operations without a return that had taken effect there.
type Configuration<S> = (usize, Vec<usize>, S);

/// The point right before the return of an operation that has not taken effect.
struct Fork<S> {
    /// The position in the timeline.
    at: usize,
    entry: usize,
    state: S,
    /// The operations that have taken effect but not returned, sorted.
    open: Vec<usize>,
    /// The operations without a return that have taken effect.
    used: Chain,
    /// The number of tokens used.
    tokens: usize,
    /// The length of the order at this point.
    length: usize,
    untried: Untried,
}

/// The operations to try at a fork. The list is built only if the first operation fails, which is rare.
enum Untried {
    /// All of them. The operation that returns is next.
    All,
    /// All except the operation that returns.
    Others,
    /// These operations. The last one is next.
    Listed(Vec<usize>),
}

/// A point that the search has reached.
struct Reached<S> {
    state: S,
    open: Vec<usize>,
    used: Chain,
    tokens: usize,
}

/// A fork at which every branch failed.
struct FailedFork<S> {
    fork: Fork<S>,
    order: Vec<usize>,
    pending: Vec<usize>,
}

impl<'e, S: Spec> Search<'e, S> {
    pub(super) fn new(entries: &'e [Entry], budget: u64) -> Self {
        let returned = entries.iter().filter(|entry| S::ORDERED_BY_TOKEN && entry.returned.is_some());
        let mut tokens: Vec<Token> = returned.filter_map(|entry| entry.operation.acquired_token()).collect();
        tokens.sort_unstable();
        Search {
            entries,
            timeline: Timeline::new(entries),
            tokens,
            budget,
            steps: 0,
            order: Vec::new(),
            taken: vec![false; entries.len()],
            chains: Chains::default(),
            forks: Vec::new(),
            visited: BTreeMap::new(),
            furthest: None,
        }
    }

    pub(super) fn run(mut self, start: S) -> SearchResult<S> {
        let decision = self.search(start);
        SearchResult { decision, steps: self.steps }
    }

    fn search(&mut self, start: S) -> Decision<S> {
        if self.advance(Reached { state: start, open: Vec::new(), used: Chain::default(), tokens: 0 }) {
            return Decision::Linearizable { order: Vec::new() };
        }
        while !self.forks.is_empty() {
            let Some(entry) = self.next() else {
                self.backtrack();
                continue;
            };
            if self.steps >= self.budget {
                return Decision::Unknown;
            }
            self.steps += 1;
            let Some(reached) = self.apply(entry) else { continue };
            if self.is_visited(&reached) {
                continue;
            }
            self.order.push(entry);
            self.taken[entry] = true;
            if self.advance(reached) {
                return Decision::Linearizable { order: std::mem::take(&mut self.order) };
            }
        }
        let furthest = self.furthest.take().expect("a failed search was stuck at a fork");
        Decision::Stuck(self.explain(furthest))
    }

    fn spend(&mut self, work: usize) {
        self.steps += (work / EXAMINED_PER_STEP) as u64;
    }

    /// Returns whether the search has visited this point with a subset of the operations without a return. If so, it
    /// cannot get further now.
    fn is_visited(&mut self, reached: &Reached<S>) -> bool {
        let configuration = (self.timeline.at(), reached.open.clone(), reached.state.clone());
        let known = self.visited.entry(configuration).or_default();
        let mut work = 0;
        let visited = known.iter().any(|used| self.chains.is_subset(*used, reached.used, &mut work));
        if !visited {
            known.push(reached.used);
        }
        self.spend(work);
        visited
    }

    /// Advances to the next return of an operation that has not taken effect. Returns true if there is none.
    fn advance(&mut self, reached: Reached<S>) -> bool {
        let Reached { state, mut open, used, tokens } = reached;
        while let Some(entry) = self.timeline.next_return() {
            let Ok(index) = open.binary_search(&entry) else {
                let (at, length) = (self.timeline.at(), self.order.len());
                self.forks.push(Fork { at, entry, state, open, used, tokens, length, untried: Untried::All });
                return false;
            };
            open.remove(index);
            self.timeline.skip_return();
        }
        true
    }

    /// Returns the point after this operation takes effect at the newest fork, or `None` if it cannot or has no effect.
    fn apply(&mut self, entry: usize) -> Option<Reached<S>> {
        let fork = self.forks.last()?;
        let state = self.step(fork, entry).ok()?;
        let tokens = fork.tokens + usize::from(self.ordered_token(entry).is_some());
        let (mut open, mut used) = (fork.open.clone(), fork.used);
        if self.entries[entry].returned.is_some() {
            let index = open.binary_search(&entry).expect_err("an operation takes effect once");
            open.insert(index, entry);
        } else if state == fork.state {
            return None;
        } else {
            let before = self.chains.len();
            used = self.chains.with(used, entry);
            self.spend(STORE_COST * (self.chains.len() - before));
        }
        Some(Reached { state, open, used, tokens })
    }

    fn step(&self, fork: &Fork<S>, entry: usize) -> Result<S, Refusal> {
        match self.tokens.get(fork.tokens) {
            Some(&lower) if self.ordered_token(entry) > Some(lower) => Err(Refusal::OutOfTurn { lower }),
            _ => fork.state.step(&self.entries[entry].operation),
        }
    }

    /// Returns the token of an acquire that returned, if tokens determine the order.
    fn ordered_token(&self, entry: usize) -> Option<Token> {
        let Entry { operation, returned, .. } = &self.entries[entry];
        operation.acquired_token().filter(|_| S::ORDERED_BY_TOKEN && returned.is_some())
    }

    /// Backtracks from the newest fork to the previous one.
    fn backtrack(&mut self) {
        let Some(fork) = self.forks.pop() else { return };
        let is_further = |known: &FailedFork<S>| fork.at > known.fork.at;
        if self.furthest.as_ref().is_none_or(is_further) {
            let (order, pending) = (self.order.clone(), self.timeline.pending().to_vec());
            self.furthest = Some(FailedFork { fork, order, pending });
        }
        if let Some(fork) = self.forks.last() {
            self.order.drain(fork.length..).for_each(|entry| self.taken[entry] = false);
            self.timeline.go_back_to(fork.at);
        }
    }

    fn explain(&self, FailedFork { fork, order, pending }: FailedFork<S>) -> Stuck<S> {
        let mut is_waiting = vec![true; self.entries.len()];
        order.iter().for_each(|entry| is_waiting[*entry] = false);
        let waiting = pending.into_iter().filter(|entry| is_waiting[*entry]);
        let refused = waiting.filter_map(|entry| Some((entry, self.step(&fork, entry).err()?))).collect();
        Stuck { entry: fork.entry, order, state: fork.state, refused }
    }

    /// Returns the next operation to try at the newest fork: first the operation that returns, then others that return,
    /// then operations without a return.
    fn next(&mut self) -> Option<usize> {
        let fork = self.forks.last_mut()?;
        if let Untried::All = fork.untried {
            fork.untried = Untried::Others;
            return Some(fork.entry);
        }
        if let Untried::Others = fork.untried {
            let entry = fork.entry;
            let others = self.others(entry);
            self.spend(self.timeline.pending().len() + STORE_COST * others.len());
            self.forks.last_mut()?.untried = Untried::Listed(others);
        }
        match &mut self.forks.last_mut()?.untried {
            Untried::Listed(others) => others.pop(),
            Untried::All | Untried::Others => None,
        }
    }

    /// Returns the pending operations except `tried`. Of equal operations without a return, only one is included.
    fn others(&self, tried: usize) -> Vec<usize> {
        let is_waiting = |entry: &usize| *entry != tried && !self.taken[*entry];
        let waiting = self.timeline.pending().iter().copied().filter(is_waiting);
        let (mut others, mut unreturned): (Vec<usize>, Vec<usize>) =
            waiting.partition(|entry| self.entries[*entry].returned.is_some());
        unreturned.sort_unstable_by_key(|entry| (self.entries[*entry].operation, self.entries[*entry].invoked));
        unreturned.dedup_by_key(|entry| self.entries[*entry].operation);
        others.sort_unstable_by_key(|entry| Reverse(*entry));
        unreturned.append(&mut others);
        unreturned
    }
}
