//! Histories of operations on one lock.

use std::fmt;

use fencepost_models::history::Token;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::linearizable::Entry;
use crate::spec::{Call, Operation, Owner, Spec};

/// A history: entries that follow one another as their places say.
#[derive(Clone, PartialEq)]
pub struct History(pub Vec<Entry>);

/// Shown as one would hum it: `0+?` owner 0 acquires, `0+!7` and has it under token 7, `0-?` and `0-!` it releases, `0x?`
/// and `0x!` the service ends its grant.
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

/// Owners of a generated history.
const OWNERS: u8 = 3;

/// Histories of up to so many operations that are linearizable by construction: each took effect, by this
/// specification, between its beginning and its end. Some never end, and of those some took effect.
pub fn history<S: Spec + 'static>(start: S, operations: usize) -> impl Strategy<Value = History> {
    let turns = vec((0..OWNERS, 0..6_u8, 0..3_u8), 2 * operations..=4 * operations);
    turns.prop_map(move |turns| Maker::new(start.clone(), operations).make(&turns))
}

/// Histories as by [`history`] with a few accidents: an operation becomes somebody else's, or another, or is
/// missing, or gets another token, or begins later or ends sooner than it did. Most of them are no longer linearizable.
pub fn broken<S: Spec + 'static>(start: S, operations: usize) -> impl Strategy<Value = History> {
    let accidents = vec((any::<prop::sample::Index>(), 0..7_u8, 0..OWNERS), 2..6);
    (history(start, operations), accidents).prop_map(|(history, accidents)| {
        accidents.into_iter().fold(history, |history, (place, what, number)| history.hit_by(place, what, number))
    })
}

/// Lets owners act in turn, each with one operation at a time.
struct Maker<S> {
    state: S,
    most: usize,
    place: u64,
    entries: Vec<Entry>,
    /// For each owner the operation under way, and whether it has taken effect.
    under_way: [Option<(usize, bool)>; OWNERS as usize],
    next_token: Token,
}

impl<S: Spec> Maker<S> {
    fn new(state: S, most: usize) -> Self {
        Maker { state, most, place: 0, entries: Vec::new(), under_way: [None; OWNERS as usize], next_token: 0 }
    }

    fn make(mut self, turns: &[(u8, u8, u8)]) -> History {
        for &(owner, choice, more) in turns {
            self.place += 1;
            let under_way = self.under_way[usize::from(owner)];
            match under_way {
                None if self.entries.len() < self.most => self.begin(owner, choice),
                None => {}
                Some((entry, false)) if self.takes_effect(entry, more) => {
                    self.under_way[usize::from(owner)] = Some((entry, true));
                }
                // What cannot take effect waits; now and then it is given up, and nobody knows.
                Some((_, done)) if choice == 5 && (!done || more == 0) => self.under_way[usize::from(owner)] = None,
                Some((_, false)) => {}
                Some((entry, true)) => {
                    self.entries[entry].returned = Some(self.place);
                    self.under_way[usize::from(owner)] = None;
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
        self.entries.push(Entry { operation, invoked: self.place, returned: None });
        self.under_way[usize::from(owner)] = Some((self.entries.len() - 1, false));
    }

    /// Tries whether it can. A fresh grant gets a token above all before it, one that is held keeps its own.
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
    fn hit_by(mut self, place: prop::sample::Index, what: u8, number: u8) -> Self {
        if self.0.is_empty() {
            return self;
        }
        let place = place.index(self.0.len());
        let Entry { operation, invoked, returned } = &mut self.0[place];
        match (what, &mut operation.call) {
            (0, _) => operation.owner = Owner((operation.owner.0 + 1 + u32::from(number) % 2) % u32::from(OWNERS)),
            (1, Call::Acquire { token: Some(token), .. }) => *token = (*token + 2).saturating_sub(u64::from(number)),
            (1 | 2, Call::Release { .. }) => operation.call = Call::Expire,
            (3, _) => drop(self.0.remove(place)),
            // Between whole places there is room for one more.
            (4, _) => *returned = returned.map(|_| *invoked + 1),
            (5, _) => *invoked = returned.map_or(*invoked, |returned| returned - 1),
            (6, _) if returned.is_none() => *returned = Some(u64::MAX),
            _ => {}
        }
        self.renumbered()
    }

    /// With places so far apart that an operation can begin or end between any two.
    fn renumbered(mut self) -> Self {
        let mut events: Vec<(u64, bool, usize)> = Vec::new();
        for (index, entry) in self.0.iter().enumerate() {
            events.push((entry.invoked, false, index));
            events.extend(entry.returned.map(|returned| (returned, true, index)));
        }
        events.sort_unstable();
        for (place, (_, end, index)) in (1..).step_by(2).zip(events) {
            match end {
                false => self.0[index].invoked = place,
                true => self.0[index].returned = Some(place),
            }
        }
        self.0.sort_by_key(|entry| entry.invoked);
        self
    }
}
