//! `linearizable`: the operations on the lock, including expiries by the service, have a legal order.

use std::collections::BTreeMap;

use fencepost_models::ResourceId;
use fencepost_models::history::Event;

use crate::check::{CaseSpec, CheckContext, Checker, Output};
use crate::linearizable::{Decision, Entry, Stuck, check};
use crate::operations::{Action, End, LockOperation, Operations, Process};
use crate::property::Verdict;
use crate::spec::{Call, Operation, Owner, Session};

/// The maximum number of steps of the search.
const BUDGET: u64 = 200_000;

#[derive(Default)]
pub(crate) struct Linearizable {
    operations: Operations,
}

impl Checker for Linearizable {
    /// Only stores that agree by consensus promise linearizability.
    fn new(case: &CaseSpec) -> Option<Self> {
        (case.grants && case.consensus).then(Self::default)
    }

    fn observe(&mut self, context: &CheckContext, event: &Event, _output: &mut Output) {
        self.operations.observe(context.at, event);
    }

    fn finish(self, context: &CheckContext, output: &mut Output) -> Verdict {
        let mut locks: BTreeMap<ResourceId, (Vec<Entry>, Vec<LockOperation>)> = BTreeMap::new();
        for operation in self.operations.finish().into_iter().filter(|operation| operation.end != End::Fail) {
            let (entries, operations) = locks.entry(operation.resource).or_default();
            entries.push(entry(&operation));
            operations.push(operation);
        }
        let mut verdict = Verdict::Holds;
        for (entries, operations) in locks.values() {
            match check(Session::default(), entries, BUDGET).decision {
                Decision::Linearizable { .. } => {}
                Decision::Unknown => verdict = Verdict::Unknown,
                Decision::Stuck(stuck) => {
                    report(context, operations, &stuck, output);
                    break;
                }
            }
        }
        verdict
    }
}

/// Converts an operation for the search. Tokens are left out, since `fencing` checks them.
fn entry(operation: &LockOperation) -> Entry {
    let call = match operation.action {
        Action::Acquire { .. } => Call::Acquire { token: None, permits: 1 },
        Action::Release => Call::Release { token: None, permits: 1 },
        Action::Expire => Call::Expire,
    };
    let returned = operation.returned.filter(|_| operation.end == End::Ok).map(|moment| moment.number);
    let invoked = operation.invoked.number;
    Entry { operation: Operation { owner: owner(operation.process), call }, invoked, returned }
}

fn owner(process: Process) -> Owner {
    Owner(u32::from(process.client.0) + (process.crashes << u16::BITS))
}

/// Reports the operation that fits in no legal order, and the grant held at the end of the longest legal order.
fn report(context: &CheckContext, operations: &[LockOperation], stuck: &Stuck<Session>, output: &mut Output) {
    let LockOperation { action, grant, invoked, returned, .. } = operations[stuck.entry];
    let at = returned.unwrap_or(invoked).at;
    let grant = context.grant(grant);
    let latest_first = stuck.order.iter().rev().map(|entry| &operations[*entry]);
    let mut held = latest_first.filter(|operation| operation.action != Action::Release);
    let holder = stuck.state.holder().and_then(|holder| held.find(|operation| owner(operation.process) == holder));
    let holder = holder.map(|operation| context.grant(operation.grant));
    output.violated(at, [grant].into_iter().chain(holder), move |names| {
        let done = match action {
            Action::Acquire { .. } => "had acquired the lock",
            Action::Release => "had released the lock",
            Action::Expire => "had lost the lock",
        };
        let state = holder.map_or("no client holds it".to_owned(), |holder| {
            format!("{} ({holder}) holds it, and no operation ends its grant", names.client(holder))
        });
        format!("{} ({grant}) {done} by {at}, but no order of all operations allows that: {state}", names.client(grant))
    });
}

#[cfg(test)]
mod tests {
    use fencepost_models::history::Ack;

    use super::*;
    use crate::testing::*;

    const RULE: Property = Property::Linearizable;

