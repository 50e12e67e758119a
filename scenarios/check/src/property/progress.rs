//! `progress`: once all faults are healed, a live client that wants the lock gets it within the lock's own bound,
//! counted from healing or from the moment somebody began to want it, whichever is later. Where work takes two locks,
//! each of them can be had, and no two clients wait for each other beyond the bound, healing or not.
//!
//! What was in the way is told: a lost wake-up, a stuck lock, a holder that does not let go, or two that wait for each
//! other. That one waiter never gets what others get is starvation, and a metric.

mod mutual_wait;

use std::fmt;
use std::time::Duration;

use fencepost_models::ResourceId;
use fencepost_models::history::Event;
use fencepost_sim::time::SimTime;

use self::mutual_wait::MutualWait;
use crate::check::{CaseSpec, CheckContext, Checker, Finding};
use crate::evidence::{Detail, Evidence, NodeNames, Party, length};
use crate::metrics::Tally;
use crate::obstacles::Obstacle;
use crate::property::{Property, Verdict};

pub(crate) fn build(facts: &CaseSpec) -> Option<Progress> {
    let resources = if facts.two_resources() { 2 } else { 1 };
    Some(Progress {
        bound: facts.progress_bound,
        grants: facts.grants,
        healed: None,
        goals: (0..resources).map(|_| Goal::default()).collect(),
        mutual: MutualWait::new(facts),
    })
}

pub(crate) struct Progress {
    bound: Duration,
    grants: bool,
    healed: Option<SimTime>,
    /// One for each resource.
    goals: Vec<Goal>,
    mutual: Option<MutualWait>,
}

/// That somebody gets this resource after healing.
#[derive(Default)]
struct Goal {
    /// When the bound passes, once somebody wants it. It stays when that client gives up.
    due: Option<SimTime>,
    /// Somebody acquired after healing and in time.
    reached: bool,
    /// The bound has passed.
    missed: bool,
    /// What was in the way after the latest event.
    obstacle: Option<Obstacle>,
}

/// Nobody got the lock in time.
#[derive(Debug)]
struct Stuck {
    healed: SimTime,
    due: SimTime,
    bound: Duration,
    obstacle: Option<Obstacle>,
}

impl Checker for Progress {
    fn observe(&mut self, context: &CheckContext, event: &Event, tally: &mut Tally) {
        if let Some(mutual) = &mut self.mutual {
            mutual.observe(context, tally);
        }
        if matches!(event, Event::Healed) {
            self.healed.get_or_insert(context.at);
        }
        let Some(healed) = self.healed else { return };
        let got = match *event {
            Event::Acquired { grant, .. } => Some(context.ledger.resource_of(grant)),
            // Where there is nothing to acquire, a transaction that got to read was let in.
            Event::ReadOk { grant, .. } if !self.grants => Some(context.ledger.resource_of(grant)),
            _ => None,
        };
        for (resource, goal) in (0..).map(ResourceId).zip(&mut self.goals) {
            goal.observe(context, resource, got == Some(resource), healed, self.bound);
        }
    }

    fn open_until(&self) -> Option<SimTime> {
        let mutual = self.mutual.as_ref().and_then(MutualWait::open_until);
        let due = self.goals.iter().filter(|goal| goal.is_open()).filter_map(|goal| goal.due).max();
        due.max(mutual)
    }

    fn finish(mut self, context: &CheckContext, tally: &mut Tally) -> Finding {
        let mut deadlocked = false;
        if let Some(mutual) = &mut self.mutual {
            deadlocked = mutual.finish(context.at, tally);
            if mutual.first.is_some() {
                return Finding::from_first(mutual.first.take());
            }
        }
        let Some(healed) = self.healed else { return Finding::bare(Verdict::Unknown) };
        let missed = self.goals.iter().filter(|goal| goal.is_missed_at(context.at)).min_by_key(|goal| goal.due);
        if let Some((goal, due)) = missed.and_then(|goal| Some((goal, goal.due?))) {
            count(goal.obstacle, tally);
            let detail = Stuck { healed, due, bound: self.bound, obstacle: goal.obstacle };
            return Finding::from_first(Some(Evidence::new(Property::Progress, due, detail)));
        }
        let open = deadlocked || self.goals.iter().any(|goal| goal.due.is_some() && goal.is_open());
        Finding::bare(if open { Verdict::Unknown } else { Verdict::Holds })
    }
}

impl Goal {
    fn observe(&mut self, context: &CheckContext, resource: ResourceId, got: bool, healed: SimTime, bound: Duration) {
        if !self.is_open() {
            return;
        }
        if self.due.is_some_and(|due| context.at > due) {
            self.missed = true;
        } else if got {
            self.reached = true;
        } else {
            let since = || context.waiters.longest_waiting_for(resource).map(|since| since.max(healed) + bound);
            self.due = self.due.or_else(since);
            self.obstacle = self.due.map(|_| context.obstacles.before(resource, context.ledger));
        }
    }

    fn is_open(&self) -> bool {
        !self.reached && !self.missed
    }

    fn is_missed_at(&self, end: SimTime) -> bool {
        self.missed || !self.reached && self.due.is_some_and(|due| end >= due)
    }
}

fn count(obstacle: Option<Obstacle>, tally: &mut Tally) {
    match obstacle {
        Some(Obstacle::LostWakeUp(_)) => tally.lost_wakeups += 1,
        Some(Obstacle::Orphaned(_)) => tally.stuck_locks += 1,
        Some(Obstacle::Held(_) | Obstacle::Idle) | None => {}
    }
}

