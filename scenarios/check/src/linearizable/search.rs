//! The search for a legal order.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use fencepost_models::history::Token;

use super::chains::{Chain, Chains};
use super::timeline::Timeline;
use super::{Decision, Entry, SearchResult, Stuck};
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
    /// Whether each entry is in the order.
    taken: Vec<bool>,
    chains: Chains,
    /// Where the search must decide what takes effect next, from the first such place to the newest.
    forks: Vec<Fork<S>>,
    seen: BTreeMap<Configuration<S>, Vec<Chain>>,
    furthest: Option<DeadEnd<S>>,
}

/// So much looking around and keeping costs as much as a step, so that the budget bounds time and memory where many
/// operations are under way that never return.
pub(super) const WORK_OF_A_STEP: usize = 64;

/// What is kept weighs more than what is looked at.
pub(super) const KEEPING: usize = 8;

/// Where the search has been: the place, what has taken effect there and is yet to return, and the state. Beside it
/// stands what had been used up of the operations that never return.
type Configuration<S> = (usize, Vec<usize>, S);

/// Right before an operation returns that has not taken effect.
struct Fork<S> {
    /// The place in the timeline.
    at: usize,
    entry: usize,
    state: S,
    /// What has taken effect and is yet to return, sorted.
    open: Vec<usize>,
    /// What has taken effect of the operations that never return.
    used: Chain,
    /// How many tokens were handed out.
    tokens: usize,
    /// How long the order is here.
    length: usize,
    untried: Untried,
}

/// What has not been tried yet at a fork. The others are listed when the first has led nowhere, which is seldom.
enum Untried {
    /// The operation that returns comes first.
    Everything,
    TheOthers,
    /// The last of these comes next.
    These(Vec<usize>),
}

/// What the search has come to.
struct Reached<S> {
    state: S,
    open: Vec<usize>,
    used: Chain,
    tokens: usize,
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
            taken: vec![false; entries.len()],
            chains: Chains::default(),
            forks: Vec::new(),
            seen: BTreeMap::new(),
            furthest: None,
        }
    }

    pub(super) fn run(mut self, start: S) -> SearchResult<S> {
        let decision = self.search(start);
        SearchResult { decision, steps: self.steps }
    }

    fn search(&mut self, start: S) -> Decision<S> {
        if self.read_on(Reached { state: start, open: Vec::new(), used: Chain::default(), tokens: 0 }) {
            return Decision::Linearizable { order: Vec::new() };
        }
        while !self.forks.is_empty() {
            let Some(entry) = self.next() else {
                self.leave_dead_end();
                continue;
            };
            if self.steps >= self.budget {
                return Decision::Unknown;
            }
            self.steps += 1;
            let Some(reached) = self.take_effect(entry) else { continue };
            if self.has_been_at(&reached) {
                continue;
            }
            self.order.push(entry);
            self.taken[entry] = true;
            if self.read_on(reached) {
                return Decision::Linearizable { order: std::mem::take(&mut self.order) };
            }
        }
        let furthest = self.furthest.take().expect("a search that ends without an order was stuck somewhere");
        Decision::Stuck(self.explain(furthest))
    }

    fn spend(&mut self, work: usize) {
        self.steps += (work / WORK_OF_A_STEP) as u64;
    }

    /// Whether the search has been here, with no more used up of what never returns: then it does not get further now.
    fn has_been_at(&mut self, reached: &Reached<S>) -> bool {
        let configuration = (self.timeline.at(), reached.open.clone(), reached.state.clone());
        let known = self.seen.entry(configuration).or_default();
        let mut work = 0;
        let been = known.iter().any(|less| self.chains.within(*less, reached.used, &mut work));
        if !been {
            known.push(reached.used);
        }
        self.spend(work);
        been
    }

    /// Goes on to the next operation that returns and has not taken effect. True if there is none.
    fn read_on(&mut self, reached: Reached<S>) -> bool {
        let Reached { state, mut open, used, tokens } = reached;
        while let Some(entry) = self.timeline.next_return() {
            let Ok(place) = open.binary_search(&entry) else {
                let (at, length) = (self.timeline.at(), self.order.len());
                self.forks.push(Fork { at, entry, state, open, used, tokens, length, untried: Untried::Everything });
                return false;
            };
            open.remove(place);
            self.timeline.pass();
        }
        true
    }

    /// What comes of it if this operation takes effect at the newest fork.
    fn take_effect(&mut self, entry: usize) -> Option<Reached<S>> {
        let fork = self.forks.last()?;
        let state = self.step(fork, entry).ok()?;
        let tokens = fork.tokens + usize::from(self.handed_out(entry).is_some());
        let (mut open, mut used) = (fork.open.clone(), fork.used);
        if self.entries[entry].returned.is_some() {
            let place = open.binary_search(&entry).expect_err("an operation takes effect once");
            open.insert(place, entry);
        } else if state == fork.state {
            return None;
        } else {
            let before = self.chains.len();
            used = self.chains.with(used, entry);
            self.spend(KEEPING * (self.chains.len() - before));
        }
        Some(Reached { state, open, used, tokens })
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
            self.order.drain(fork.length..).for_each(|entry| self.taken[entry] = false);
            self.timeline.go_back_to(fork.at);
        }
    }

    fn explain(&self, DeadEnd { fork, order, under_way }: DeadEnd<S>) -> Stuck<S> {
        let mut waits = vec![true; self.entries.len()];
        order.iter().for_each(|entry| waits[*entry] = false);
        let waiting = under_way.into_iter().filter(|entry| waits[*entry]);
        let refused = waiting.filter_map(|entry| Some((entry, self.step(&fork, entry).err()?))).collect();
        Stuck { entry: fork.entry, order, state: fork.state, refused }
    }

    /// The next operation to try at the newest fork: first the one that returns, then others that return, then those
    /// that may not have taken effect at all.
    fn next(&mut self) -> Option<usize> {
        let fork = self.forks.last_mut()?;
        if let Untried::Everything = fork.untried {
            fork.untried = Untried::TheOthers;
            return Some(fork.entry);
        }
        if let Untried::TheOthers = fork.untried {
            let entry = fork.entry;
            let others = self.others(entry);
            self.spend(self.timeline.under_way().len() + KEEPING * others.len());
            self.forks.last_mut()?.untried = Untried::These(others);
        }
        match &mut self.forks.last_mut()?.untried {
            Untried::These(others) => others.pop(),
            Untried::Everything | Untried::TheOthers => None,
        }
    }

    /// Of several that never return and do the same, one is as good as another.
    fn others(&self, tried: usize) -> Vec<usize> {
        let waits = |entry: &usize| *entry != tried && !self.taken[*entry];
        let waiting = self.timeline.under_way().iter().copied().filter(waits);
        let (mut others, mut doubtful): (Vec<usize>, Vec<usize>) =
            waiting.partition(|entry| self.entries[*entry].returned.is_some());
        doubtful.sort_unstable_by_key(|entry| (self.entries[*entry].operation, self.entries[*entry].invoked));
        doubtful.dedup_by_key(|entry| self.entries[*entry].operation);
        others.sort_unstable_by_key(|entry| Reverse(*entry));
        doubtful.append(&mut others);
        doubtful
    }
}
