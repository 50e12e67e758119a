//! Obstacles: the reasons why a client that wants a lock does not get it.
//!
//! A wanted lock is *idle* if the service has no Record of it, or only Records whose clients have not been notified
//! yet. A lock is *orphaned* if all its Records belong to holders that are gone: they crashed, released, observed the
//! loss, or gave up before the grant. Otherwise the lock is held.

use fencepost_models::ResourceId;
use fencepost_models::history::{Event, GrantId};
use fencepost_sim::NodeId;
use fencepost_sim::time::SimTime;

use crate::check::CaseSpec;
use crate::evidence::GrantInfo;
use crate::ledger::{Ledger, RecordChange};
use crate::metrics::Tally;
use crate::waiters::Waiters;

/// The state of each resource, as far as it affects waiters.
pub(crate) struct Obstacles {
    /// Whether there is a service, which has Records.
    in_service: bool,
    resources: Vec<Usage>,
    /// Grants that clients believe they hold.
    beliefs: Vec<(GrantId, NodeId)>,
    /// Attempts in the queues of services.
    queue: Vec<GrantId>,
}

/// How long one resource has been idle or orphaned.
#[derive(Default)]
struct Usage {
    /// When the lock became idle although a client that no fault affects wants it.
    idle_since: Option<SimTime>,
    /// When the lock became orphaned although a client that no fault affects wants it.
    orphaned_since: Option<SimTime>,
}

/// The reason why a waiter does not get the lock.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Obstacle {
    /// The service has no Record and this waiter in its queue, or it has a Record for this waiter and did not notify
    /// it.
    LostWakeUp(GrantInfo),
    /// The service has no Record and an empty queue.
    Idle,
    /// The service has a Record of this grant, whose holder is gone.
    Orphaned(GrantInfo),
    /// A client holds the lock and believes that it does.
    Held(GrantInfo),
}

impl Obstacle {
    /// Returns the grant of the holder or waiter concerned.
    pub(crate) fn grant(self) -> Option<GrantInfo> {
        match self {
            Obstacle::LostWakeUp(grant) | Obstacle::Orphaned(grant) | Obstacle::Held(grant) => Some(grant),
            Obstacle::Idle => None,
        }
    }
}

impl Obstacles {
    pub(crate) fn new(case: &CaseSpec) -> Self {
        let resources = if case.two_resources() { 2 } else { 1 };
        Obstacles {
            in_service: case.grants && !case.rank_by_return,
            resources: (0..resources).map(|_| Usage::default()).collect(),
            beliefs: Vec::new(),
            queue: Vec::new(),
        }
    }

    pub(crate) fn observe(
        &mut self,
        at: SimTime,
        event: &Event,
        ledger: &Ledger,
        waiters: &Waiters,
        tally: &mut Tally,
    ) {
        match *event {
            Event::Acquired { client, grant, .. } => self.beliefs.push((grant, client)),
            Event::ReleaseInvoked { grant, .. } | Event::LossObserved { grant, .. } => {
                self.beliefs.retain(|(believed, _)| *believed != grant);
            }
            Event::ClientCrashed { client } => self.beliefs.retain(|(_, believer)| *believer != client),
            Event::Enqueued { grant, .. } => {
                self.leave_queue(grant);
                self.queue.push(grant);
            }
            Event::Granted { grant, .. } | Event::Withdrawn { grant, .. } => self.leave_queue(grant),
            Event::AcquireInvoked { .. }
            | Event::NotAcquired { .. }
            | Event::OrderResolved { .. }
            | Event::ClientDone { .. }
            | Event::FaultBegan { .. }
            | Event::FaultEnded { .. }
            | Event::Healed => {}
            _ if ledger.record_change() != RecordChange::Unchanged => {}
            _ => return,
        }
        if self.in_service {
            self.update(at, ledger, waiters, tally);
        }
    }

    /// Returns whether any client believes that it holds a lock.
    pub(crate) fn any_belief(&self) -> bool {
        !self.beliefs.is_empty()
    }

    /// Returns the reason why clients that want this resource do not get it.
    pub(crate) fn obstacle_to(&self, resource: ResourceId, ledger: &Ledger) -> Obstacle {
        let records = || ledger.records_on(resource);
        if let Some(held) = records().find(|record| self.is_believed(record)) {
            return Obstacle::Held(ledger.info(held.grant));
        }
        if let Some(unnotified) = records().find(|record| record.pending) {
            return Obstacle::LostWakeUp(ledger.info(unnotified.grant));
        }
        if let Some(orphan) = records().next() {
            return Obstacle::Orphaned(ledger.info(orphan.grant));
        }
        match self.queue.iter().find(|waiter| ledger.resource_of(**waiter) == resource) {
            Some(waiter) => Obstacle::LostWakeUp(ledger.info(*waiter)),
            None => Obstacle::Idle,
        }
    }

    pub(crate) fn finish(&mut self, at: SimTime, tally: &mut Tally) {
        for usage in &mut self.resources {
            end_period(&mut usage.idle_since, at, &mut tally.idle_ns_max);
            end_period(&mut usage.orphaned_since, at, &mut tally.orphaned_ns_max);
        }
    }

