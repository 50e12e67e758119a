//! `grant-exclusion`: no two Records overlap.

use fencepost_models::history::Event;

use crate::check::{CaseSpec, CheckContext, Checker, Output};
use crate::intervals::Overlaps;
use crate::ledger::RecordChange;
use crate::property::Verdict;

#[derive(Default)]
pub(crate) struct GrantExclusion {
    records: Overlaps,
}

impl Checker for GrantExclusion {
    /// Returns `None` without a service, since then there are no Records.
    fn new(case: &CaseSpec) -> Option<Self> {
        (case.grants && !case.rank_by_return).then(Self::default)
    }

    fn observe(&mut self, context: &CheckContext, _event: &Event, _output: &mut Output) {
        match context.ledger.record_change() {
            RecordChange::Unchanged => {}
            RecordChange::Began(grant) => self.records.open(context, grant, None),
            RecordChange::Ended(grant) => self.records.close(context, grant),
        }
    }

    fn finish(self, context: &CheckContext, output: &mut Output) -> Verdict {
        let extent = self.records.finish(context, output, "were both on record at the service");
        output.tally.grant_overlaps = extent.pairs;
        Verdict::Holds
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const RULE: Property = Property::GrantExclusion;

    fn redlock() -> CaseSpec {
        CaseSpec { quorum: 3, ..case_spec() }
    }

    #[test]
    fn accepts_consecutive_records() {
        history().at(1).granted(A, 1).at(2).expired(1).granted(B, 2).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn rejects_two_records_at_once() {
        let findings = history().at(1).granted(A, 1).at(2).granted(B, 2).at(5).expired(1).ends_at(9);
        findings.assert_violated(RULE);
        assert_eq!(findings.metric("grant_overlaps"), 1);
        assert_eq!(
            findings.sentence(RULE),
            "client-1 (grant 1, 1st in the grant order) and client-2 (grant 2, 2nd in the grant order) \
             were both on record at the service from 2.000000 s to 5.000000 s, for 3.000000 s"
        );
    }

    #[test]
    fn rejects_two_records_still_open_at_the_end() {
        history().at(1).granted(A, 1).at(2).granted(B, 2).ends_at(3).assert_violated(RULE);
    }

    #[test]
    fn accepts_adjacent_records_in_either_event_order() {
        history().at(1).granted(A, 1).at(2).granted(B, 2).expired(1).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn accepts_a_second_grant_without_a_quorum() {
        let two_of_five = history_of(redlock()).at(1).granted_by(A, 1, &[0, 1, 2]).granted_by(B, 2, &[3, 4]).ends_at(9);
        two_of_five.assert_holds(RULE);
    }

    #[test]
    fn accepts_a_quorum_that_formed_after_the_other_was_lost() {
        let history = history_of(redlock()).at(1).granted_by(A, 1, &[0, 1, 2]).granted_by(B, 2, &[3, 4]);
        history.at(2).expired_at(2, 1).granted_by(B, 2, &[2]).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn rejects_two_quorums_after_a_server_lost_its_grant() {
        let history = history_of(redlock()).at(1).granted_by(A, 1, &[0, 1, 2]);
        history.at(2).granted_by(B, 2, &[2, 3, 4]).at(3).expired_at(0, 1).ends_at(9).assert_violated(RULE);
    }

    #[test]
    fn a_new_leader_ends_a_grant_of_the_old_one() {
        history().at(1).granted(A, 1).at(2).expired_at(7, 1).granted(B, 2).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn is_not_applicable_without_a_service() {
        history_of(CaseSpec { rank_by_return: true, ..case_spec() }).ends_at(1).assert_not_applicable(RULE);
    }
}
