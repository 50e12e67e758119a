//! Histories for tests, written as text:
//! - `a+?`: `a` invokes an acquire. `a+!`: the acquire returns. `a+!7`: it returns with token 7.
//! - `a-?` and `a-!`: `a` releases.
//! - `ax?` and `ax!`: the service ends the grant of `a`.
//!
//! The result of an operation without `!` is unknown.

use super::{Decision, Entry, SearchResult, check};
use crate::spec::{Call, Operation, Owner, Spec};

pub(crate) struct History {
    pub(crate) entries: Vec<Entry>,
}

#[track_caller]
pub(crate) fn history(text: &str) -> History {
    let mut entries: Vec<Entry> = Vec::new();
    for (position, word) in text.split_whitespace().enumerate() {
        let (letter, sign, phase) = (word.as_bytes()[0], word.as_bytes()[1], word.as_bytes()[2]);
        let owner = Owner(u32::from(letter - b'a'));
        let call = match sign {
            b'+' => Call::Acquire { token: word[3..].parse().ok(), permits: 1 },
            b'-' => Call::Release { token: word[3..].parse().ok(), permits: 1 },
            _ => Call::Expire,
        };
        let position = position as u64;
        if phase == b'?' {
            entries.push(Entry { operation: Operation { owner, call }, invoked: position, returned: None });
            continue;
        }
        let same = |known: &Call| std::mem::discriminant(known) == std::mem::discriminant(&call);
        let open = |entry: &&mut Entry| entry.returned.is_none() && entry.operation.owner == owner;
        let entry = entries.iter_mut().filter(open).find(|entry| same(&entry.operation.call));
        let entry = entry.unwrap_or_else(|| panic!("`{word}` returns an operation that was not invoked"));
        (entry.returned, entry.operation.call) = (Some(position), call);
    }
    History { entries }
}

/// More than any history in the tests needs.
const BUDGET: u64 = 1_000_000;

impl History {
    pub(crate) fn search<S: Spec>(&self, start: S, budget: u64) -> SearchResult<S> {
        check(start, &self.entries, budget)
    }

    pub(crate) fn decide<S: Spec>(&self, start: S) -> Decision<S> {
        self.search(start, BUDGET).decision
    }

    #[track_caller]
    pub(crate) fn accepted_by<S: Spec>(&self, start: S) {
        let decision = self.decide(start.clone());
        let Decision::Linearizable { order } = decision else { panic!("{decision:?}") };
        let end = order.iter().try_fold(start, |state, entry| state.step(&self.entries[*entry].operation));
        assert!(end.is_ok(), "the order is not legal: {end:?}");
        let returned = |entry: &Entry| entry.returned.is_some();
        assert!((0..self.entries.len()).all(|n| order.contains(&n) || !returned(&self.entries[n])));
        for (n, later) in order.iter().enumerate() {
            let invoked = self.entries[*later].invoked;
            let before = |earlier: &usize| self.entries[*earlier].returned.is_none_or(|returned| returned > invoked);
            assert!(order[n + 1..].iter().all(before), "the order contradicts real time: {order:?}");
        }
    }

    #[track_caller]
    pub(crate) fn rejected_by<S: Spec>(&self, start: S) {
        let decision = self.decide(start);
        assert!(matches!(decision, Decision::Stuck(_)), "{decision:?}");
    }
}
