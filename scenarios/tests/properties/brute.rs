//! A linearizability check that tries every order, without memoization or pruning.

use fencepost_scenarios::linearizable::Entry;
use fencepost_scenarios::spec::Spec;

/// Returns whether an order of these entries is legal, in time factorial in their number.
pub fn linearizable<S: Spec>(start: &S, entries: &[Entry]) -> bool {
    extend(start, entries, &mut vec![false; entries.len()])
}

/// Returns whether the remaining entries can follow in some order.
fn extend<S: Spec>(state: &S, entries: &[Entry], done: &mut [bool]) -> bool {
    if (0..entries.len()).all(|n| done[n] || entries[n].returned.is_none()) {
        return true;
    }
    for n in 0..entries.len() {
        let comes_too_early = |other: usize| {
            !done[other] && entries[other].returned.is_some_and(|returned| returned < entries[n].invoked)
        };
        if done[n] || (0..entries.len()).any(comes_too_early) {
            continue;
        }
        if let Ok(next) = state.step(&entries[n].operation) {
            done[n] = true;
            if extend(&next, entries, done) {
                return true;
            }
            done[n] = false;
        }
    }
    false
}
