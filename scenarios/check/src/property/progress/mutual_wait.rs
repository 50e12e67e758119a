//! Deadlocks of two clients, each of which holds the lock on one resource and waits for the other. The Records of the
//! services decide which client holds a lock, so an expiry ends the deadlock.

use std::time::Duration;

use fencepost_models::ResourceId;
use fencepost_sim::time::SimTime;

use crate::check::{CaseSpec, CheckContext, Output};
use crate::evidence::{GrantInfo, in_seconds};

const BOTH: [ResourceId; 2] = [ResourceId(0), ResourceId(1)];

/// The current deadlock, and the bound on its length.
pub(super) struct MutualWait {
    bound: Duration,
    deadlock: Option<Deadlock>,
    /// When the bound expires. `None` while a fault affects either client.
    due: Option<SimTime>,
}

#[derive(Clone, Copy)]
struct Deadlock {
    holders: [GrantInfo; 2],
    since: SimTime,
}

impl MutualWait {
    pub(super) fn new(case: &CaseSpec) -> Option<Self> {
        case.two_resources().then_some(MutualWait { bound: case.deadlock_bound, deadlock: None, due: None })
    }

    pub(super) fn observe(&mut self, context: &CheckContext, output: &mut Output) {
        self.check_bound(|due| context.at > due, output);
        let holders = deadlocked(context);
        let same = |deadlock: &Deadlock| {
            holders.is_some_and(|holders| holders.map(|h| h.grant) == deadlock.holders.map(|h| h.grant))
        };
        if !self.deadlock.as_ref().is_some_and(same) {
            self.end(context.at, output);
            self.deadlock = holders.map(|holders| Deadlock { holders, since: context.at });
            output.tally.deadlocks += i64::from(self.deadlock.is_some());
        }
        self.due = self
            .deadlock
            .filter(|deadlock| !output.is_violated() && !is_affected(context, deadlock))
            .map(|deadlock| deadlock.since.max(context.waiters.calm_since()) + self.bound);
    }

    pub(super) fn open_until(&self) -> Option<SimTime> {
        self.due
    }

    /// Returns whether two clients wait for each other at the end of the case.
    pub(super) fn finish(&mut self, at: SimTime, output: &mut Output) -> bool {
        self.check_bound(|due| at >= due, output);
        let open = self.deadlock.is_some();
        self.end(at, output);
        open
    }

    fn end(&mut self, at: SimTime, output: &mut Output) {
        if let Some(deadlock) = self.deadlock.take() {
            let longest = &mut output.tally.deadlock_longest_ns;
            *longest = (*longest).max((at.0 - deadlock.since.0) as i64);
        }
    }

    fn check_bound(&mut self, passed: impl Fn(SimTime) -> bool, output: &mut Output) {
        let Some(due) = self.due.filter(|due| passed(*due)) else { return };
        let Some(Deadlock { holders, since }) = self.deadlock else { return };
        let bound = in_seconds(self.bound);
        output.violated(due, holders, move |names| {
            let ([a, b], [first, second]) = (holders.map(|holder| names.client(holder)), holders);
            format!(
                "from {since}, {a} ({first}) and {b} ({second}) each waited for the lock that the other held, \
                 and still did at {due}, although no fault had affected them for {bound}"
            )
        });
    }
}

/// Returns the two holders if each waits for the lock of the other.
fn deadlocked(context: &CheckContext) -> Option<[GrantInfo; 2]> {
    let [first, second] = BOTH.map(|resource| context.ledger.record_on(resource));
    let (first, second) = (first?, second?);
    let (a, b) = (first.client?, second.client?);
    let waits =
        a != b && context.waiters.waits_for(a, BOTH[1]).is_some() && context.waiters.waits_for(b, BOTH[0]).is_some();
    waits.then_some([first, second])
}

