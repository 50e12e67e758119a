//! `takeover`: after a holder's crash, a waiter that could acquire gets the lock within the lock's own bound.
//!
//! The bound starts at the latest of three times: the crash, the start of the wait, and the last time a fault began or
//! ended on the servers or on any waiter. The crash of a waiter is also such a fault, since that waiter may have been
//! first in the queue. Any grant of the same resource meets the bound. No bound runs while there is no waiter, or while
//! faults affect every waiter. If a client waited and the lock was not granted by the end of the case, the verdict is
//! unknown.

use std::time::Duration;

use fencepost_models::ResourceId;
use fencepost_models::history::{Event, GrantId};
use fencepost_sim::time::SimTime;

use crate::check::{CaseSpec, CheckContext, Checker, Output};
use crate::evidence::{GrantInfo, in_seconds};
use crate::property::Verdict;

pub(crate) struct Takeover {
    bound: Duration,
    /// For each resource.
    obligations: [Obligation; 2],
    /// Whether a client crashed while it held the lock.
    exercised: bool,
}

/// The obligation to grant one resource after a crash of its holder.
#[derive(Default)]
struct Obligation {
    crash: Option<Crash>,
    /// When the bound expires, unless a later event meets or restarts it.
    due: Option<SimTime>,
}

/// The crash of a holder that no grant has followed yet.
struct Crash {
    holder: GrantInfo,
    first: SimTime,
    last: SimTime,
    /// Whether there was a qualified waiter at any time.
    awaited: bool,
}

impl Checker for Takeover {
    fn new(case: &CaseSpec) -> Option<Self> {
        case.grants.then(|| Takeover { bound: case.takeover_bound, obligations: Default::default(), exercised: false })
    }

    fn observe(&mut self, context: &CheckContext, event: &Event, output: &mut Output) {
        self.check_bounds(|due| context.at > due, output);
        if let Event::ClientCrashed { client } = *event {
            context.ledger.records_of(client).for_each(|(grant, resource)| self.begin(context, grant, resource));
        }
        if let Some(grant) = context.ledger.new_grant() {
            self.end(context, context.ledger.resource_of(grant), output);
        }
        for (resource, obligation) in (0..).map(ResourceId).zip(&mut self.obligations) {
            obligation.due = None;
            if let Some(crash) = obligation.crash.as_mut().filter(|_| !output.is_violated())
                && let Some(since) = context.waiters.qualified_since(resource)
            {
                obligation.due = Some(since.max(crash.last) + self.bound);
                crash.awaited = true;
            }
        }
    }

    fn open_until(&self) -> Option<SimTime> {
        self.obligations.iter().filter_map(|obligation| obligation.due).max()
    }

    /// If waiters gave up or were affected by faults before the bound expired, it is unknown whether the lock could be
    /// acquired.
    fn finish(mut self, context: &CheckContext, output: &mut Output) -> Verdict {
        self.check_bounds(|due| context.at >= due, output);
        let awaited = self.obligations.iter().any(|o| o.crash.as_ref().is_some_and(|crash| crash.awaited));
        match (self.exercised, awaited) {
            (false, _) => Verdict::NotApplicable,
            (true, true) => Verdict::Unknown,
            (true, false) => Verdict::Holds,
        }
    }
}

impl Takeover {
    fn begin(&mut self, context: &CheckContext, grant: GrantId, resource: ResourceId) {
        self.exercised = true;
        let new = Crash { holder: context.grant(grant), first: context.at, last: context.at, awaited: false };
        self.obligations[usize::from(resource.0)].crash.get_or_insert(new).last = context.at;
    }

    fn end(&mut self, context: &CheckContext, resource: ResourceId, output: &mut Output) {
        let Some(crash) = self.obligations[usize::from(resource.0)].crash.take() else { return };
        // The takeover time starts at the first moment after the crash at which a client waited.
        let longest = context.waiters.longest_waiting_for(resource);
        let since = longest.map_or(context.at, |since| since.max(crash.first));
        output.tally.takeovers += 1;
        output.tally.takeover_ns = output.tally.takeover_ns.max((context.at.0 - since.0) as i64);
    }

