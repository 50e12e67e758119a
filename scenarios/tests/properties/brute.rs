//! Linearizability by trying every order: no memory, no pruning, nothing just in time.

use fencepost_scenarios::linearizable::Entry;
use fencepost_scenarios::spec::Spec;

/// Whether some order of these entries is legal. The cost grows with the factorial of their number.
pub fn linearizable<S: Spec>(start: &S, entries: &[Entry]) -> bool {
    extend(start, entries, &mut vec![false; entries.len()])
}

/// Whether the entries that are not done yet can follow in some order.
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
