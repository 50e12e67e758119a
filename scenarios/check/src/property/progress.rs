//! `progress`: once all faults are healed, a live client that wants the lock acquires it within the lock's own bound.
//!
//! The bound starts at healing, or at the first moment after healing at which a client wants the lock. If work takes
//! two locks, both must be acquired. Two clients must not wait for each other beyond the bound, before or after
//! healing.
//!
//! The evidence names the obstacle: a lost wake-up, a stuck lock, a holder that does not release, or a deadlock of two
//! clients. Starvation, where other clients get the lock and one waiter does not, is only a metric.

mod mutual_wait;

use std::time::Duration;

use fencepost_models::ResourceId;
use fencepost_models::history::Event;
use fencepost_sim::time::SimTime;

use self::mutual_wait::MutualWait;
use crate::check::{CaseSpec, CheckContext, Checker, Output};
use crate::evidence::{Names, in_seconds};
use crate::obstacles::Obstacle;
use crate::property::Verdict;

pub(crate) struct Progress {
    bound: Duration,
    grants: bool,
    healed: Option<SimTime>,
    /// One goal for each resource.
    goals: Vec<Goal>,
    mutual: Option<MutualWait>,
}

/// The goal that a client acquires one resource after healing.
#[derive(Default)]
struct Goal {
    /// When the bound expires. Set once a client wants the resource, and kept if that client gives up.
    due: Option<SimTime>,
    /// Whether a client acquired after healing, within the bound.
    reached: bool,
    /// Whether the bound has expired.
    missed: bool,
    /// The obstacle after the latest event.
    obstacle: Option<Obstacle>,
}

impl Checker for Progress {
    fn new(case: &CaseSpec) -> Option<Self> {
        let resources = if case.two_resources() { 2 } else { 1 };
        Some(Progress {
            bound: case.progress_bound,
            grants: case.grants,
            healed: None,
            goals: (0..resources).map(|_| Goal::default()).collect(),
            mutual: MutualWait::new(case),
        })
    }

    fn observe(&mut self, context: &CheckContext, event: &Event, output: &mut Output) {
        if let Some(mutual) = &mut self.mutual {
            mutual.observe(context, output);
        }
        if matches!(event, Event::Healed) {
            self.healed.get_or_insert(context.at);
        }
        let Some(healed) = self.healed else { return };
        let acquired = match *event {
            Event::Acquired { grant, .. } => Some(context.ledger.resource_of(grant)),
            // A lock without grants has no acquires: a successful read counts instead.
            Event::ReadOk { grant, .. } if !self.grants => Some(context.ledger.resource_of(grant)),
            _ => None,
        };
        for (resource, goal) in (0..).map(ResourceId).zip(&mut self.goals) {
            goal.observe(context, resource, acquired == Some(resource), healed, self.bound);
        }
    }

    fn open_until(&self) -> Option<SimTime> {
        let mutual = self.mutual.as_ref().and_then(MutualWait::open_until);
        let due = self.goals.iter().filter(|goal| goal.is_open()).filter_map(|goal| goal.due).max();
        due.max(mutual)
    }

    fn finish(mut self, context: &CheckContext, output: &mut Output) -> Verdict {
        let deadlocked = self.mutual.as_mut().is_some_and(|mutual| mutual.finish(context.at, output));
        let (Some(healed), false) = (self.healed, output.is_violated()) else { return Verdict::Unknown };
        let missed = self.goals.iter().filter(|goal| goal.is_missed_at(context.at)).min_by_key(|goal| goal.due);
        if let Some((goal, due)) = missed.and_then(|goal| Some((goal, goal.due?))) {
            let (obstacle, bound) = (goal.obstacle, in_seconds(self.bound));
            match obstacle {
                Some(Obstacle::LostWakeUp(_)) => output.tally.lost_wakeups += 1,
                Some(Obstacle::Orphaned(_)) => output.tally.stuck_locks += 1,
                Some(Obstacle::Held(_) | Obstacle::Idle) | None => {}
            }
            output.violated(due, obstacle.and_then(Obstacle::grant), move |names| {
                format!(
                    "all faults were healed at {healed} and a client wanted the lock, \
                     but by {due} no client had acquired it, although the lock's bound is {bound}{}",
                    clause(obstacle, names)
                )
            });
        }
        let open = deadlocked || self.goals.iter().any(|goal| goal.due.is_some() && goal.is_open());
        if open { Verdict::Unknown } else { Verdict::Holds }
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
            self.obstacle = self.due.map(|_| context.obstacles.obstacle_to(resource, &context.ledger));
        }
    }

    fn is_open(&self) -> bool {
        !self.reached && !self.missed
    }

    fn is_missed_at(&self, end: SimTime) -> bool {
        self.missed || !self.reached && self.due.is_some_and(|due| end >= due)
    }
}