    fn check_bounds(&mut self, passed: impl Fn(SimTime) -> bool, output: &mut Output) {
        for obligation in &mut self.obligations {
            let Some(due) = obligation.due.take_if(|due| passed(*due)) else { continue };
            let Some(Crash { holder, first, .. }) = obligation.crash else { continue };
            let bound = in_seconds(self.bound);
            output.violated(due, [holder], move |names| {
                format!(
                    "{} crashed at {first} while it held the lock ({holder}), \
                     and by {due} no waiter had acquired it, although no fault had affected one of them for {bound}",
                    names.client(holder)
                )
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const RULE: Property = Property::Takeover;

    /// A holds the lock and crashes at 1 s while B waits for it. The bound is 10 s.
    fn crashed() -> History {
        history().granted(A, 1).acquired(A, 1).requests(B, 2).at(1).crashes(A)
    }

    #[test]
    fn accepts_a_grant_within_the_bound() {
        let findings = crashed().at(11).expired(1).granted_later(2).ends_at(99);
        findings.assert_holds(RULE);
        assert_eq!(findings.metric("takeover_ns"), 10_000_000_000);
        assert_eq!(findings.metric("takeovers"), 1);
    }

    #[test]
    fn rejects_a_grant_after_the_bound() {
        let findings = crashed().at(11).after_ns(1).expired(1).granted_later(2).ends_at(99);
        findings.assert_violated(RULE);
        assert_eq!(findings.metric("takeover_ns"), 10_000_000_001);
        assert_eq!(
            findings.sentence(RULE),
            "client-1 crashed at 1.000000 s while it held the lock (grant 1, 1st in the grant order), \
             and by 11.000000 s no waiter had acquired it, although no fault had affected one of them for 10.000000 s"
        );
        assert_eq!(findings.named(RULE), (vec![1], vec![A]));
    }

    #[test]
    fn is_unknown_if_the_case_ends_before_the_bound() {
        crashed().ends_at(10).assert_unknown(RULE);
        crashed().ends_at(11).assert_violated(RULE);
        assert_eq!(crashed().open_until(), Some(SimTime(11_000_000_000)));
    }

    #[test]
    fn no_bound_runs_after_a_violation() {
        assert_eq!(crashed().at(11).starts(C, 1).open_until(), Some(SimTime(11_000_000_000)));
        assert_eq!(crashed().at(12).starts(C, 1).open_until(), None);
    }

    #[test]
    fn is_not_applicable_when_no_holder_crashed() {
        history().requests(A, 1).at(1).crashes(A).ends_at(99).assert_not_applicable(RULE);
        history().granted(A, 1).requests(B, 2).expired(1).at(1).crashes(A).ends_at(99).assert_not_applicable(RULE);
    }

    #[test]
    fn the_bound_starts_with_the_wait() {
        let late = || history().granted(A, 1).at(1).crashes(A).at(5).requests(B, 2);
        late().at(14).granted_later(2).ends_at(99).assert_holds(RULE);
        late().at(16).granted_later(2).ends_at(99).assert_violated(RULE);
    }

    #[test]
    fn holds_without_a_waiter() {
        history().granted(A, 1).at(1).crashes(A).ends_at(99).assert_holds(RULE);
    }

    #[test]
    fn a_waiter_also_waits_between_the_attempts_of_an_order() {
        let history = history().granted(A, 1).starts(B, 0).requests(B, 2).at(1).crashes(A);
        history.at(2).fails(B, 2).at(8).requests(B, 3).ends_at(11).assert_violated(RULE);
    }

    #[test]
    fn a_new_wait_restarts_the_bound() {
        let history = history().granted(A, 1).starts(B, 0).requests(B, 2).at(1).crashes(A);
        let history = history.at(7).fails(B, 2).abandons(B, 0).starts(B, 1).requests(B, 3);
        history.ends_at(16).assert_unknown(RULE);
    }

    #[test]
    fn consecutive_waiters_do_not_count_as_one_waiter() {
        let history = history().granted(A, 1).requests(B, 2).at(1).crashes(A).at(6).requests(C, 3);
        history.at(7).fails(B, 2).ends_at(15).assert_unknown(RULE);
    }

    #[test]
    fn the_bound_restarts_when_a_fault_begins_or_ends_on_servers_or_waiters() {
        for (clients, servers) in [(0, true), (0b10, false), (0b10, true)] {
            let faulted = || crashed().at(3).fault_begins(clients, servers).at(9).fault_ends(clients, servers);
            faulted().at(19).granted_later(2).ends_at(99).assert_holds(RULE);
            faulted().at(20).granted_later(2).ends_at(99).assert_violated(RULE);
            crashed().at(3).fault_begins(clients, servers).ends_at(99).assert_unknown(RULE);
        }
    }

    #[test]
    fn a_fault_from_before_the_crash_suspends_the_bound_until_it_ends() {
        let broken = || history().granted(A, 1).requests(B, 2).fault_begins(0, true).at(1).crashes(A);
        broken().ends_at(99).assert_holds(RULE);
        broken().at(20).fault_ends(0, true).ends_at(29).assert_unknown(RULE);
        broken().at(20).healed().ends_at(30).assert_violated(RULE);
    }

    #[test]
    fn faults_on_other_clients_do_not_restart_the_bound() {
        let history = crashed().at(3).fault_begins(0b101, false).at(9).fault_ends(0b101, false);
        history.at(12).granted_later(2).ends_at(99).assert_violated(RULE);
    }

    #[test]
    fn nested_faults_end_with_the_outer_one() {
        let history = crashed().at(2).fault_begins(0b10, false).at(3).fault_begins(0b10, false);
        history.at(4).fault_ends(0b10, false).ends_at(99).assert_unknown(RULE);
    }

    #[test]
    fn a_waiters_crash_restarts_the_bound_of_the_others() {
        let queue = || history().granted(A, 1).requests(B, 2).requests(C, 3).at(1).crashes(A).at(5).crashes(B);
        queue().at(14).granted_later(3).ends_at(99).assert_holds(RULE);
        queue().at(16).granted_later(3).ends_at(99).assert_violated(RULE);
    }
}
