//! A linearizability checker. A history is linearizable if its operations have an order that a sequential specification
//! allows and in which no operation precedes one that returned before its invocation.
//!
//! The search is the algorithm of J. M. Wing and C. Gong ("Testing and Verifying Concurrent Objects", 1993). It stores
//! failed configurations and does not try them again, as described by G. Lowe ("Testing for linearizability", 2017). It
//! is also *just in time* in Lowe's sense: an operation takes effect as late as possible, right before some operation
//! returns. A configuration thus consists of a position in the history, the state there, and the few operations that
//! have taken effect but not returned. Even long histories need little memory.
//!
//! Each lock is checked separately ([`by_lock`]): a history is linearizable if and only if the history of each lock is.
//! If the tokens of a specification never decrease, they determine the order of acquires, and no other order is tried.
//!
//! ```
//! use fencepost_check::linearizable::{Entry, Decision, check};
//! use fencepost_check::spec::{Call, Mutex, Operation, Owner};
//!
//! let acquire = |owner| Operation { owner: Owner(owner), call: Call::Acquire { token: None, permits: 1 } };
//! // Both clients acquired the lock, and neither released it.
//! let first = Entry { operation: acquire(1), invoked: 0, returned: Some(2) };
//! let second = Entry { operation: acquire(2), invoked: 1, returned: Some(3) };
//! assert!(matches!(check(Mutex::default(), &[first, second], 1_000).decision, Decision::Stuck(_)));
//! // The result of the second acquire is unknown: it may have had no effect.
//! let unknown = Entry { returned: None, ..second };
//! assert!(matches!(check(Mutex::default(), &[first, unknown], 1_000).decision, Decision::Linearizable { .. }));
//! ```

mod chains;
mod partition;
mod search;
#[cfg(test)]
mod testing;
mod timeline;

use crate::spec::{Operation, Refusal, Spec};

pub use self::partition::{Lock, by_lock};
use self::search::Search;

/// An operation of a history, and the positions of its invocation and return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The operation.
    pub operation: Operation,
    /// The position in the history at which the operation was invoked. All positions in a history are distinct.
    pub invoked: u64,
    /// The position at which the operation returned, after it took effect. If `None`, it may have taken effect, or may
    /// still do so.
    pub returned: Option<u64>,
}

/// The result of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchResult<S> {
    /// The decision.
    pub decision: Decision<S>,
    /// The number of steps of the specification that were tried, plus the cost of examining pending operations.
    pub steps: u64,
}

/// Whether a legal order exists.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision<S> {
    /// There is a legal order.
    Linearizable {
        /// One such order, as indices of entries. Entries outside it have no effect.
        order: Vec<usize>,
    },
    /// There is no legal order.
    Stuck(Stuck<S>),
    /// The budget was exhausted first.
    Unknown,
}

/// The point at which the longest legal order ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Stuck<S> {
    /// The operation that returned but cannot have taken effect.
    pub entry: usize,
    /// The longest legal order before the return of `entry`.
    pub order: Vec<usize>,
    /// The state after `order`.
    pub state: S,
    /// The operations that are pending at that point, each with the reason why it cannot take effect.
    pub refused: Vec<(usize, Refusal)>,
}

/// Searches for a legal order of the entries. Gives up after `budget` steps.
///
/// # Panics
/// If an entry returned before it was invoked, or two positions are equal.
pub fn check<S: Spec>(start: S, entries: &[Entry], budget: u64) -> SearchResult<S> {
    Search::new(entries, budget).run(start)
}

#[cfg(test)]
mod tests {
    use super::search::{EXAMINED_PER_STEP, STORE_COST};
    use super::testing::*;
    use super::*;
    use crate::spec::{Call, Fenced, Mutex, OwnedMutex, Owner, Reentrant, ReentrantFenced, Semaphore};

    #[test]
    fn accepts_an_empty_history() {
        assert_eq!(history("").decide(Mutex::default()), Decision::Linearizable { order: vec![] });
    }

    #[test]
    fn accepts_overlapping_operations_in_either_order() {
        history("a+? b+? b+! b-? b-! a+!").accepted_by(OwnedMutex::default());
        history("b+? a+? b+! b-? b-! a+!").accepted_by(OwnedMutex::default());
    }

    #[test]
    fn rejects_an_order_that_contradicts_real_time() {
        history("a+? a+! b+? b+! a-? a-!").rejected_by(OwnedMutex::default());
    }

    #[test]
    fn an_operation_without_a_return_may_take_effect_at_any_time_or_never() {
        history("a+? a+! a-? b+? b+!").accepted_by(OwnedMutex::default());
        history("a+? a+! a-? c+? c-? b+? b+! b-? b-! d+? d+!").accepted_by(OwnedMutex::default());
        history("a+? b+? b+!").accepted_by(OwnedMutex::default());
        history("a+? a-? a-!").accepted_by(OwnedMutex::default());
        history("a-? a+? a+! b+? b+!").accepted_by(OwnedMutex::default());
        history("b+? b+! a+? a+! b-?").rejected_by(OwnedMutex::default());
    }

