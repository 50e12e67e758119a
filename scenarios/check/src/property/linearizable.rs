//! `linearizable`: the operations on the lock, with the service's own expiries, have a legal order.

use std::collections::BTreeMap;
use std::fmt;

use fencepost_models::ResourceId;
use fencepost_models::history::Event;
use fencepost_sim::time::SimTime;

use crate::check::{CaseSpec, CheckContext, Checker, Finding};
use crate::evidence::{Detail, Evidence, NodeNames, Party};
use crate::linearizable::{Entry, Judgement, Stuck, check};
use crate::metrics::Tally;
use crate::operations::{End, Made, Operations, Process, What};
use crate::property::{Property, Verdict};
use crate::spec::{Call, Operation, Owner, Session};

/// Only stores that agree by consensus promise it.
pub(crate) fn build(facts: &CaseSpec) -> Option<Linearizable> {
    (facts.grants && facts.consensus).then(Linearizable::default)
}

/// More steps of the specification than this are not tried.
const BUDGET: u64 = 200_000;

#[derive(Default)]
pub(crate) struct Linearizable {
    operations: Operations,
}

/// An operation that was done, and for which there is no place in any order.
#[derive(Debug)]
struct NoPlace {
    what: What,
    of: Party,
    at: SimTime,
    /// Whose grant is held where the longest order ends.
    holder: Option<Party>,
}

impl Checker for Linearizable {
    fn observe(&mut self, context: &CheckContext, event: &Event, _tally: &mut Tally) {
        self.operations.observe(context.at, event);
    }

    fn finish(self, context: &CheckContext, _tally: &mut Tally) -> Finding {
        let mut locks: BTreeMap<ResourceId, (Vec<Entry>, Vec<Made>)> = BTreeMap::new();
        for made in self.operations.finish().into_iter().filter(|made| made.end != End::Fail) {
            let (entries, of_lock) = locks.entry(made.resource).or_default();
            entries.push(entry(&made));
            of_lock.push(made);
        }
        let mut verdict = Verdict::Holds;
        for (entries, made) in locks.values() {
            match check(Session::default(), entries, BUDGET).judgement {
                Judgement::Linearizable { .. } => {}
                Judgement::Unknown => verdict = Verdict::Unknown,
                Judgement::Stuck(stuck) => return Finding::from_first(Some(evidence(context, made, &stuck))),
            }
        }
        Finding::bare(verdict)
    }
}

/// A release of nothing has no effect, and an acquire's token is the business of `fencing`.
fn entry(made: &Made) -> Entry {
    let call = match made.what {
        What::Acquire { .. } => Call::Acquire { token: None, permits: 1 },
        What::Release => Call::Release { token: None, permits: 1 },
        What::Expire => Call::Expire,
    };
    let returned = made.ended.filter(|_| made.end == End::Ok).map(|moment| moment.number);
    Entry { operation: Operation { owner: owner(made.process), call }, invoked: made.begun.number, returned }
}

fn owner(process: Process) -> Owner {
    Owner(u32::from(process.client.0) + (process.crashes << u16::BITS))
}

fn evidence(context: &CheckContext, made: &[Made], stuck: &Stuck<Session>) -> Evidence {
    let Made { what, grant, begun, ended, .. } = made[stuck.entry];
    let at = ended.unwrap_or(begun).at;
    let acquires = stuck.order.iter().rev().map(|entry| &made[*entry]).filter(|made| made.what != What::Release);
    let holder =
        stuck.state.holder().and_then(|holder| acquires.into_iter().find(|made| owner(made.process) == holder));
    let holder = holder.map(|made| context.ledger.party(made.grant));
    Evidence::new(Property::Linearizable, at, NoPlace { what, of: context.ledger.party(grant), at, holder })
}

impl Detail for NoPlace {
    fn tell(&self, f: &mut fmt::Formatter<'_>, names: &dyn NodeNames) -> fmt::Result {
        let NoPlace { what, of, at, holder } = self;
        let done = match what {
            What::Acquire { .. } => "had acquired the lock",
            What::Release => "had released the lock",
            What::Expire => "had lost the lock",
        };
        write!(
            f,
            "{} ({of}) {done} by {at}, and no order of what clients and service did allows that: ",
            of.who(names)
        )?;
        match holder {
            Some(holder) => write!(f, "{} ({holder}) has it and nothing ends that", holder.who(names)),
            None => write!(f, "nobody has it"),
        }
    }

