//! Holds a history against a specification, lock by lock.

use super::HistoryFile;
use crate::linearizable::{Decision, Entry, Stuck, by_lock, check};
use crate::property::Verdict;
use crate::spec::{Fenced, Kind, Mutex, OwnedMutex, Owner, Reentrant, ReentrantFenced, Semaphore, Spec};

/// What a history is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The specification.
    pub spec: Kind,
    /// How many permits a semaphore has.
    pub permits: u32,
    /// How many steps of the specification may be tried for each lock.
    pub budget: u64,
}

/// What became of a history.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Lock by lock.
    pub locks: Vec<CheckedLock>,
}

/// What became of one lock of a history.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedLock {
    /// The lock's name; empty if the history names none.
    pub lock: String,
    /// Unknown if the budget ran out.
    pub verdict: Verdict,
    /// How many operations may have taken effect.
    pub operations: usize,
    /// How many steps were tried.
    pub steps: u64,
    /// Where no legal order goes on, if there is none.
    pub stuck: Option<StuckAt>,
}

/// Where no legal order goes on. Operations are indices into [`HistoryFile::entries`].
#[derive(Clone, Debug, PartialEq)]
pub struct StuckAt {
    /// The operation that returned and cannot have taken effect.
    pub entry: usize,
    /// The longest legal order up to there.
    pub order: Vec<usize>,
    /// The state after it, in words.
    pub state: String,
    /// What else was under way, and why it could not come next.
    pub refused: Vec<(usize, String)>,
}

impl HistoryFile {
    /// Judges every lock of the history.
    pub fn judge(&self, terms: Terms) -> Judged {
        let judge = |(lock, places): (u32, Vec<usize>)| match terms.spec {
            Kind::Mutex => self.judge_lock(lock, &places, Mutex::default(), terms.budget),
            Kind::Owner => self.judge_lock(lock, &places, OwnedMutex::default(), terms.budget),
            Kind::Reentrant => self.judge_lock(lock, &places, Reentrant::default(), terms.budget),
            Kind::Fenced => self.judge_lock(lock, &places, Fenced::default(), terms.budget),
            Kind::ReentrantFenced => self.judge_lock(lock, &places, ReentrantFenced::default(), terms.budget),
            Kind::Semaphore => self.judge_lock(lock, &places, Semaphore::of(terms.permits), terms.budget),
        };
        Judged { locks: by_lock(&self.entries).into_iter().map(judge).collect() }
    }

    fn judge_lock<S: Spec>(&self, lock: u32, places: &[usize], start: S, budget: u64) -> CheckedLock {
        let entries: Vec<Entry> = places.iter().map(|place| self.entries[*place].1).collect();
        let outcome = check(start, &entries, budget);
        let (verdict, stuck) = match result.decision {
            Decision::Linearizable { .. } => (Verdict::Holds, None),
            Decision::Unknown => (Verdict::Unknown, None),
            Decision::Stuck(stuck) => (Verdict::Violated, Some(self.told(places, stuck))),
        };
        let lock = self.locks[lock as usize].clone();
        CheckedLock { lock, verdict, operations: entries.len(), steps: outcome.steps, stuck }
    }

    fn told<S: Spec>(&self, places: &[usize], stuck: Stuck<S>) -> StuckAt {
        let name = |owner: Owner| self.owners[owner.0 as usize].clone();
        StuckAt {
            entry: places[stuck.entry],
            order: stuck.order.into_iter().map(|entry| places[entry]).collect(),
            state: stuck.state.tell(&name),
            refused: stuck.refused.into_iter().map(|(entry, why)| (places[entry], why.told(&name))).collect(),
        }
    }
}

impl Judged {
    /// Violated if one lock is, else unknown if one is.
    pub fn verdict(&self) -> Verdict {
        let any = |verdict| self.locks.iter().any(|lock| lock.verdict == verdict);
        let worst = [Verdict::Violated, Verdict::Unknown].into_iter().find(|verdict| any(*verdict));
        worst.unwrap_or(Verdict::Holds)
    }

    /// How many steps were tried in all.
    pub fn steps(&self) -> u64 {
        self.locks.iter().map(|lock| lock.steps).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Format, read};
    use super::*;

    /// `a` and `b` hold both locks at once; on `x` that is no wonder, as a's grant may have expired.
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

    fn judged(spec: Kind, permits: u32, budget: u64) -> Judged {
        let history = read("h", TEXT, Format::JsonLines, spec).expect("it is right");
        history.judge(Terms { spec, permits, budget })
    }

    #[test]
    fn every_lock_is_judged_by_every_specification() {
        for spec in Kind::ALL {
            let judged = judged(spec, 1, 1_000);
            let verdicts: Vec<_> = judged.locks.iter().map(|lock| (lock.lock.as_str(), lock.verdict)).collect();
            assert_eq!(verdicts, [("x", Verdict::Holds), ("y", Verdict::Violated)], "{}", spec.name());
            assert_eq!((judged.verdict(), judged.locks[0].operations), (Verdict::Violated, 3));
            assert!(judged.steps() >= 4);
        }
        assert_eq!(judged(Kind::Semaphore, 2, 1_000).verdict(), Verdict::Holds);
    }

    #[test]
    fn what_was_not_found_out_is_unknown() {
        assert_eq!(judged(Kind::Owner, 1, 0).verdict(), Verdict::Unknown);
        let some = judged(Kind::Owner, 1, 2);
        assert_eq!(some.verdict(), Verdict::Violated, "the second lock needs two steps only");
        assert_eq!(some.locks[0].verdict, Verdict::Unknown);
    }

    #[test]
    fn says_where_it_got_stuck_in_the_words_of_the_file() {
        let judged = judged(Kind::Fenced, 1, 1_000);
        let stuck = judged.locks[1].stuck.as_ref().expect("it is violated");
        assert_eq!((stuck.entry, stuck.order.as_slice()), (4, [3].as_slice()));
        assert_eq!(stuck.state, "held by a with token 5; highest token 5");
        assert_eq!(stuck.refused, [(4, "a holds the lock".to_owned())]);
    }
}