    fn update(&mut self, at: SimTime, ledger: &Ledger, waiters: &Waiters, tally: &mut Tally) {
        for number in 0..self.resources.len() {
            let resource = ResourceId(number as u8);
            let [idle, orphaned] = self.idle_and_orphaned(resource, ledger, waiters);
            let usage = &mut self.resources[number];
            track_period(idle, at, &mut usage.idle_since, &mut tally.idle_ns_max);
            track_period(orphaned, at, &mut usage.orphaned_since, &mut tally.orphaned_ns_max);
        }
    }

    /// Returns whether the resource is wanted and idle, and whether it is wanted and orphaned.
    fn idle_and_orphaned(&self, resource: ResourceId, ledger: &Ledger, waiters: &Waiters) -> [bool; 2] {
        if !waiters.is_wanted(resource) {
            return [false; 2];
        }
        let [mut free, mut unnotified] = [true, false];
        for record in ledger.records_on(resource) {
            free = false;
            if self.is_believed(&record) {
                return [false; 2];
            }
            if record.pending {
                // A paused waiter cannot be notified.
                if ledger.info(record.grant).client.is_some_and(|client| waiters.is_affected(client)) {
                    return [false; 2];
                }
                unnotified = true;
            }
        }
        [free || unnotified, !free && !unnotified]
    }

    fn is_believed(&self, record: &Record) -> bool {
        self.beliefs.iter().any(|(believed, _)| *believed == record.grant)
    }

    fn leave_queue(&mut self, grant: GrantId) {
        if let Some(index) = self.queue.iter().position(|waiter| *waiter == grant) {
            self.queue.remove(index);
        }
    }
}

/// A grant on record.
pub(crate) struct Record {
    pub(crate) grant: GrantId,
    /// Whether the acquire has not returned yet.
    pub(crate) pending: bool,
}

fn track_period(is_active: bool, at: SimTime, since: &mut Option<SimTime>, longest: &mut i64) {
    if is_active {
        since.get_or_insert(at);
    } else {
        end_period(since, at, longest);
    }
}

fn end_period(since: &mut Option<SimTime>, at: SimTime, longest: &mut i64) {
    if let Some(since) = since.take() {
        *longest = (*longest).max((at.0 - since.0) as i64);
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::*;

    const SECOND: i64 = 1_000_000_000;

    fn idle_and_orphaned(history: History, end: u64) -> [i64; 2] {
        let findings = history.ends_at(end);
        ["idle_ns_max", "orphaned_ns_max"].map(|name| findings.metric(name) / SECOND)
    }

    /// A holds the lock from 1 s on, and B waits from 2 s on.
    fn held() -> History {
        history().at(1).granted(A, 1).acquired(A, 1).at(2).starts(B, 1).requests(B, 2)
    }

    #[test]
    fn a_held_lock_is_neither_idle_nor_orphaned() {
        assert_eq!(idle_and_orphaned(held(), 9), [0, 0]);
    }

    #[test]
    fn a_free_lock_without_waiters_is_not_idle() {
        assert_eq!(idle_and_orphaned(history().at(1).starts(A, 0), 9), [0, 0]);
    }

    #[test]
    fn a_free_lock_with_a_waiter_is_idle_until_it_is_granted() {
        let history = held().at(4).releases(A, 1).released(1, 1);
        assert_eq!(idle_and_orphaned(history, 9), [5, 0]);
        let history = held().at(4).releases(A, 1).released(1, 1).at(7).granted_later(2).acquired(B, 2);
        assert_eq!(idle_and_orphaned(history, 9), [3, 0]);
    }

    #[test]
    fn a_record_whose_holder_is_gone_is_orphaned_until_it_ends() {
        assert_eq!(
            idle_and_orphaned(held().at(3).crashes(A).at(8).expired(1).granted_later(2).acquired(B, 2), 9),
            [0, 5]
        );
        assert_eq!(idle_and_orphaned(held().at(3).releases(A, 1), 9), [0, 6]);
        assert_eq!(idle_and_orphaned(held().at(3).loses(A, 1), 9), [0, 6]);
    }

    #[test]
    fn a_grant_whose_client_gave_up_is_orphaned() {
        let history = history().requests(A, 1).at(4).gives_up(A, 1).granted_later(1).requests(B, 2);
        assert_eq!(idle_and_orphaned(history, 9), [4, 5]);
    }

    #[test]
    fn a_lock_whose_new_holder_was_not_notified_is_idle() {
        let history = held().at(4).releases(A, 1).released(1, 1).granted_later(2);
        assert_eq!(idle_and_orphaned(history.at(6).acquired(B, 2), 9), [2, 0]);
    }

    #[test]
    fn a_client_affected_by_a_fault_does_not_count_as_a_waiter() {
        let history = held().at(3).fault_begins(0b010, false).releases(A, 1).released(1, 1);
        assert_eq!(
            idle_and_orphaned(history.at(8).fault_ends(0b010, false).granted_later(2).acquired(B, 2), 9),
            [0, 0]
        );
    }

    #[test]
    fn each_of_two_locks_is_measured_separately() {
        let history = history_of(accounts()).granted(A, 1).acquired(A, 1).starts(B, 1).at(2).requests_second(B, 2);
        assert_eq!(idle_and_orphaned(history, 9), [7, 0]);
        let history = history_of(accounts()).granted(A, 1).acquired(A, 1).starts(B, 1).at(2).requests(B, 2);
        assert_eq!(idle_and_orphaned(history, 9), [0, 0]);
    }
}