    #[test]
    fn an_operation_takes_effect_once() {
        history("a+? a+! a-? b+? b+! c+? c+!").rejected_by(OwnedMutex::default());
    }

    #[test]
    fn expiries_by_the_service_can_explain_a_history() {
        history("a+? a+! ax? ax! b+? b+!").accepted_by(OwnedMutex::default());
        history("a+? a+! b+? ax? ax! b+!").accepted_by(OwnedMutex::default());
        history("a+? a+! b+? b+! ax? ax!").rejected_by(OwnedMutex::default());
        history("a+? a+! cx? cx! b+? b+!").rejected_by(OwnedMutex::default());
    }

    #[test]
    fn an_expiry_takes_effect_before_it_returns() {
        // The session ends during an acquire, so the expiry may precede or follow the acquire.
        history("a+? ax? ax! a+! b+? b+!").accepted_by(OwnedMutex::default());
        history("a+? ax? ax! a+! a-? a-!").accepted_by(OwnedMutex::default());
        history("ax? ax! a+? a+! b+? b+!").rejected_by(OwnedMutex::default());
    }

    #[test]
    fn tokens_determine_the_order_of_acquires() {
        history("a+? b+? a+!2 b+!1 b-? b-! a-? a-!").rejected_by(Fenced::default());
        history("a+? b+? b-? a+!2 b+!1 a-? a-! b-!").accepted_by(Fenced::default());
        history("a+? a+!2 a-? a-! b+? b+!1").rejected_by(Fenced::default());
        history("a+? a+!2 a+? a+!2 a-? a-! a-? a-! b+? b+!3").accepted_by(ReentrantFenced::default());
        history("a+? a+!2 a+? a+!3").rejected_by(ReentrantFenced::default());
    }

    #[test]
    fn the_search_works_for_every_specification() {
        history("a+? b+? b+! a+! c+? c+!").rejected_by(Semaphore::with_permits(2));
        history("a+? b+? b+! a+! a-? c+? c+!").accepted_by(Semaphore::with_permits(2));
        history("a+? a+! a+? a+! a-? a-! a-? b+? b+!").accepted_by(Reentrant::default());
        history("a+? a+! a+? a+! a-? a-! b+? b+!").rejected_by(Reentrant::default());
    }

    #[test]
    fn a_stuck_search_returns_the_operation_and_the_reasons() {
        let history = history("a+? a+! a-? a-! b+? b+! c+? d+? c+!");
        let Decision::Stuck(stuck) = history.decide(OwnedMutex::default()) else { panic!("the history is not legal") };
        assert_eq!((stuck.entry, stuck.order.as_slice()), (3, [0, 1, 2].as_slice()));
        assert_eq!(stuck.state.describe(&|owner: crate::spec::Owner| format!("{}", owner.0)), "held by 1");
        let held = Refusal::Held { by: crate::spec::Owner(1) };
        assert_eq!(stuck.refused, [(3, held), (4, held)]);
    }

    #[test]
    fn a_stuck_search_returns_the_order_that_got_furthest() {
        // With `a` first, the search is stuck at `b`. With `b` first, it is stuck only at `d`.
        let history = history("a+? b+? b-? a+! b+! b-! d+? d+!");
        let Decision::Stuck(stuck) = history.decide(OwnedMutex::default()) else { panic!("the history is not legal") };
        assert_eq!((stuck.entry, stuck.order.as_slice()), (3, [1, 2, 0].as_slice()));
    }

    #[test]
    fn a_stuck_search_returns_the_longest_order_at_the_same_position() {
        let Decision::Stuck(stuck) = self::history("a+? c-? c-!").decide(OwnedMutex::default()) else {
            panic!("the history is not legal")
        };
        assert_eq!((stuck.entry, stuck.order.as_slice()), (1, [0].as_slice()));
    }

    #[test]
    fn a_stuck_search_returns_a_token_that_is_out_of_order() {
        let history = history("a+? a+!2 a-? a-! b+? b+!1");
        let Decision::Stuck(stuck) = history.decide(Fenced::default()) else { panic!("the history is not legal") };
        assert_eq!((stuck.entry, stuck.refused), (0, vec![(0, Refusal::OutOfTurn { lower: 1 })]));
    }

