//! Linearizability: whether the operations of a history can be put into an order that a sequential specification allows
//! and in which no operation stands before one that had returned when it was invoked.
//!
//! The search is that of J. M. Wing and C. Gong ("Testing and Verifying Concurrent Objects", 1993) with the memory of
//! G. Lowe ("Testing for linearizability", 2017): a configuration that led nowhere is not tried again. It is also
//! *just in time* in Lowe's sense: an operation takes effect no earlier than it has to, right before some operation
//! returns. So a configuration is a place in the history, the state there, and the few operations that have taken effect
//! and not returned, and histories of any length cost little memory.
//!
//! Each lock is checked by itself ([`by_lock`]): a history is linearizable if and only if it is lock by lock. Where a
//! specification says that tokens never fall, they say in which order the acquires took effect, and no other is tried.
//!
//! ```
//! use fencepost_check::linearizable::{Entry, Decision, check};
//! use fencepost_check::spec::{Call, Mutex, Operation, Owner};
//!
//! let acquire = |owner| Operation { owner: Owner(owner), call: Call::Acquire { token: None, permits: 1 } };
//! // Both clients have the lock, and nobody has given it back.
//! let first = Entry { operation: acquire(1), invoked: 0, returned: Some(2) };
//! let second = Entry { operation: acquire(2), invoked: 1, returned: Some(3) };
//! assert!(matches!(check(Mutex::default(), &[first, second], 1_000).decision, Decision::Stuck(_)));
//! // Whether the second acquire took effect is not known: then it did not.
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

/// An operation of a history, with the time it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it was.
    pub operation: Operation,
    /// When it was invoked, as a place in the history. No two operations are invoked or return at the same place.
    pub invoked: u64,
    /// When it returned, and so had taken effect. `None`: nobody knows whether it took effect, and it still may.
    pub returned: Option<u64>,
}

/// What a search came to.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchResult<S> {
    /// The answer.
    pub decision: Decision<S>,
    /// How many steps of the specification were tried. Looking at many operations under way counts as steps too.
    pub steps: u64,
}

/// The answer of a search.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision<S> {
    /// There is a legal order.
    Linearizable {
        /// One such order, as indices of entries. What is not in it has not taken effect.
        order: Vec<usize>,
    },
    /// There is none.
    Stuck(Stuck<S>),
    /// The budget of steps ran out before that was known.
    Unknown,
}

/// How far a legal order got, at most.
#[derive(Clone, Debug, PartialEq)]
pub struct Stuck<S> {
    /// The operation that returned and cannot have taken effect by then.
    pub entry: usize,
    /// The longest order found up to there.
    pub order: Vec<usize>,
    /// The state after it.
    pub state: S,
    /// What was under way there and had not taken effect, with the reason why it could not.
    pub refused: Vec<(usize, Refusal)>,
}

/// Looks for a legal order of the entries, and gives up after so many steps.
///
/// # Panics
/// If an entry returned before it was invoked, or two places are the same.
pub fn check<S: Spec>(start: S, entries: &[Entry], budget: u64) -> SearchResult<S> {
    Search::new(entries, budget).run(start)
}

#[cfg(test)]
mod tests {
    use super::search::{KEEPING, WORK_OF_A_STEP};
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
    fn rejects_what_only_an_order_against_time_would_explain() {
        history("a+? a+! b+? b+! a-? a-!").rejected_by(OwnedMutex::default());
    }

