//! Histories for tests as text. `a+?`: a invokes an acquire. `a+!`: it returns. `a+!7`: it returns with token 7. `a-?`
//! and `a-!`: a release. `ax?` and `ax!`: the service ends a's grant. The result of an operation without `!` is
//! unknown.

use super::{Decision, Entry, SearchResult, check};
use crate::spec::{Call, Operation, Owner, Spec};

pub(crate) struct History {
    pub(crate) entries: Vec<Entry>,
}

#[track_caller]
pub(crate) fn history(text: &str) -> History {
    let mut entries: Vec<Entry> = Vec::new();
    for (place, word) in text.split_whitespace().enumerate() {
        let (letter, sign, end) = (word.as_bytes()[0], word.as_bytes()[1], word.as_bytes()[2]);
        let owner = Owner(u32::from(letter - b'a'));
        let call = match sign {
            b'+' => Call::Acquire { token: word[3..].parse().ok(), permits: 1 },
            b'-' => Call::Release { token: word[3..].parse().ok(), permits: 1 },
            _ => Call::Expire,
        };
        let place = place as u64;
        if end == b'?' {
            entries.push(Entry { operation: Operation { owner, call }, invoked: place, returned: None });
            continue;
        }
        let same = |known: &Call| std::mem::discriminant(known) == std::mem::discriminant(&call);
        let open = |entry: &&mut Entry| entry.returned.is_none() && entry.operation.owner == owner;
        let entry = entries.iter_mut().filter(open).find(|entry| same(&entry.operation.call));
        let entry = entry.unwrap_or_else(|| panic!("{word} ends nothing"));
        (entry.returned, entry.operation.call) = (Some(place), call);
    }
    History { entries }
}

/// Never reached by the histories of tests.
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
        let last = order.iter().try_fold(start, |state, entry| state.step(&self.entries[*entry].operation));
        assert!(last.is_ok(), "the order is not legal: {last:?}");
        let returned = |entry: &Entry| entry.returned.is_some();
        assert!((0..self.entries.len()).all(|n| order.contains(&n) || !returned(&self.entries[n])));
        for (n, later) in order.iter().enumerate() {
            let invoked = self.entries[*later].invoked;
            let before = |earlier: &usize| self.entries[*earlier].returned.is_none_or(|returned| returned > invoked);
            assert!(order[n + 1..].iter().all(before), "the order is against time: {order:?}");
        }
    }

    #[track_caller]
    pub(crate) fn rejected_by<S: Spec>(&self, start: S) {
        let decision = self.decide(start);
        assert!(matches!(decision, Decision::Stuck(_)), "{decision:?}");
    }
}
