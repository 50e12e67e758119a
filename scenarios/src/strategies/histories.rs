//! Strategies for histories of operations on one lock.

use std::fmt;

use fencepost_models::history::Token;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::linearizable::Entry;
use crate::spec::{Call, Operation, Owner, Spec};

/// A history. The `invoked` and `returned` numbers order its entries.
#[derive(Clone, PartialEq)]
pub struct History(pub Vec<Entry>);

/// Uses a compact notation: owner, operation, and `?` for an invocation or `!` for a return. For owner 0 these are
/// `0+?` and `0+!7` (acquire with token 7), `0-?` and `0-!` (release), `0x?` and `0x!` (expiry).
impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words: Vec<(u64, String)> = Vec::new();
        for Entry { operation: Operation { owner: Owner(owner), call }, invoked, returned } in &self.0 {
            let (sign, token) = match call {
                Call::Acquire { token, .. } => ('+', *token),
                Call::Release { token, .. } => ('-', *token),
                Call::Expire => ('x', None),
            };
            let token = token.map(|token| token.to_string()).unwrap_or_default();
            words.push((*invoked, format!("{owner}{sign}?")));
            words.extend(returned.map(|returned| (returned, format!("{owner}{sign}!{token}"))));
        }
        words.sort();
        let words: Vec<String> = words.into_iter().map(|(_, word)| word).collect();
        write!(f, "{}", words.join(" "))
    }
}

/// The number of owners in a generated history.
const OWNERS: u8 = 3;

/// Returns histories of up to `operations` operations that are linearizable by construction: by this specification,
/// each operation takes effect between its invocation and its return. Some operations never return, with or without
/// effect.
pub fn history<S: Spec + 'static>(start: S, operations: usize) -> impl Strategy<Value = History> {
    let turns = vec((0..OWNERS, 0..6_u8, 0..3_u8), 2 * operations..=4 * operations);
    turns.prop_map(move |turns| Generator::new(start.clone(), operations).generate(&turns))
}

/// Returns histories of [`history`] with a few mutations: an operation gets another owner, kind or token, is removed, or
/// is invoked later or returns earlier. Most of these histories are no longer linearizable.
pub fn broken<S: Spec + 'static>(start: S, operations: usize) -> impl Strategy<Value = History> {
    let mutations = vec((any::<prop::sample::Index>(), 0..7_u8, 0..OWNERS), 2..6);
    (history(start, operations), mutations).prop_map(|(history, mutations)| {
        mutations.into_iter().fold(history, |history, (index, what, number)| history.mutated(index, what, number))
    })
}

/// Generates a history. Each owner has at most one pending operation.
struct Generator<S> {
    state: S,
    max_operations: usize,
    time: u64,
    entries: Vec<Entry>,
    /// The pending operation of each owner, and whether it has taken effect.
    pending: [Option<(usize, bool)>; OWNERS as usize],
    next_token: Token,
}

impl<S: Spec> Generator<S> {
    fn new(state: S, max_operations: usize) -> Self {
        Generator {
            state,
            max_operations,
            time: 0,
            entries: Vec::new(),
            pending: [None; OWNERS as usize],
            next_token: 0,
        }
    }

    fn generate(mut self, turns: &[(u8, u8, u8)]) -> History {
        for &(owner, choice, more) in turns {
            self.time += 1;
            let pending = self.pending[usize::from(owner)];
            match pending {
                None if self.entries.len() < self.max_operations => self.begin(owner, choice),
                None => {}
                Some((entry, false)) if self.takes_effect(entry, more) => {
                    self.pending[usize::from(owner)] = Some((entry, true));
                }
                // An operation that cannot take effect stays pending. Some pending operations never return.
                Some((_, done)) if choice == 5 && (!done || more == 0) => self.pending[usize::from(owner)] = None,
                Some((_, false)) => {}
                Some((entry, true)) => {
                    self.entries[entry].returned = Some(self.time);
                    self.pending[usize::from(owner)] = None;
                }
            }
        }
        History(self.entries)
    }

    fn begin(&mut self, owner: u8, choice: u8) {
        let owner_of = Owner(u32::from(owner));
        let call = match choice {
            0..=2 => Call::Acquire { token: None, permits: 1 },
            3 | 4 => Call::Release { token: None, permits: 1 },
            _ => Call::Expire,
        };
        let operation = Operation { owner: owner_of, call };
        self.entries.push(Entry { operation, invoked: self.time, returned: None });
        self.pending[usize::from(owner)] = Some((self.entries.len() - 1, false));
    }

    /// Returns whether the operation can take effect now. A new grant gets a higher token than all before it; a held
    /// grant keeps its token.
    fn takes_effect(&mut self, entry: usize, gap: u8) -> bool {
        let operation = self.entries[entry].operation;
        let fresh = self.next_token + 1 + Token::from(gap);
        let tokens = match operation.call {
            Call::Acquire { .. } => vec![Some(fresh), Some(self.next_token)],
            Call::Release { .. } | Call::Expire => vec![None],
        };
        for token in tokens {
            let call = match operation.call {
                Call::Acquire { permits, .. } => Call::Acquire { token, permits },
                call => call,
            };
            if let Ok(state) = self.state.step(&Operation { call, ..operation }) {
                self.state = state;
                self.next_token = self.next_token.max(token.unwrap_or_default());
                self.entries[entry].operation.call = call;
                return true;
            }
        }
        false
    }
}

impl History {
    fn mutated(mut self, index: prop::sample::Index, what: u8, number: u8) -> Self {
        if self.0.is_empty() {
            return self;
        }
        let index = index.index(self.0.len());
        let Entry { operation, invoked, returned } = &mut self.0[index];
        match (what, &mut operation.call) {
            (0, _) => operation.owner = Owner((operation.owner.0 + 1 + u32::from(number) % 2) % u32::from(OWNERS)),
            (1, Call::Acquire { token: Some(token), .. }) => *token = (*token + 2).saturating_sub(u64::from(number)),
            (1 | 2, Call::Release { .. }) => operation.call = Call::Expire,
            (3, _) => drop(self.0.remove(index)),
            // Renumbering leaves one free number between any two events.
            (4, _) => *returned = returned.map(|_| *invoked + 1),
            (5, _) => *invoked = returned.map_or(*invoked, |returned| returned - 1),
            (6, _) if returned.is_none() => *returned = Some(u64::MAX),
            _ => {}
        }
        self.renumbered()
    }

    /// Renumbers the events with gaps, so an operation can begin or end between any two.
    fn renumbered(mut self) -> Self {
        let mut events: Vec<(u64, bool, usize)> = Vec::new();
        for (index, entry) in self.0.iter().enumerate() {
            events.push((entry.invoked, false, index));
            events.extend(entry.returned.map(|returned| (returned, true, index)));
        }
        events.sort_unstable();
        for (time, (_, end, index)) in (1..).step_by(2).zip(events) {
            match end {
                false => self.0[index].invoked = time,
                true => self.0[index].returned = Some(time),
            }
        }
        self.0.sort_by_key(|entry| entry.invoked);
        self
    }
}