    #[test]
    fn an_operation_that_did_not_return_may_have_taken_effect_at_any_time_or_not_at_all() {
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
    fn the_services_own_steps_explain_what_clients_see() {
        history("a+? a+! ax? ax! b+? b+!").accepted_by(OwnedMutex::default());
        history("a+? a+! b+? ax? ax! b+!").accepted_by(OwnedMutex::default());
        history("a+? a+! b+? b+! ax? ax!").rejected_by(OwnedMutex::default());
        history("a+? a+! cx? cx! b+? b+!").rejected_by(OwnedMutex::default());
    }

    #[test]
    fn an_expiry_without_effect_now_may_not_have_one_later() {
        // Somebody's session ends while an acquire of it is under way: before it or after it, both are legal.
        history("a+? ax? ax! a+! b+? b+!").accepted_by(OwnedMutex::default());
        history("a+? ax? ax! a+! a-? a-!").accepted_by(OwnedMutex::default());
        history("ax? ax! a+? a+! b+? b+!").rejected_by(OwnedMutex::default());
    }

    #[test]
    fn tokens_say_in_which_order_acquires_took_effect() {
        history("a+? b+? a+!2 b+!1 b-? b-! a-? a-!").rejected_by(Fenced::default());
        history("a+? b+? b-? a+!2 b+!1 a-? a-! b-!").accepted_by(Fenced::default());
        history("a+? a+!2 a-? a-! b+? b+!1").rejected_by(Fenced::default());
        history("a+? a+!2 a+? a+!2 a-? a-! a-? a-! b+? b+!3").accepted_by(ReentrantFenced::default());
        history("a+? a+!2 a+? a+!3").rejected_by(ReentrantFenced::default());
    }

    #[test]
    fn every_specification_is_searched() {
        history("a+? b+? b+! a+! c+? c+!").rejected_by(Semaphore::with_permits(2));
        history("a+? b+? b+! a+! a-? c+? c+!").accepted_by(Semaphore::with_permits(2));
        history("a+? a+! a+? a+! a-? a-! a-? b+? b+!").accepted_by(Reentrant::default());
        history("a+? a+! a+? a+! a-? a-! b+? b+!").rejected_by(Reentrant::default());
    }

    #[test]
    fn says_where_it_got_stuck_and_why() {
        let history = history("a+? a+! a-? a-! b+? b+! c+? d+? c+!");
        let Decision::Stuck(stuck) = history.decide(OwnedMutex::default()) else { panic!("it is not legal") };
        assert_eq!((stuck.entry, stuck.order.as_slice()), (3, [0, 1, 2].as_slice()));
        assert_eq!(stuck.state.describe(&|owner: crate::spec::Owner| format!("{}", owner.0)), "held by 1");
        let held = Refusal::Held { by: crate::spec::Owner(1) };
        assert_eq!(stuck.refused, [(3, held), (4, held)]);
    }

    #[test]
    fn tells_of_the_order_that_got_furthest_and_not_of_the_first() {
        // With a first, b has no place; with b first, only d has none.
        let history = history("a+? b+? b-? a+! b+! b-! d+? d+!");
        let Decision::Stuck(stuck) = history.decide(OwnedMutex::default()) else { panic!("it is not legal") };
        assert_eq!((stuck.entry, stuck.order.as_slice()), (3, [1, 2, 0].as_slice()));
    }

    #[test]
    fn tells_of_the_longest_order_up_to_the_same_place() {
        let Decision::Stuck(stuck) = self::history("a+? c-? c-!").decide(OwnedMutex::default()) else {
            panic!("it is not legal")
        };
        assert_eq!((stuck.entry, stuck.order.as_slice()), (1, [0].as_slice()));
    }

    #[test]
    fn says_that_a_token_came_out_of_turn() {
        let history = history("a+? a+!2 a-? a-! b+? b+!1");
        let Decision::Stuck(stuck) = history.decide(Fenced::default()) else { panic!("it is not legal") };
        assert_eq!((stuck.entry, stuck.refused), (0, vec![(0, Refusal::OutOfTurn { lower: 1 })]));
    }

    #[test]
    fn gives_up_when_its_budget_is_spent_and_not_before() {
        let history = history("a+? a+! a-? a-! b+? b+!");
        let needed = history.search(OwnedMutex::default(), u64::MAX).steps;
        assert_eq!(needed, 3);
        assert_eq!(history.search(OwnedMutex::default(), needed - 1).decision, Decision::Unknown);
        let enough = history.search(OwnedMutex::default(), needed);
        assert!(matches!(enough.decision, Decision::Linearizable { .. }));
    }

    #[test]
    fn a_configuration_that_led_nowhere_is_not_tried_again() {
        // Eight acquires that nobody heard of, in any order and with any of the releases, explain nothing.
        let unknown: String = ('a'..='h').map(|owner| format!("{owner}+? {owner}-? ")).collect();
        let history = history(&format!("{unknown} z+? z+! y+? y+!"));
        let result = history.search(OwnedMutex::default(), 1_000_000);
        assert!(matches!(result.decision, Decision::Stuck(_)));
        assert!(result.steps < 100_000, "{} steps", result.steps);
    }

    /// Leases of `count` owners, each of which may have ended at any time.
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
    fn thousands_of_leases_that_may_have_ended_cost_some_steps_each() {
        let owners: [fn(u64) -> u32; 2] = [|n| n as u32, |n| (n % 2) as u32];
        for owner in owners {
            let result = check(OwnedMutex::default(), &leases(3_000, owner), 150_000);
            assert!(matches!(result.decision, Decision::Linearizable { .. }));
        }
    }

    #[test]
    fn what_is_looked_at_and_kept_is_in_the_budget_too() {
        let result = check(OwnedMutex::default(), &leases(5_000, |n| n as u32), 20_000);
        assert_eq!(result.decision, Decision::Unknown);
    }

    /// Leases of `count` owners, which may have ended at any time: whoever acquires last was told first that it might.
    fn leases_told_backwards(count: u64) -> Vec<Entry> {
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
    fn looking_around_costs_a_share_of_a_step() {
        const LEASES: usize = 200;
        // Each acquire but the first is tried in vain; then the lease before it ends, and it is tried again.
        let tried = LEASES + 2 * (LEASES - 1);
        // All leases before it and the acquire itself are looked at, and one expiry is kept to be tried.
        let looked: usize = (2..=LEASES).map(|lease| (lease + KEEPING) / WORK_OF_A_STEP).sum();
        assert_eq!(steps_of(&leases(LEASES as u64, |n| n as u32)), tried + looked);
    }

    #[test]
    fn what_is_kept_costs_more_than_what_is_looked_at() {
        const LEASES: usize = 40;
        // Each acquire but the first is tried in vain, then the expiry of each lease that has not ended, of later ones first.
        let not_ended = || (2..=LEASES).rev();
        let tried = LEASES + (LEASES - 1) + not_ended().sum::<usize>();
        let looked: usize = not_ended().map(|expiries| (LEASES + 1 + KEEPING * expiries) / WORK_OF_A_STEP).sum();
        // The expiry that took effect was told of before all others that did, so the whole set is written anew.
        let kept: usize = (1..LEASES).map(|ended| KEEPING * ended / WORK_OF_A_STEP).sum();
        assert_eq!(steps_of(&leases_told_backwards(LEASES as u64)), tried + looked + kept);
    }

    #[test]
    fn a_long_history_costs_a_step_for_each_operation() {
        let history = history(&"a+? b+? a+! a-? a-! b+! b-? b-! ".repeat(500));
        let result = history.search(OwnedMutex::default(), 10_000);
        assert!(matches!(result.decision, Decision::Linearizable { order } if order.len() == 2_000));
        assert_eq!(result.steps, 2_000);
    }
}