    #[test]
    fn accepts_consecutive_holders() {
        let history = history().at(1).granted(A, 1).acquired(A, 1).requests(B, 2).releases(A, 1);
        let history = history.at(2).released(1, 1).granted_later(2).release_returns(A, 1, Ack::Ok).acquired(B, 2);
        history.ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn rejects_two_holders_at_once() {
        let findings =
            history().at(1).granted(A, 1).acquired(A, 1).at(2).requests(B, 2).at(3).acquired(B, 2).ends_at(9);
        findings.assert_violated(RULE);
        assert_eq!(
            findings.sentence(RULE),
            "client-2 (grant 2, 2nd in the grant order) had acquired the lock by 3.000000 s, but no order of all \
             operations allows that: client-1 (grant 1, 1st in the grant order) holds it, and no operation ends its grant"
        );
        assert_eq!(findings.named(RULE), (vec![1, 2], vec![A, B]));
    }

    #[test]
    fn accepts_a_late_reply_for_an_expired_grant() {
        let history = history().at(1).granted(A, 1).at(2).expired(1).granted(B, 2).acquired(B, 2);
        history.at(3).acquired(A, 1).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn rejects_an_acquire_while_another_client_holds_the_lock() {
        let history = history().at(1).granted(A, 1).acquired(A, 1).releases(A, 1).released(1, 1);
        let history = history.release_returns(A, 1, Ack::Ok).granted(B, 2).acquired(B, 2);
        history.at(2).requests(A, 3).acquired(A, 3).ends_at(9).assert_violated(RULE);
    }

    #[test]
    fn rejects_a_release_that_ends_the_grant_of_another_client() {
        let history = history().at(1).granted(A, 1).acquired(A, 1).expired(1).granted(B, 2).acquired(B, 2);
        let findings = history.releases(A, 1).released(2, 1).at(4).release_returns(A, 1, Ack::Ok).ends_at(9);
        findings.assert_violated(RULE);
        assert!(
            findings.sentence(RULE).starts_with("client-1 (grant 1, 1st in the grant order) had released the lock by")
        );
    }

    #[test]
    fn rejects_a_second_effective_release() {
        let history = history().at(1).granted(A, 1).acquired(A, 1).releases(A, 1).released(1, 1);
        let history = history.release_returns(A, 1, Ack::Ok).requests(A, 2).fails(A, 2).releases(A, 2).released(1, 2);
        let findings = history.release_returns(A, 2, Ack::Ok).ends_at(9);
        findings.assert_violated(RULE);
        assert!(findings.sentence(RULE).ends_with("allows that: no client holds it"));
    }

    #[test]
    fn accepts_a_release_that_is_late_or_has_no_effect() {
        let given_up = history().at(1).granted(A, 1).acquired(A, 1).releases(A, 1).release_returns(A, 1, Ack::Unknown);
        let late = given_up.requests(B, 2).at(2).released(1, 1).granted_later(2).acquired(B, 2);
        late.ends_at(9).assert_holds(RULE);
        let expired = history().at(1).granted(A, 1).acquired(A, 1).at(2).expired(1).granted(B, 2).acquired(B, 2);
        expired.releases(A, 1).release_returns(A, 1, Ack::Ok).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn accepts_a_second_acquire_by_the_holder() {
        let history = history().at(1).granted(A, 1).acquired(A, 1).releases(A, 1).release_returns(A, 1, Ack::Unknown);
        history.requests(A, 2).acquired(A, 2).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn a_crashed_client_restarts_as_a_new_owner() {
        let crashed = || history().at(1).granted(A, 1).acquired(A, 1).crashes(A).at(2).requests(A, 2);
        crashed().acquired(A, 2).ends_at(9).assert_violated(RULE);
        crashed().expired(1).granted_later(2).acquired(A, 2).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn is_not_applicable_without_consensus() {
        history_of(CaseSpec { consensus: false, ..case_spec() }).ends_at(1).assert_not_applicable(RULE);
        history_of(CaseSpec { grants: false, ..case_spec() }).ends_at(1).assert_not_applicable(RULE);
    }
}