fn is_affected(context: &CheckContext, deadlock: &Deadlock) -> bool {
    deadlock.holders.iter().filter_map(|holder| holder.client).any(|client| context.waiters.is_affected(client))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// A holds the first lock and B the second. From 2 s on, each waits for the other's lock.
    fn deadlock() -> History {
        let history = history_of(accounts()).starts(A, 0).starts(B, 1).granted(A, 1).acquired(A, 1);
        history.granted_second(B, 2).acquired(B, 2).at(1).requests_second(A, 3).at(2).requests(B, 4)
    }

    #[test]
    fn rejects_a_deadlock_beyond_the_bound() {
        let findings = deadlock().ends_at(12);
        findings.assert_violated(Property::Progress);
        assert_eq!(findings.metric("deadlocks"), 1);
        assert_eq!(findings.metric("deadlock_longest_ns"), 10_000_000_000);
        assert_eq!(
            findings.sentence(Property::Progress),
            "from 2.000000 s, client-1 (grant 1, 1st in the grant order) and client-2 (grant 2, 2nd in the grant order) \
             each waited for the lock that the other held, and still did at 12.000000 s, although no fault had affected \
             them for 10.000000 s"
        );
        assert_eq!(findings.named(Property::Progress), (vec![1, 2], vec![A, B]));
    }

    #[test]
    fn accepts_a_deadlock_that_an_expiry_or_a_timeout_ends() {
        let findings =
            deadlock().at(11).expired(1).granted_later(4).acquired(B, 4).at(20).healed().acquired(A, 3).ends_at(20);
        findings.assert_holds(Property::Progress);
        assert_eq!(findings.metric("deadlock_longest_ns"), 9_000_000_000);
        let history = deadlock().at(11).fails(B, 4).abandons(B, 1).releases(B, 2).released(2, 2);
        history.granted_later(3).acquired(A, 3).at(20).healed().ends_at(20).assert_holds(Property::Progress);
    }

    #[test]
    fn a_fault_on_one_of_the_clients_excuses_a_deadlock() {
        let history = deadlock().at(3).fault_begins(0b01, false).at(9).fault_ends(0b01, false);
        history
            .at(18)
            .expired(1)
            .granted_later(4)
            .acquired(B, 4)
            .at(20)
            .healed()
            .acquired(A, 3)
            .ends_at(20)
            .assert_holds(Property::Progress);
    }

    #[test]
    fn an_expiry_exactly_at_the_bound_is_in_time() {
        let ended = |history: History| {
            let history = history.expired(1).granted_later(4).acquired(B, 4).at(20).healed();
            history.acquired(A, 3).ends_at(20)
        };
        ended(deadlock().at(12)).assert_holds(Property::Progress);
        ended(deadlock().at(12).after_ns(1)).assert_violated(Property::Progress);
        assert_eq!(deadlock().open_until(), Some(SimTime(12_000_000_000)));
    }

    #[test]
    fn other_events_do_not_restart_a_deadlock() {
        let findings = deadlock().at(7).starts(C, 2).requests(C, 5).ends_at(12);
        findings.assert_violated(Property::Progress);
        assert_eq!(findings.metric("deadlocks"), 1);
    }

    #[test]
    fn a_deadlock_of_other_grants_is_a_new_deadlock() {
        let again = deadlock().at(7).expired(1).granted_later(4).acquired(B, 4);
        let again = again.releases(B, 4).released(4, 4).releases(B, 2).released(2, 2);
        let again = again.fails(A, 3).abandons(A, 0).starts(A, 2).granted(A, 6).granted_second(B, 7);
        let findings = again.requests_second(A, 8).starts(B, 3).requests(B, 9).healed().ends_at(16);
        findings.assert_unknown(Property::Progress);
        assert_eq!(findings.metric("deadlocks"), 2);
    }

    #[test]
    fn is_unknown_while_a_fault_is_on_one_of_the_clients() {
        for clients in [0b01, 0b10] {
            deadlock().at(3).fault_begins(clients, false).ends_at(99).assert_unknown(Property::Progress);
        }
        deadlock().at(3).fault_begins(0b100, false).ends_at(99).assert_violated(Property::Progress);
    }

    #[test]
    fn accepts_a_holder_that_waits_for_an_active_holder() {
        let history = history_of(accounts()).granted(A, 1).granted_second(B, 2).acquired(A, 1).acquired(B, 2);
        let findings = history.requests_second(A, 3).at(50).releases(B, 2).healed().ends_at(50);
        assert_eq!(findings.metric("deadlocks"), 0);
    }
}