    #[test]
    fn the_search_gives_up_exactly_when_its_budget_is_exhausted() {
        let history = history("a+? a+! a-? a-! b+? b+!");
        let needed = history.search(OwnedMutex::default(), u64::MAX).steps;
        assert_eq!(needed, 3);
        assert_eq!(history.search(OwnedMutex::default(), needed - 1).decision, Decision::Unknown);
        let enough = history.search(OwnedMutex::default(), needed);
        assert!(matches!(enough.decision, Decision::Linearizable { .. }));
    }

    #[test]
    fn a_failed_configuration_is_not_tried_again() {
        // No order of eight acquires and releases without replies makes the history legal.
        let unknown: String = ('a'..='h').map(|owner| format!("{owner}+? {owner}-? ")).collect();
        let history = history(&format!("{unknown} z+? z+! y+? y+!"));
        let result = history.search(OwnedMutex::default(), 1_000_000);
        assert!(matches!(result.decision, Decision::Stuck(_)));
        assert!(result.steps < 100_000, "{} steps", result.steps);
    }

    /// Returns `count` leases, each of which may have ended at any time.
    fn leases(count: u64, owner: impl Fn(u64) -> u32) -> Vec<Entry> {
        let one = |n: u64| {
            let operation = |call| Operation { owner: Owner(owner(n)), call };
            let acquire = operation(Call::Acquire { token: None, permits: 1 });
            let acquired = Entry { operation: acquire, invoked: 3 * n, returned: Some(3 * n + 1) };
            [acquired, Entry { operation: operation(Call::Expire), invoked: 3 * n + 2, returned: None }]
        };
        (0..count).flat_map(one).collect()
    }

    #[test]
    fn thousands_of_leases_cost_a_few_steps_each() {
        let owners: [fn(u64) -> u32; 2] = [|n| n as u32, |n| (n % 2) as u32];
        for owner in owners {
            let result = check(OwnedMutex::default(), &leases(3_000, owner), 150_000);
            assert!(matches!(result.decision, Decision::Linearizable { .. }));
        }
    }

    #[test]
    fn examining_and_storing_entries_counts_toward_the_budget() {
        let result = check(OwnedMutex::default(), &leases(5_000, |n| n as u32), 20_000);
        assert_eq!(result.decision, Decision::Unknown);
    }

    /// Returns `count` leases, which may have ended at any time. Expiries are invoked in reverse order of acquires.
    fn leases_in_reverse_order(count: u64) -> Vec<Entry> {
        let operation = |n: u64, call| Operation { owner: Owner(n as u32), call };
        let expiry = |n| Entry { operation: operation(n, Call::Expire), invoked: count - n, returned: None };
        let acquire = |n| {
            let operation = operation(n, Call::Acquire { token: None, permits: 1 });
            Entry { operation, invoked: count + 2 * n + 1, returned: Some(count + 2 * n + 2) }
        };
        (0..count).rev().map(expiry).chain((0..count).map(acquire)).collect()
    }

    fn steps_of(entries: &[Entry]) -> usize {
        let result = check(OwnedMutex::default(), entries, 10_000_000);
        assert!(matches!(result.decision, Decision::Linearizable { .. }));
        result.steps as usize
    }

    #[test]
    fn examining_an_entry_costs_a_fraction_of_a_step() {
        const LEASES: usize = 200;
        // Each acquire but the first fails, the previous lease ends, and the acquire is tried again.
        let tried = LEASES + 2 * (LEASES - 1);
        // The search examines all earlier leases and the acquire, and stores one expiry to try.
        let examined: usize = (2..=LEASES).map(|lease| (lease + STORE_COST) / EXAMINED_PER_STEP).sum();
        assert_eq!(steps_of(&leases(LEASES as u64, |n| n as u32)), tried + examined);
    }

    #[test]
    fn storing_an_entry_costs_more_than_examining_it() {
        const LEASES: usize = 40;
        // Each acquire but the first fails. The expiry of each open lease is then tried, later leases first.
        let open_leases = || (2..=LEASES).rev();
        let tried = LEASES + (LEASES - 1) + open_leases().sum::<usize>();
        let examined: usize =
            open_leases().map(|expiries| (LEASES + 1 + STORE_COST * expiries) / EXAMINED_PER_STEP).sum();
        // The effective expiry was invoked before all expiries in the set, so the whole set is stored again.
        let stored: usize = (1..LEASES).map(|ended| STORE_COST * ended / EXAMINED_PER_STEP).sum();
        assert_eq!(steps_of(&leases_in_reverse_order(LEASES as u64)), tried + examined + stored);
    }

    #[test]
    fn a_long_history_costs_one_step_per_operation() {
        let history = history(&"a+? b+? a+! a-? a-! b+! b-? b-! ".repeat(500));
        let result = history.search(OwnedMutex::default(), 10_000);
        assert!(matches!(result.decision, Decision::Linearizable { order } if order.len() == 2_000));
        assert_eq!(result.steps, 2_000);
    }
}
