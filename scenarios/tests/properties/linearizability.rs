//! Compares the search for a legal order with one that tries every order, and with the tester of stateright, an
//! independent implementation (<https://github.com/stateright/stateright>, `src/semantics/linearizability.rs`).

use std::cell::Cell;

use fencepost_scenarios::linearizable::{Decision, Entry, check};
use fencepost_scenarios::spec::{Fenced, Mutex, Operation, OwnedMutex, Reentrant, ReentrantFenced, Semaphore, Spec};
use fencepost_scenarios::strategies::{History, broken, history};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};

use crate::{brute, cases};

const BUDGET: u64 = 1_000_000;

/// Returns whether the search finds an order. Asserts that the order is legal.
fn found<S: Spec>(start: S, entries: &[Entry]) -> bool {
    match check(start.clone(), entries, BUDGET).decision {
        Decision::Unknown => panic!("{BUDGET} steps are enough for so few operations"),
        Decision::Stuck(_) => false,
        Decision::Linearizable { order } => {
            let last = order.iter().try_fold(start, |state, entry| state.step(&entries[*entry].operation));
            assert!(last.is_ok(), "the order is not legal");
            let in_time = |(position, later): (usize, &usize)| {
                let earlier = |other: &usize| entries[*other].returned.is_none_or(|end| end > entries[*later].invoked);
                order[position + 1..].iter().all(earlier)
            };
            assert!(order.iter().enumerate().all(in_time), "the order contradicts real time");
            assert!((0..entries.len()).all(|n| order.contains(&n) || entries[n].returned.is_none()));
            true
        }
    }
}

/// A specification as a stateright one: an operation returns whether it is allowed.
#[derive(Clone)]
struct Adapted<S>(S);

impl<S: Spec> SequentialSpec for Adapted<S> {
    type Op = Operation;
    type Ret = bool;

    fn invoke(&mut self, operation: &Operation) -> bool {
        match self.0.step(operation) {
            Ok(next) => {
                self.0 = next;
                true
            }
            Err(_) => false,
        }
    }
}

/// Returns the verdict of stateright. Each operation gets its own thread, because a client may continue after an
/// operation that never returns.
fn stateright_finds<S: Spec>(start: S, entries: &[Entry]) -> bool {
    let mut tester = LinearizabilityTester::new(Adapted(start));
    let mut events: Vec<(u64, usize, bool)> = Vec::new();
    for (n, entry) in entries.iter().enumerate() {
        events.push((entry.invoked, n, false));
        events.extend(entry.returned.map(|returned| (returned, n, true)));
    }
    events.sort_unstable();
    for (_, n, end) in events {
        let taken = match end {
            false => tester.on_invoke(n, entries[n].operation),
            true => tester.on_return(n, true),
        };
        taken.expect("the events are in order");
    }
    tester.is_consistent()
}

/// Asserts that both checks agree on `number` generated histories. Both verdicts must be frequent.
fn agree<S: Spec + 'static>(start: S, number: u32, operations: usize, other: fn(S, &[Entry]) -> bool) {
    let (legal, illegal) = (Cell::new(0), Cell::new(0));
    let histories = prop_oneof![1 => history(start.clone(), operations), 3 => broken(start.clone(), operations)];
    let compared = TestRunner::new_with_rng(cases(number), TestRng::deterministic_rng(RngAlgorithm::ChaCha)).run(
        &histories,
        |History(entries)| {
            let ours = found(start.clone(), &entries);
            prop_assert_eq!(ours, other(start.clone(), &entries));
            let count = if ours { &legal } else { &illegal };
            count.set(count.get() + 1);
            Ok(())
        },
    );
    compared.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(legal.get().min(illegal.get()) > number / 50, "{} and {}", legal.get(), illegal.get());
}

/// A third of the operations have no known end. With tokens, the search may run out of steps, but it must not reject.
#[test]
fn a_history_that_is_linearizable_by_construction_is_never_rejected() {
    fn holds<S: Spec + 'static>(start: S) {
        let decided = Cell::new(0);
        let outcome = TestRunner::new(cases(50)).run(&history(start.clone(), 60), |History(entries)| {
            let decision = check(start.clone(), &entries, 2_000).decision;
            prop_assert!(!matches!(decision, Decision::Stuck(_)), "{:?}", decision);
            decided.set(decided.get() + usize::from(decision != Decision::Unknown));
            Ok(())
        });
        outcome.unwrap_or_else(|failure| panic!("{failure}"));
        assert!(decided.get() > 35, "only {} of 50 were decided", decided.get());
    }
    holds(Mutex::default());
    holds(OwnedMutex::default());
    holds(Reentrant::default());
    holds(Fenced::default());
    holds(ReentrantFenced::default());
    holds(Semaphore::with_permits(2));
}

#[test]
fn agrees_with_trying_every_order() {
    fn brute<S: Spec>(start: S, entries: &[Entry]) -> bool {
        brute::linearizable(&start, entries)
    }
    agree(Mutex::default(), 1_000, 7, brute);
    agree(OwnedMutex::default(), 1_000, 7, brute);
    agree(Reentrant::default(), 1_000, 7, brute);
    agree(Fenced::default(), 1_000, 7, brute);
    agree(ReentrantFenced::default(), 1_000, 7, brute);
    agree(Semaphore::with_permits(2), 1_000, 7, brute);
}

#[test]
fn agrees_with_stateright() {
    agree(Mutex::default(), 1_000, 6, stateright_finds);
    agree(OwnedMutex::default(), 1_000, 6, stateright_finds);
    agree(Reentrant::default(), 1_000, 6, stateright_finds);
    agree(Fenced::default(), 1_000, 6, stateright_finds);
    agree(ReentrantFenced::default(), 1_000, 6, stateright_finds);
    agree(Semaphore::with_permits(2), 1_000, 6, stateright_finds);
}
