//! `takeover`: after a holder's crash, a waiter that could acquire gets the lock within the lock's own bound.
//!
//! The bound counts from the crash, from the moment the waiter began to wait, and from the last fault that began or
//! ended on the servers or on any waiter (a waiter's crash is such a fault too: it may have been first in line),
//! whichever comes last. Any grant of the same resource discharges the obligation. While every waiter is hindered by a
//! fault, or nobody waits, no bound runs; where somebody waited and no grant has come by the end of the case, nobody knows.

use std::fmt;
use std::time::Duration;

use fencepost_models::ResourceId;
use fencepost_models::history::{Event, GrantId};
use fencepost_sim::time::SimTime;

use crate::check::{CaseSpec, CheckContext, Checker, Finding};
use crate::evidence::{Detail, Evidence, NodeNames, Party, length};
use crate::metrics::Tally;
use crate::property::{Property, Verdict};

pub(crate) fn build(facts: &CaseSpec) -> Option<Takeover> {
    facts.grants.then(|| Takeover {
        bound: facts.takeover_bound,
        debts: Default::default(),
        exercised: false,
        first: None,
    })
}

pub(crate) struct Takeover {
    bound: Duration,
    /// For each resource.
    debts: [Debt; 2],
    /// A client crashed while it held the lock.
    exercised: bool,
    first: Option<Evidence>,
}

/// What is owed to those who wait for one resource.
#[derive(Default)]
struct Debt {
    owed: Option<Owed>,
    /// When the bound passes, if nothing more happens.
    due: Option<SimTime>,
}

/// A holder crashed, and no grant has come since.
struct Owed {
    holder: Party,
    crashed: SimTime,
    last_crash: SimTime,
    /// A qualified waiter was there at some time.
    awaited: bool,
}

/// No waiter got the lock of a crashed holder in time.
#[derive(Debug)]
struct NotTakenOver {
    holder: Party,
    crashed: SimTime,
    bound: Duration,
    due: SimTime,
}

impl Checker for Takeover {
    fn observe(&mut self, context: &CheckContext, event: &Event, tally: &mut Tally) {
        self.violate_if(|due| context.at > due);
        if let Event::ClientCrashed { client } = *event {
            context.ledger.records_of(client).for_each(|(grant, resource)| self.owe(context, grant, resource));
        }
        if let Some(grant) = context.ledger.came() {
            self.discharge(context, context.ledger.resource_of(grant), tally);
        }
        for (resource, debt) in (0..).map(ResourceId).zip(&mut self.debts) {
            debt.due = None;
            if let Some(owed) = debt.owed.as_mut().filter(|_| self.first.is_none())
                && let Some(since) = context.waiters.qualified_since(resource)
            {
                debt.due = Some(since.max(owed.last_crash) + self.bound);
                owed.awaited = true;
            }
        }
    }

    fn open_until(&self) -> Option<SimTime> {
        self.debts.iter().filter_map(|debt| debt.due).max()
    }

    fn finish(mut self, context: &CheckContext, _tally: &mut Tally) -> Finding {
        self.violate_if(|due| context.at >= due);
        // Waiters that gave up, or were hindered, before the bound passed have not shown that the lock can be had.
        let unknown = self.debts.iter().any(|debt| debt.owed.as_ref().is_some_and(|owed| owed.awaited));
        match (&self.first, self.exercised) {
            (Some(_), _) => Finding::from_first(self.first),
            (None, false) => Finding::bare(Verdict::NotApplicable),
            (None, true) if unknown => Finding::bare(Verdict::Unknown),
            (None, true) => Finding::bare(Verdict::Holds),
        }
    }
}

impl Takeover {
    fn owe(&mut self, context: &CheckContext, grant: GrantId, resource: ResourceId) {
        self.exercised = true;
        let holder = context.ledger.party(grant);
        let new = Owed { holder, crashed: context.at, last_crash: context.at, awaited: false };
        self.debts[usize::from(resource.0)].owed.get_or_insert(new).last_crash = context.at;
    }

    fn discharge(&mut self, context: &CheckContext, resource: ResourceId, tally: &mut Tally) {
        let Some(owed) = self.debts[usize::from(resource.0)].owed.take() else { return };
        // Nobody misses a lock that nobody waits for.
        let longest = context.waiters.longest_waiting_for(resource);
        let missed_since = longest.map_or(context.at, |since| since.max(owed.crashed));
        tally.takeovers += 1;
        tally.takeover_ns = tally.takeover_ns.max((context.at.0 - missed_since.0) as i64);
    }

    fn violate_if(&mut self, passed: impl Fn(SimTime) -> bool) {
        for debt in &mut self.debts {
            let Some(due) = debt.due.take_if(|due| passed(*due)) else { continue };
            let Some(owed) = &debt.owed else { continue };
            let detail = NotTakenOver { holder: owed.holder, crashed: owed.crashed, bound: self.bound, due };
            self.first.get_or_insert_with(|| Evidence::new(Property::Takeover, due, detail));
        }
    }
}

impl Detail for NotTakenOver {
    fn tell(&self, f: &mut fmt::Formatter<'_>, names: &dyn NodeNames) -> fmt::Result {
        let NotTakenOver { holder, crashed, bound, due } = self;
        write!(f, "{} crashed at {crashed} as the holder ({holder}), ", holder.who(names))?;
        write!(f, "and by {due} no waiter had got the lock, although nothing hindered one for {}", length(*bound))
    }