/// Renders the obstacle as the end of a sentence.
fn clause(obstacle: Option<Obstacle>, names: &Names) -> String {
    match obstacle {
        Some(Obstacle::LostWakeUp(waiter)) => {
            format!("; lost wake-up: no client held it, and {} ({waiter}) was not notified", names.client(waiter))
        }
        Some(Obstacle::Orphaned(holder)) => {
            format!("; stuck lock: it was on record for {} ({holder}), which no longer held it", names.client(holder))
        }
        Some(Obstacle::Held(holder)) => format!("; {} ({holder}) held it and did not release it", names.client(holder)),
        Some(Obstacle::Idle) | None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const RULE: Property = Property::Progress;

    #[test]
    fn accepts_an_acquire_within_the_bound() {
        history().at(5).healed().requests(A, 1).at(15).acquired(A, 1).ends_at(15).assert_holds(RULE);
    }

    #[test]
    fn rejects_an_acquire_after_the_bound() {
        let findings = history().at(5).healed().requests(A, 1).at(16).acquired(A, 1).ends_at(16);
        findings.assert_violated(RULE);
        assert_eq!(
            findings.sentence(RULE),
            "all faults were healed at 5.000000 s and a client wanted the lock, \
             but by 15.000000 s no client had acquired it, although the lock's bound is 10.000000 s"
        );
    }

    #[test]
    fn one_acquire_is_enough() {
        let history = history().at(5).healed().requests(A, 1).requests(B, 2).at(6).acquired(A, 1);
        assert_eq!(history.open_until(), None);
        history.ends_at(99).assert_holds(RULE);
    }

    #[test]
    fn an_acquire_before_healing_does_not_count() {
        history().requests(A, 1).requests(B, 2).at(4).acquired(A, 1).at(5).healed().ends_at(15).assert_violated(RULE);
    }

    #[test]
    fn giving_up_does_not_meet_the_bound() {
        history().at(5).healed().requests(A, 1).at(6).fails(A, 1).ends_at(15).assert_violated(RULE);
    }

    #[test]
    fn is_unknown_before_the_bound_or_healing() {
        let history = history().at(5).healed().requests(A, 1);
        assert_eq!(history.open_until(), Some(SimTime(15_000_000_000)));
        history.ends_at(14).assert_unknown(RULE);
        crate::testing::history().requests(A, 1).ends_at(99).assert_unknown(RULE);
    }

    #[test]
    fn the_bound_starts_with_the_first_wait_after_healing() {
        history().at(5).healed().at(9).requests(A, 1).ends_at(18).assert_unknown(RULE);
        history().at(5).healed().at(9).requests(A, 1).ends_at(19).assert_violated(RULE);
    }

    #[test]
    fn for_a_wait_from_before_healing_the_bound_starts_at_healing() {
        history().requests(A, 1).at(5).healed().ends_at(14).assert_unknown(RULE);
        history().requests(A, 1).at(5).healed().ends_at(15).assert_violated(RULE);
    }

    #[test]
    fn holds_if_no_live_client_wants_the_lock() {
        history().requests(A, 1).at(4).crashes(A).at(5).healed().ends_at(99).assert_holds(RULE);
    }

    #[test]
    fn a_read_counts_as_an_acquire_without_grants() {
        let case = CaseSpec { grants: false, ..case_spec() };
        history_of(case).at(5).healed().requests(A, 1).at(6).read_ok(A, 1, 0).ends_at(99).assert_holds(RULE);
        let read = history().granted(A, 1).acquired(A, 1).requests(B, 2).at(5).healed().at(6).read_ok(A, 1, 0);
        read.ends_at(99).assert_violated(RULE);
    }

    /// A holds the lock at healing, and B waits for it in the service's queue.
    fn queued() -> History {
        history().granted(A, 1).acquired(A, 1).at(4).requests(B, 2).enqueued(2).at(5).healed()
    }

    fn obstacle_clause(findings: &crate::check::Findings) -> (String, [i64; 2]) {
        let sentence = findings.sentence(RULE);
        let cause = sentence.split_once("; ").map_or("", |(_, cause)| cause).to_owned();
        (cause, ["lost_wakeups", "stuck_locks"].map(|name| findings.metric(name)))
    }

    #[test]
    fn a_free_lock_with_a_waiter_in_the_queue_is_a_lost_wake_up() {
        let findings = queued().at(6).releases(A, 1).released(1, 1).ends_at(15);
        findings.assert_violated(RULE);
        let (cause, counts) = obstacle_clause(&findings);
        assert_eq!(cause, "lost wake-up: no client held it, and client-2 (grant 2) was not notified");
        assert_eq!(counts, [1, 0]);
    }

    #[test]
    fn a_grant_without_a_notification_is_a_lost_wake_up() {
        let findings = queued().at(6).releases(A, 1).released(1, 1).granted_later(2).ends_at(15);
        assert_eq!(obstacle_clause(&findings).1, [1, 0]);
        let notified = queued().at(6).releases(A, 1).released(1, 1).granted_later(2).acquired(B, 2).ends_at(15);
        notified.assert_holds(RULE);
        assert_eq!(notified.metric("lost_wakeups"), 0);
    }

    #[test]
    fn a_waiter_that_left_the_queue_is_not_a_lost_wake_up() {
        let free = || queued().requests(C, 3).at(6).releases(A, 1).released(1, 1);
        let idle = (String::new(), [0, 0]);
        assert_eq!(obstacle_clause(&free().withdrawn(2).ends_at(15)), idle);
        assert_eq!(obstacle_clause(&free().granted_later(2).expired(2).ends_at(15)), idle);
        let findings = free().enqueued(3).withdrawn(3).ends_at(15);
        assert_eq!((findings.named(RULE), obstacle_clause(&findings).1), ((vec![2], vec![B]), [1, 0]));
        let findings = free().enqueued(3).withdrawn(2).ends_at(15);
        assert_eq!((findings.named(RULE), obstacle_clause(&findings).1), ((vec![3], vec![C]), [1, 0]));
    }

    #[test]
    fn a_record_that_outlives_its_holder_is_a_stuck_lock() {
        let findings = queued().at(6).crashes(A).ends_at(15);
        let (cause, counts) = obstacle_clause(&findings);
        assert_eq!(
            cause,
            "stuck lock: it was on record for client-1 (grant 1, 1st in the grant order), which no longer held it"
        );
        assert_eq!(counts, [0, 1]);
        let expired = queued().at(6).crashes(A).at(9).expired(1).granted_later(2).acquired(B, 2).ends_at(15);
        expired.assert_holds(RULE);
        assert_eq!(expired.metric("stuck_locks"), 0);
    }

    #[test]
    fn a_holder_that_does_not_release_is_neither_stuck_nor_a_lost_wake_up() {
        let (cause, counts) = obstacle_clause(&queued().ends_at(15));
        assert_eq!(cause, "client-1 (grant 1, 1st in the grant order) held it and did not release it");
        assert_eq!(counts, [0, 0]);
    }

    #[test]
    fn events_after_the_bound_do_not_change_the_obstacle() {
        let findings = queued().at(6).crashes(A).at(16).expired(1).ends_at(16);
        assert_eq!(obstacle_clause(&findings).1, [0, 1]);
    }

    #[test]
    fn an_unresponsive_service_is_not_a_lost_wake_up() {
        let (cause, counts) = obstacle_clause(&history().at(5).healed().requests(A, 1).ends_at(15));
        assert_eq!((cause.as_str(), counts), ("", [0, 0]));
    }

    #[test]
    fn each_of_two_locks_must_be_acquired() {
        let history =
            || history_of(accounts()).at(5).healed().requests(A, 1).requests_second(B, 2).at(6).acquired(A, 1);
        history().ends_at(15).assert_violated(RULE);
        history().acquired(B, 2).ends_at(15).assert_holds(RULE);
    }
}
