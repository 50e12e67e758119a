//! Checks a history against a specification, lock by lock.

use super::HistoryFile;
use crate::linearizable::{Decision, Entry, Stuck, by_lock, check};
use crate::property::Verdict;
use crate::spec::{Fenced, Kind, Mutex, OwnedMutex, Owner, Reentrant, ReentrantFenced, Semaphore, Spec};

/// How a history is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckOptions {
    /// The specification.
    pub spec: Kind,
    /// The number of permits of a semaphore.
    pub permits: u32,
    /// The maximum number of steps of the specification to try for each lock.
    pub budget: u64,
}

/// The result of checking a history.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedHistory {
    /// One result per lock.
    pub locks: Vec<CheckedLock>,
}

/// The result of checking one lock of a history.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedLock {
    /// The lock's name; empty if the history does not name the lock.
    pub lock: String,
    /// The verdict; `Unknown` if the budget ran out.
    pub verdict: Verdict,
    /// The number of operations that may have taken effect.
    pub operations: usize,
    /// The number of steps that were tried.
    pub steps: u64,
    /// Where the search was stuck, if there is no legal order.
    pub stuck: Option<StuckAt>,
}

/// Where the search was stuck. Operations are indices into [`HistoryFile::entries`].
#[derive(Clone, Debug, PartialEq)]
pub struct StuckAt {
    /// The operation that returned and cannot have taken effect.
    pub entry: usize,
    /// The longest legal order up to there.
    pub order: Vec<usize>,
    /// The state after this order, as text.
    pub state: String,
    /// The pending operations, and why each could not come next.
    pub refused: Vec<(usize, String)>,
}

impl HistoryFile {
    /// Checks every lock of the history.
    pub fn check(&self, options: CheckOptions) -> CheckedHistory {
        let check_one = |(lock, indices): (u32, Vec<usize>)| match options.spec {
            Kind::Mutex => self.check_lock(lock, &indices, Mutex::default(), options.budget),
            Kind::Owner => self.check_lock(lock, &indices, OwnedMutex::default(), options.budget),
            Kind::Reentrant => self.check_lock(lock, &indices, Reentrant::default(), options.budget),
            Kind::Fenced => self.check_lock(lock, &indices, Fenced::default(), options.budget),
            Kind::ReentrantFenced => self.check_lock(lock, &indices, ReentrantFenced::default(), options.budget),
            Kind::Semaphore => {
                self.check_lock(lock, &indices, Semaphore::with_permits(options.permits), options.budget)
            }
        };
        CheckedHistory { locks: by_lock(&self.entries).into_iter().map(check_one).collect() }
    }

    fn check_lock<S: Spec>(&self, lock: u32, indices: &[usize], start: S, budget: u64) -> CheckedLock {
        let entries: Vec<Entry> = indices.iter().map(|index| self.entries[*index].1).collect();
        let result = check(start, &entries, budget);
        let (verdict, stuck) = match result.decision {
            Decision::Linearizable { .. } => (Verdict::Holds, None),
            Decision::Unknown => (Verdict::Unknown, None),
            Decision::Stuck(stuck) => (Verdict::Violated, Some(self.stuck_at(indices, stuck))),
        };
        let lock = self.locks[lock as usize].clone();
        CheckedLock { lock, verdict, operations: entries.len(), steps: result.steps, stuck }
    }

    fn stuck_at<S: Spec>(&self, indices: &[usize], stuck: Stuck<S>) -> StuckAt {
        let name = |owner: Owner| self.owners[owner.0 as usize].clone();
        StuckAt {
            entry: indices[stuck.entry],
            order: stuck.order.into_iter().map(|entry| indices[entry]).collect(),
            state: stuck.state.describe(&name),
            refused: stuck.refused.into_iter().map(|(entry, why)| (indices[entry], why.clause(&name))).collect(),
        }
    }
}

impl CheckedHistory {
    /// Returns `Violated` if any lock is violated, otherwise `Unknown` if any lock is unknown, otherwise `Holds`.
    pub fn verdict(&self) -> Verdict {
        let any = |verdict| self.locks.iter().any(|lock| lock.verdict == verdict);
        let worst = [Verdict::Violated, Verdict::Unknown].into_iter().find(|verdict| any(*verdict));
        worst.unwrap_or(Verdict::Holds)
    }

    /// Returns the number of steps that were tried for all locks.
    pub fn steps(&self) -> u64 {
        self.locks.iter().map(|lock| lock.steps).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Format, read};
    use super::*;

    /// Both `a` and `b` hold both locks. On `x` this is legal, because a's grant may have expired.
    const TEXT: &str = r#"
        {"process":"a","lock":"x","type":"invoke","f":"acquire"}
        {"process":"a","lock":"x","type":"ok","f":"acquire","token":3}
        {"process":"server","lock":"x","type":"invoke","f":"expire","owner":"a"}
        {"process":"b","lock":"x","type":"invoke","f":"acquire"}
        {"process":"b","lock":"x","type":"ok","f":"acquire","token":4}
        {"process":"a","lock":"y","type":"invoke","f":"acquire"}
        {"process":"a","lock":"y","type":"ok","f":"acquire","token":5}
        {"process":"b","lock":"y","type":"invoke","f":"acquire"}
        {"process":"b","lock":"y","type":"ok","f":"acquire","token":6}
    "#;

    fn checked(spec: Kind, permits: u32, budget: u64) -> CheckedHistory {
        let history = read("h", TEXT, Format::JsonLines, spec).expect("the history is valid");
        history.check(CheckOptions { spec, permits, budget })
    }

    #[test]
    fn every_specification_checks_every_lock() {
        for spec in Kind::ALL {
            let checked = checked(spec, 1, 1_000);
            let verdicts: Vec<_> = checked.locks.iter().map(|lock| (lock.lock.as_str(), lock.verdict)).collect();
            assert_eq!(verdicts, [("x", Verdict::Holds), ("y", Verdict::Violated)], "{}", spec.name());
            assert_eq!((checked.verdict(), checked.locks[0].operations), (Verdict::Violated, 3));
            assert!(checked.steps() >= 4);
        }
        assert_eq!(checked(Kind::Semaphore, 2, 1_000).verdict(), Verdict::Holds);
    }

    #[test]
    fn a_spent_budget_makes_the_verdict_unknown() {
        assert_eq!(checked(Kind::Owner, 1, 0).verdict(), Verdict::Unknown);
        let some = checked(Kind::Owner, 1, 2);
        assert_eq!(some.verdict(), Verdict::Violated, "the second lock needs only two steps");
        assert_eq!(some.locks[0].verdict, Verdict::Unknown);
    }

    #[test]
    fn the_stuck_operation_is_described_with_names_from_the_file() {
        let checked = checked(Kind::Fenced, 1, 1_000);
        let stuck = checked.locks[1].stuck.as_ref().expect("the lock is violated");
        assert_eq!((stuck.entry, stuck.order.as_slice()), (4, [3].as_slice()));
        assert_eq!(stuck.state, "held by a with token 5; highest token 5");
        assert_eq!(stuck.refused, [(4, "a holds the lock".to_owned())]);
    }
}
