//! `consistent`: the sum of the accounts is the same at the end as at the start.

use fencepost_models::history::Event;
use fencepost_sim::NodeId;
use fencepost_sim::time::SimTime;

use crate::check::{CaseSpec, CheckContext, Checker, Output};
use crate::property::Verdict;

pub(crate) struct Consistent {
    initial: i64,
    /// Clients in the middle of a transfer, which may be half written.
    writing: Vec<NodeId>,
    /// The last time at which an account changed.
    last: SimTime,
}

impl Checker for Consistent {
    fn new(case: &CaseSpec) -> Option<Self> {
        let workload = case.workload.filter(|workload| workload.oracle.conserves_sum)?;
        let initial = i64::from(workload.resources) * i64::from(workload.initial_count);
        Some(Consistent { initial, writing: Vec::new(), last: SimTime::default() })
    }

    fn observe(&mut self, context: &CheckContext, event: &Event, _output: &mut Output) {
        match *event {
            Event::WriteInvoked { client, .. } => self.writing.push(client),
            Event::OrderResolved { client, .. } | Event::ClientCrashed { client } => {
                self.writing.retain(|writer| *writer != client);
            }
            Event::WriteAccepted { .. } | Event::RolledBack { .. } | Event::OtherRowRolledBack { .. } => {
                self.last = context.at;
            }
            _ => {}
        }
    }

    fn finish(self, context: &CheckContext, output: &mut Output) -> Verdict {
        let Consistent { initial, last, .. } = self;
        let [first, second] = context.store_log.counts();
        let sum = first + second;
        if sum == initial {
            return Verdict::Holds;
        }
        if !self.writing.is_empty() {
            return Verdict::Unknown;
        }
        output.tally.imbalance = (sum - initial).abs();
        output.violated(last, [], move |_| {
            format!(
                "since {last} the accounts hold {first} and {second}, {sum} in total, \
                 although they held {initial} at the start and transfers keep the sum"
            )
        });
        Verdict::Holds
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::*;

    const RULE: Property = Property::Consistent;

    /// A holds both locks and has withdrawn 1 from the first account.
    fn half_transfer() -> History {
        let history = history_of(accounts()).starts(A, 0).granted(A, 1).granted_second(A, 2);
        history.at(1).write_sent(A, 1, 0).sets(1, 0, 0, 1, 9)
    }

    #[test]
    fn accepts_a_complete_transfer() {
        let findings = half_transfer().sets(2, 0, 0, 1, 11).acks(A, 0).ends_at(9);
        findings.assert_holds(RULE);
        findings.assert_holds(Property::NoDuplicate);
        assert_eq!(findings.metric("imbalance"), 0);
    }

    #[test]
    fn rejects_half_a_transfer() {
        let findings = half_transfer().at(2).abandons(A, 0).ends_at(9);
        findings.assert_violated(RULE);
        assert_eq!(findings.metric("imbalance"), 1);
        assert_eq!(findings.metric("harm"), 1);
        assert_eq!(
            findings.sentence(RULE),
            "since 1.000000 s the accounts hold 9 and 10, 19 in total, \
             although they held 20 at the start and transfers keep the sum"
        );
        half_transfer().crashes(A).ends_at(9).assert_violated(RULE);
    }

    #[test]
    fn rejects_a_stale_balance() {
        let history = half_transfer().sets(2, 0, 0, 1, 11).acks(A, 0).starts(B, 1).granted(B, 3).granted_second(B, 4);
        let history = history.write_sent(B, 4, 1).sets(4, 1, 1, 2, 10).sets(3, 1, 0, 2, 11).acks(B, 1);
        let findings = history.ends_at(9);
        findings.assert_violated(RULE);
        findings.assert_violated(Property::NoLostUpdate);
    }

    #[test]
    fn accepts_the_rollback_of_a_whole_transfer_but_not_of_half() {
        let partial = || half_transfer().sets(2, 0, 0, 1, 11).acks(A, 0).at(3).rolls_back_second(0, 10);
        let findings = partial().ends_at(9);
        findings.assert_violated(RULE);
        assert!(findings.sentence(RULE).starts_with("since 3.000000 s the accounts hold 9 and 10"));
        findings.assert_violated(Property::NoLostUpdate);
        partial().at(4).rolls_back_to(0).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn is_unknown_in_the_middle_of_a_transfer() {
        half_transfer().ends_at(9).assert_unknown(RULE);
    }

    #[test]
    fn is_not_applicable_without_accounts() {
        history().ends_at(9).assert_not_applicable(RULE);
    }
}