    fn parties(&self) -> Vec<Party> {
        vec![self.holder]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const RULE: Property = Property::Takeover;

    /// Client A crashes at 1 s as the holder, while B waits since then. The bound is 10 s.
    fn crashed() -> History {
        history().granted(A, 1).acquired(A, 1).asks(B, 2).at(1).crashes(A)
    }

    #[test]
    fn accepts_a_grant_within_the_bound() {
        let findings = crashed().at(11).expired(1).granted_unasked(2).ends_at(99);
        findings.assert_holds(RULE);
        assert_eq!(findings.metric("takeover_ns"), 10_000_000_000);
        assert_eq!(findings.metric("takeovers"), 1);
    }

    #[test]
    fn rejects_a_grant_after_the_bound() {
        let findings = crashed().at(11).after_ns(1).expired(1).granted_unasked(2).ends_at(99);
        findings.assert_violated(RULE);
        assert_eq!(findings.metric("takeover_ns"), 10_000_000_001);
        assert_eq!(
            findings.told(RULE),
            "client-1 crashed at 1.000000 s as the holder (grant 1, 1st in the grant order), \
             and by 11.000000 s no waiter had got the lock, although nothing hindered one for 10.000000 s"
        );
        assert_eq!(findings.named(RULE), (vec![1], vec![A]));
    }

    #[test]
    fn does_not_know_when_the_case_ends_before_the_bound() {
        crashed().ends_at(10).assert_unknown(RULE);
        crashed().ends_at(11).assert_violated(RULE);
        assert_eq!(crashed().open_until(), Some(SimTime(11_000_000_000)));
    }

    #[test]
    fn is_not_applicable_when_no_holder_crashed() {
        history().asks(A, 1).at(1).crashes(A).ends_at(99).assert_not_applicable(RULE);
        history().granted(A, 1).asks(B, 2).expired(1).at(1).crashes(A).ends_at(99).assert_not_applicable(RULE);
    }

    #[test]
    fn counts_from_the_moment_the_waiter_began_to_wait() {
        let late = || history().granted(A, 1).at(1).crashes(A).at(5).asks(B, 2);
        late().at(14).granted_unasked(2).ends_at(99).assert_holds(RULE);
        late().at(16).granted_unasked(2).ends_at(99).assert_violated(RULE);
    }

    #[test]
    fn owes_nothing_to_nobody() {
        history().granted(A, 1).at(1).crashes(A).ends_at(99).assert_holds(RULE);
    }

    #[test]
    fn a_waiter_waits_between_the_attempts_of_an_order_too() {
        let history = history().granted(A, 1).starts(B, 0).asks(B, 2).at(1).crashes(A);
        history.at(2).fails(B, 2).at(8).asks(B, 3).ends_at(11).assert_violated(RULE);
    }

    #[test]
    fn a_new_wait_counts_anew() {
        let history = history().granted(A, 1).starts(B, 0).asks(B, 2).at(1).crashes(A);
        let history = history.at(7).fails(B, 2).abandons(B, 0).starts(B, 1).asks(B, 3);
        history.ends_at(16).assert_unknown(RULE);
    }

    #[test]
    fn one_waiter_after_another_is_not_one_that_waits_throughout() {
        let history = history().granted(A, 1).asks(B, 2).at(1).crashes(A).at(6).asks(C, 3);
        history.at(7).fails(B, 2).ends_at(15).assert_unknown(RULE);
    }

    #[test]
    fn the_bound_restarts_when_a_fault_begins_or_ends_on_servers_or_waiters() {
        for (clients, servers) in [(0, true), (0b10, false), (0b10, true)] {
            let faulted = || crashed().at(3).fault_begins(clients, servers).at(9).fault_ends(clients, servers);
            faulted().at(19).granted_unasked(2).ends_at(99).assert_holds(RULE);
            faulted().at(20).granted_unasked(2).ends_at(99).assert_violated(RULE);
            crashed().at(3).fault_begins(clients, servers).ends_at(99).assert_unknown(RULE);
        }
    }

    #[test]
    fn a_fault_from_before_the_crash_excuses_until_it_ends() {
        let broken = || history().granted(A, 1).asks(B, 2).fault_begins(0, true).at(1).crashes(A);
        broken().ends_at(99).assert_holds(RULE);
        broken().at(20).fault_ends(0, true).ends_at(29).assert_unknown(RULE);
        broken().at(20).healed().ends_at(30).assert_violated(RULE);
    }

    #[test]
    fn the_bound_does_not_restart_for_faults_on_others() {
        let history = crashed().at(3).fault_begins(0b101, false).at(9).fault_ends(0b101, false);
        history.at(12).granted_unasked(2).ends_at(99).assert_violated(RULE);
    }

    #[test]
    fn a_fault_within_a_fault_ends_with_the_outer_one() {
        let history = crashed().at(2).fault_begins(0b10, false).at(3).fault_begins(0b10, false);
        history.at(4).fault_ends(0b10, false).ends_at(99).assert_unknown(RULE);
    }

    #[test]
    fn a_waiters_crash_restarts_the_bound_of_the_others() {
        let queue = || history().granted(A, 1).asks(B, 2).asks(C, 3).at(1).crashes(A).at(5).crashes(B);
        queue().at(14).granted_unasked(3).ends_at(99).assert_holds(RULE);
        queue().at(16).granted_unasked(3).ends_at(99).assert_violated(RULE);
    }
}