    fn parties(&self) -> Vec<Party> {
        [self.of].into_iter().chain(self.holder).collect()
    }
}

#[cfg(test)]
mod tests {
    use fencepost_models::history::Ack;

    use super::*;
    use crate::testing::*;

    const RULE: Property = Property::Linearizable;

    #[test]
    fn accepts_one_holder_after_another() {
        let history = history().at(1).granted(A, 1).acquired(A, 1).asks(B, 2).releases(A, 1);
        let history = history.at(2).released(1, 1).granted_unasked(2).release_returns(A, 1, Ack::Ok).acquired(B, 2);
        history.ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn rejects_a_client_that_has_the_lock_while_another_has_it() {
        let findings = history().at(1).granted(A, 1).acquired(A, 1).at(2).asks(B, 2).at(3).acquired(B, 2).ends_at(9);
        findings.assert_violated(RULE);
        assert_eq!(
            findings.told(RULE),
            "client-2 (grant 2, 2nd in the grant order) had acquired the lock by 3.000000 s, and no order of what \
             clients and service did allows that: client-1 (grant 1, 1st in the grant order) has it and nothing ends that"
        );
        assert_eq!(findings.named(RULE), (vec![1, 2], vec![A, B]));
    }

    #[test]
    fn accepts_a_client_that_learns_late_what_it_had() {
        let history = history().at(1).granted(A, 1).at(2).expired(1).granted(B, 2).acquired(B, 2);
        history.at(3).acquired(A, 1).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn rejects_a_client_that_has_what_ended_before_it_asked() {
        let history = history().at(1).granted(A, 1).acquired(A, 1).releases(A, 1).released(1, 1);
        let history = history.release_returns(A, 1, Ack::Ok).granted(B, 2).acquired(B, 2);
        history.at(2).asks(A, 3).acquired(A, 3).ends_at(9).assert_violated(RULE);
    }

    #[test]
    fn rejects_a_release_of_what_another_has() {
        let history = history().at(1).granted(A, 1).acquired(A, 1).expired(1).granted(B, 2).acquired(B, 2);
        let findings = history.releases(A, 1).released(2, 1).at(4).release_returns(A, 1, Ack::Ok).ends_at(9);
        findings.assert_violated(RULE);
        assert!(findings.told(RULE).starts_with("client-1 (grant 1, 1st in the grant order) had released the lock by"));
    }

    #[test]
    fn rejects_a_second_release_that_ended_something() {
        let history = history().at(1).granted(A, 1).acquired(A, 1).releases(A, 1).released(1, 1);
        let history = history.release_returns(A, 1, Ack::Ok).asks(A, 2).fails(A, 2).releases(A, 2).released(1, 2);
        let findings = history.release_returns(A, 2, Ack::Ok).ends_at(9);
        findings.assert_violated(RULE);
        assert!(findings.told(RULE).ends_with("allows that: nobody has it"));
    }

    #[test]
    fn accepts_a_release_that_comes_late_or_found_nothing() {
        let given_up = history().at(1).granted(A, 1).acquired(A, 1).releases(A, 1).release_returns(A, 1, Ack::Unknown);
        let late = given_up.asks(B, 2).at(2).released(1, 1).granted_unasked(2).acquired(B, 2);
        late.ends_at(9).assert_holds(RULE);
        let expired = history().at(1).granted(A, 1).acquired(A, 1).at(2).expired(1).granted(B, 2).acquired(B, 2);
        expired.releases(A, 1).release_returns(A, 1, Ack::Ok).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn accepts_that_a_client_acquires_what_it_has() {
        let history = history().at(1).granted(A, 1).acquired(A, 1).releases(A, 1).release_returns(A, 1, Ack::Unknown);
        history.asks(A, 2).acquired(A, 2).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn a_client_that_crashed_comes_back_as_another() {
        let crashed = || history().at(1).granted(A, 1).acquired(A, 1).crashes(A).at(2).asks(A, 2);
        crashed().acquired(A, 2).ends_at(9).assert_violated(RULE);
        crashed().expired(1).granted_unasked(2).acquired(A, 2).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn is_not_applicable_without_consensus() {
        history_of(CaseSpec { consensus: false, ..facts() }).ends_at(1).assert_not_applicable(RULE);
        history_of(CaseSpec { grants: false, ..facts() }).ends_at(1).assert_not_applicable(RULE);
    }
}
