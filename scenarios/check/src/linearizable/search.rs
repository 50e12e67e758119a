//! The search for a legal order.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use fencepost_models::history::Token;

use super::timeline::Timeline;
use super::{Entry, Judgement, Outcome, Stuck};
use crate::spec::{Refusal, Spec};

/// A search under way.
pub(super) struct Search<'e, S> {
    entries: &'e [Entry],
    timeline: Timeline,
    /// The tokens of the acquires that returned, in the order in which they must take effect.
    tokens: Vec<Token>,
    budget: u64,
    steps: u64,
    /// The order so far.
    order: Vec<usize>,
    /// Where the search must decide what takes effect next, from the first such place to the newest.
    forks: Vec<Fork<S>>,
    seen: BTreeMap<Configuration<S>, Vec<Vec<usize>>>,
    furthest: Option<DeadEnd<S>>,
}

/// Where the search has been: the place, what has taken effect there and not returned, and the state. Beside it stands
/// what had been used up of the operations that never return.
type Configuration<S> = (usize, Vec<usize>, S);

/// Right before an operation returns that has not taken effect.
struct Fork<S> {
    /// The place in the timeline.
    at: usize,
    entry: usize,
    state: S,
    /// What has taken effect and not returned, sorted.
    open: Vec<usize>,
    /// How many tokens were handed out.
    tokens: usize,
    /// How long the order is here.
    length: usize,
    /// What has not been tried yet, last first. Empty before the first try, which is the operation that returns.
    untried: Option<Vec<usize>>,
}

/// A fork of which every branch led nowhere.
struct DeadEnd<S> {
    fork: Fork<S>,
    order: Vec<usize>,
    under_way: Vec<usize>,
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
            forks: Vec::new(),
            seen: BTreeMap::new(),
            furthest: None,
        }
    }

    pub(super) fn run(mut self, start: S) -> Outcome<S> {
        let judgement = self.search(start);
        Outcome { judgement, steps: self.steps }
    }

    fn search(&mut self, start: S) -> Judgement<S> {
        if self.read_on(start, Vec::new(), 0) {
            return Judgement::Linearizable { order: Vec::new() };
        }
        while let Some(fork) = self.forks.last_mut() {
            let Some(entry) = fork.next(&self.timeline, self.entries) else {
                self.leave_dead_end();
                continue;
            };
            if self.steps == self.budget {
                return Judgement::Unknown;
            }
            self.steps += 1;
            let Some((state, open, tokens)) = self.take_effect(entry) else { continue };
            if self.has_been_at(&state, &open) {
                continue;
            }
            self.order.push(entry);
            if self.read_on(state, open, tokens) {
                return Judgement::Linearizable { order: std::mem::take(&mut self.order) };
            }
        }
        let furthest = self.furthest.take().expect("a search that ends without an order was stuck somewhere");
        Judgement::Stuck(self.explain(furthest))
    }

    /// Whether the search has been here, with no more used up of what never returns: then it does not get further now.
    fn has_been_at(&mut self, state: &S, open: &[usize]) -> bool {
        let (returns, used): (Vec<usize>, Vec<usize>) =
            open.iter().partition(|entry| self.entries[**entry].returned.is_some());
        let known = self.seen.entry((self.timeline.at(), returns, state.clone())).or_default();
        let enough = |less: &Vec<usize>| less.iter().all(|entry| used.binary_search(entry).is_ok());
        if known.iter().any(enough) {
            return true;
        }
        known.push(used);
        false
    }

    /// Goes on to the next operation that returns and has not taken effect. True if there is none.
    fn read_on(&mut self, state: S, mut open: Vec<usize>, tokens: usize) -> bool {
        while let Some(entry) = self.timeline.next_return() {
            let Ok(place) = open.binary_search(&entry) else {
                let (at, length) = (self.timeline.at(), self.order.len());
                self.forks.push(Fork { at, entry, state, open, tokens, length, untried: None });
                return false;
            };
            open.remove(place);
            self.timeline.pass();
        }
        true
    }

    /// What comes of it if this operation takes effect at the newest fork: the state, what is open, and how many tokens
    /// were handed out.
    fn take_effect(&self, entry: usize) -> Option<(S, Vec<usize>, usize)> {
        let fork = self.forks.last()?;
        let state = self.step(fork, entry).ok()?;
        if self.entries[entry].returned.is_none() && state == fork.state {
            return None;
        }
        let mut open = fork.open.clone();
        let place = open.binary_search(&entry).expect_err("an operation takes effect once");
        open.insert(place, entry);
        Some((state, open, fork.tokens + usize::from(self.handed_out(entry).is_some())))
    }

    fn step(&self, fork: &Fork<S>, entry: usize) -> Result<S, Refusal> {
        match self.tokens.get(fork.tokens) {
            Some(&lower) if self.handed_out(entry) > Some(lower) => Err(Refusal::OutOfTurn { lower }),
            _ => fork.state.step(&self.entries[entry].operation),
        }
    }

    /// The token of an operation whose place in the order of tokens is known.
    fn handed_out(&self, entry: usize) -> Option<Token> {
        let Entry { operation, returned, .. } = &self.entries[entry];
        operation.acquired_token().filter(|_| S::ORDERED_BY_TOKEN && returned.is_some())
    }

    /// Goes back from the newest fork to the one before it.
    fn leave_dead_end(&mut self) {
        let Some(fork) = self.forks.pop() else { return };
        let further = |known: &DeadEnd<S>| fork.at > known.fork.at;
        if self.furthest.as_ref().is_none_or(further) {
            let (order, under_way) = (self.order.clone(), self.timeline.under_way().to_vec());
            self.furthest = Some(DeadEnd { fork, order, under_way });
        }
        if let Some(fork) = self.forks.last() {
            self.order.truncate(fork.length);
            self.timeline.go_back_to(fork.at);
        }
    }

    fn explain(&self, DeadEnd { fork, order, under_way }: DeadEnd<S>) -> Stuck<S> {
        let waiting = under_way.into_iter().filter(|entry| fork.open.binary_search(entry).is_err());
        let refused = waiting.filter_map(|entry| Some((entry, self.step(&fork, entry).err()?))).collect();
        Stuck { entry: fork.entry, order, state: fork.state, refused }
    }
}

impl<S> Fork<S> {
    /// The next operation to try: first the one that returns, then others that return, then those that may not have
    /// taken effect at all.
    fn next(&mut self, timeline: &Timeline, entries: &[Entry]) -> Option<usize> {
        let Some(untried) = &mut self.untried else {
            self.untried = Some(self.others(timeline, entries));
            return Some(self.entry);
        };
        untried.pop()
    }

    /// Of several that never return and do the same, one is as good as another.
    fn others(&self, timeline: &Timeline, entries: &[Entry]) -> Vec<usize> {
        let waits = |entry: &usize| *entry != self.entry && self.open.binary_search(entry).is_err();
        let waiting = timeline.under_way().iter().copied().filter(waits);
        let (mut others, mut doubtful): (Vec<usize>, Vec<usize>) =
            waiting.partition(|entry| entries[*entry].returned.is_some());
        doubtful.sort_unstable_by_key(|entry| (entries[*entry].operation, entries[*entry].invoked));
        doubtful.dedup_by_key(|entry| entries[*entry].operation);
        others.sort_unstable_by_key(|entry| Reverse(*entry));
        doubtful.append(&mut others);
        doubtful
    }
}