impl Detail for Stuck {
    fn tell(&self, f: &mut fmt::Formatter<'_>, names: &dyn NodeNames) -> fmt::Result {
        let Stuck { healed, due, bound, obstacle } = self;
        write!(f, "all faults were healed at {healed} and a client wanted the lock, ")?;
        write!(f, "but by {due} nobody had acquired it, although the lock promises that within {}", length(*bound))?;
        match obstacle {
            Some(Obstacle::LostWakeUp(waiter)) => {
                write!(
                    f,
                    "; a lost wake-up: nobody held it, and {} ({waiter}) waited without being told",
                    waiter.who(names)
                )
            }
            Some(Obstacle::Orphaned(holder)) => {
                write!(
                    f,
                    "; a stuck lock: it was on record for {} ({holder}), who no longer held it",
                    holder.who(names)
                )
            }
            Some(Obstacle::Held(holder)) => write!(f, "; {} ({holder}) held it and did not let go", holder.who(names)),
            Some(Obstacle::Idle) | None => Ok(()),
        }
    }

    fn parties(&self) -> Vec<Party> {
        match self.obstacle {
            Some(Obstacle::LostWakeUp(party) | Obstacle::Orphaned(party) | Obstacle::Held(party)) => vec![party],
            Some(Obstacle::Idle) | None => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

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
        crate::testing::history().asks(A, 1).ends_at(99).assert_unknown(RULE);
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
        let facts = CaseSpec { grants: false, ..facts() };
        history_of(facts).at(5).healed().asks(A, 1).at(6).read_ok(A, 1, 0).ends_at(99).assert_holds(RULE);
        let read = history().granted(A, 1).acquired(A, 1).asks(B, 2).at(5).healed().at(6).read_ok(A, 1, 0);
        read.ends_at(99).assert_violated(RULE);
    }

    /// A held the lock when all faults were healed, and B waits for it in the service's queue.
    fn queued() -> History {
        history().granted(A, 1).acquired(A, 1).at(4).asks(B, 2).enqueued(2).at(5).healed()
    }

    fn told_cause(findings: &crate::check::Findings) -> (String, [i64; 2]) {
        let told = findings.told(RULE);
        let cause = told.split_once("; ").map_or("", |(_, cause)| cause).to_owned();
        (cause, ["lost_wakeups", "stuck_locks"].map(|name| findings.metric(name)))
    }

    #[test]
    fn a_free_lock_whose_first_in_line_sleeps_on_is_a_lost_wake_up() {
        let findings = queued().at(6).releases(A, 1).released(1, 1).ends_at(15);
        findings.assert_violated(RULE);
        let (cause, counts) = told_cause(&findings);
        assert_eq!(cause, "a lost wake-up: nobody held it, and client-2 (grant 2) waited without being told");
        assert_eq!(counts, [1, 0]);
    }

    #[test]
    fn so_is_one_whose_new_holder_was_not_told() {
        let findings = queued().at(6).releases(A, 1).released(1, 1).granted_unasked(2).ends_at(15);
        assert_eq!(told_cause(&findings).1, [1, 0]);
        let told = queued().at(6).releases(A, 1).released(1, 1).granted_unasked(2).acquired(B, 2).ends_at(15);
        told.assert_holds(RULE);
        assert_eq!(told.metric("lost_wakeups"), 0);
    }

    #[test]
    fn who_left_the_queue_was_not_forgotten_there() {
        let free = || queued().asks(C, 3).at(6).releases(A, 1).released(1, 1);
        let idle = (String::new(), [0, 0]);
        assert_eq!(told_cause(&free().withdrawn(2).ends_at(15)), idle);
        assert_eq!(told_cause(&free().granted_unasked(2).expired(2).ends_at(15)), idle);
        let findings = free().enqueued(3).withdrawn(3).ends_at(15);
        assert_eq!((findings.named(RULE), told_cause(&findings).1), ((vec![2], vec![B]), [1, 0]));
        let findings = free().enqueued(3).withdrawn(2).ends_at(15);
        assert_eq!((findings.named(RULE), told_cause(&findings).1), ((vec![3], vec![C]), [1, 0]));
    }

    #[test]
    fn a_record_that_outlives_its_holder_is_a_stuck_lock() {
        let findings = queued().at(6).crashes(A).ends_at(15);
        let (cause, counts) = told_cause(&findings);
        assert_eq!(
            cause,
            "a stuck lock: it was on record for client-1 (grant 1, 1st in the grant order), who no longer held it"
        );
        assert_eq!(counts, [0, 1]);
        let expired = queued().at(6).crashes(A).at(9).expired(1).granted_unasked(2).acquired(B, 2).ends_at(15);
        expired.assert_holds(RULE);
        assert_eq!(expired.metric("stuck_locks"), 0);
    }

    #[test]
    fn a_holder_that_does_not_let_go_is_neither() {
        let (cause, counts) = told_cause(&queued().ends_at(15));
        assert_eq!(cause, "client-1 (grant 1, 1st in the grant order) held it and did not let go");
        assert_eq!(counts, [0, 0]);
    }

    #[test]
    fn what_came_after_the_bound_is_not_the_cause() {
        let findings = queued().at(6).crashes(A).at(16).expired(1).ends_at(16);
        assert_eq!(told_cause(&findings).1, [0, 1]);
    }

    #[test]
    fn a_free_lock_whose_service_does_not_answer_is_no_lost_wake_up() {
        let (cause, counts) = told_cause(&history().at(5).healed().asks(A, 1).ends_at(15));
        assert_eq!((cause.as_str(), counts), ("", [0, 0]));
    }

    #[test]
    fn each_of_two_locks_is_to_be_had() {
        let history = || history_of(accounts()).at(5).healed().asks(A, 1).asks_second(B, 2).at(6).acquired(A, 1);
        history().ends_at(15).assert_violated(RULE);
        history().acquired(B, 2).ends_at(15).assert_holds(RULE);
    }
}
