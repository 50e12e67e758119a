//! `progress`: once all faults are healed, a live client that wants the lock gets it within the lock's own bound,
//! counted from healing or from the moment somebody began to want it, whichever is later. And where work takes two locks,
//! no two clients wait for each other beyond the bound, healing or not.

use std::fmt;
use std::time::Duration;

use fencepost_models::history::Event;
use fencepost_sim::time::SimTime;

use super::evidence::{Detail, Evidence, NodeNames, length};
use super::metrics::Tally;
use super::mutual_wait::MutualWait;
use super::{Checker, Facts, Finding, Scene};
use crate::property::{Property, Verdict};

pub(super) fn build(facts: &Facts) -> Option<Progress> {
    let (bound, grants) = (facts.progress_bound, facts.grants);
    Some(Progress {
        bound,
        grants,
        healed: None,
        due: None,
        acquired: false,
        stuck: false,
        mutual: MutualWait::new(facts),
    })
}

pub(super) struct Progress {
    bound: Duration,
    grants: bool,
    healed: Option<SimTime>,
    /// When the bound passes, once somebody wants the lock. It stays when that client gives up.
    due: Option<SimTime>,
    /// Somebody acquired after healing and in time.
    acquired: bool,
    /// The bound has passed.
    stuck: bool,
    mutual: Option<MutualWait>,
}

/// Nobody got the lock in time.
#[derive(Debug)]
struct Stuck {
    healed: SimTime,
    due: SimTime,
    bound: Duration,
}

impl Checker for Progress {
    fn observe(&mut self, scene: &Scene, event: &Event, tally: &mut Tally) {
        if let Some(mutual) = &mut self.mutual {
            mutual.observe(scene, tally);
        }
        if matches!(event, Event::Healed) {
            self.healed.get_or_insert(scene.at);
        }
        let Some(healed) = self.healed else { return };
        self.stuck |= !self.acquired && self.due.is_some_and(|due| scene.at > due);
        if self.acquired || self.stuck {
            return;
        }
        let success = match event {
            Event::Acquired { .. } => true,
            // Where there is nothing to acquire, a transaction that got to read was let in.
            Event::ReadOk { .. } => !self.grants,
            _ => false,
        };
        if success {
            self.acquired = true;
        } else if self.due.is_none() {
            self.due = scene.waiters.longest_waiting_since().map(|since| since.max(healed) + self.bound);
        }
    }

    fn open_until(&self) -> Option<SimTime> {
        let mutual = self.mutual.as_ref().and_then(MutualWait::open_until);
        self.due.filter(|_| !self.acquired && !self.stuck).max(mutual)
    }

    fn finish(mut self, scene: &Scene, tally: &mut Tally) -> Finding {
        let mut deadlocked = false;
        if let Some(mutual) = &mut self.mutual {
            deadlocked = mutual.finish(scene.at, tally);
            if mutual.first.is_some() {
                return Finding::from_first(mutual.first.take());
            }
        }
        match (self.healed, self.due) {
            (None, _) => Finding::bare(Verdict::Unknown),
            _ if deadlocked => Finding::bare(Verdict::Unknown),
            _ if self.acquired => Finding::bare(Verdict::Holds),
            (Some(_), None) => Finding::bare(Verdict::Holds),
            (Some(healed), Some(due)) if scene.at >= due => {
                let detail = Stuck { healed, due, bound: self.bound };
                Finding::from_first(Some(Evidence::new(Property::Progress, due, detail)))
            }
            (Some(_), Some(_)) => Finding::bare(Verdict::Unknown),
        }
    }
}

impl Detail for Stuck {
    fn tell(&self, f: &mut fmt::Formatter<'_>, _names: &dyn NodeNames) -> fmt::Result {
        let Stuck { healed, due, bound } = self;
        write!(f, "all faults were healed at {healed} and a client wanted the lock, ")?;
        write!(f, "but by {due} nobody had acquired it, although the lock promises that within {}", length(*bound))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    const RULE: Property = Property::Progress;

    #[test]
    fn accepts_an_acquire_within_the_bound() {
        history().at(5).healed().asks(A, 1).at(15).acquired(A, 1).ends_at(15).assert_holds(RULE);
    }

    #[test]
    fn rejects_an_acquire_after_the_bound() {
        let findings = history().at(5).healed().asks(A, 1).at(16).acquired(A, 1).ends_at(16);
        findings.assert_violated(RULE);
        assert_eq!(
            findings.told(RULE),
            "all faults were healed at 5.000000 s and a client wanted the lock, \
             but by 15.000000 s nobody had acquired it, although the lock promises that within 10.000000 s"
        );
    }

    #[test]
    fn one_acquire_is_enough() {
        let history = history().at(5).healed().asks(A, 1).asks(B, 2).at(6).acquired(A, 1);
        assert_eq!(history.open_until(), None);
        history.ends_at(99).assert_holds(RULE);
    }

    #[test]
    fn an_acquire_before_healing_does_not_count() {
        history().asks(A, 1).asks(B, 2).at(4).acquired(A, 1).at(5).healed().ends_at(15).assert_violated(RULE);
    }

    #[test]
    fn giving_up_does_not_discharge() {
        history().at(5).healed().asks(A, 1).at(6).fails(A, 1).ends_at(15).assert_violated(RULE);
    }

    #[test]
    fn does_not_know_before_the_bound_has_passed_or_healing_began() {
        let history = history().at(5).healed().asks(A, 1);
        assert_eq!(history.open_until(), Some(SimTime(15_000_000_000)));
        history.ends_at(14).assert_unknown(RULE);
        super::super::testing::history().asks(A, 1).ends_at(99).assert_unknown(RULE);
    }

    #[test]
    fn counts_from_the_moment_somebody_wants_the_lock() {
        history().at(5).healed().at(9).asks(A, 1).ends_at(18).assert_unknown(RULE);
        history().at(5).healed().at(9).asks(A, 1).ends_at(19).assert_violated(RULE);
    }

    #[test]
    fn a_wait_from_before_healing_counts_from_healing() {
        history().asks(A, 1).at(5).healed().ends_at(14).assert_unknown(RULE);
        history().asks(A, 1).at(5).healed().ends_at(15).assert_violated(RULE);
    }

    #[test]
    fn holds_when_nobody_alive_wants_the_lock() {
        history().asks(A, 1).at(4).crashes(A).at(5).healed().ends_at(99).assert_holds(RULE);
    }

    #[test]
    fn a_read_counts_where_there_is_nothing_to_acquire() {
        let facts = Facts { grants: false, ..facts() };
        history_of(facts).at(5).healed().asks(A, 1).at(6).read_ok(A, 1, 0).ends_at(99).assert_holds(RULE);
    }
}
