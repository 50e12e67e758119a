//! `effect-exclusion`: the store accepts no write of a grant after it accepted an operation of a higher-ranked grant.
//! Stale reads are only counted.

use fencepost_models::history::{Event, GrantId};
use fencepost_sim::time::SimTime;

use crate::check::{CaseSpec, CheckContext, Checker, Output};
use crate::ledger::Rank;

#[derive(Default)]
pub(crate) struct EffectExclusion {
    /// For each resource, the first accepted operation of the highest-ranked grant that had any accepted.
    highest: [Option<Operation>; 2],
}

#[derive(Clone, Copy)]
struct Operation {
    rank: Rank,
    grant: GrantId,
    at: SimTime,
    /// The past participle of the operation: `read` or `written`.
    done: &'static str,
}

impl Checker for EffectExclusion {
    fn new(case: &CaseSpec) -> Option<Self> {
        case.grants.then(Self::default)
    }

    fn observe(&mut self, context: &CheckContext, event: &Event, output: &mut Output) {
        match *event {
            Event::ReadAccepted { grant, .. } => {
                output.tally.stale_reads += i64::from(self.overtaken_by(context, grant, "read").is_some());
            }
            Event::WriteAccepted { grant, .. } => {
                let Some(Operation { grant: newer, at: newer_at, done, .. }) =
                    self.overtaken_by(context, grant, "written")
                else {
                    return;
                };
                output.tally.stale_writes += 1;
                let (at, [writer, newer]) = (context.at, [grant, newer].map(|grant| context.grant(grant)));
                output.violated(at, [writer, newer], move |names| {
                    let [w, n] = [writer, newer].map(|grant| names.client(grant));
                    format!(
                        "{w}'s write ({writer}) was accepted at {at}, \
                         although {n} ({newer}) had already {done} at {newer_at}"
                    )
                });
            }
            _ => {}
        }
    }
}

impl EffectExclusion {
    /// Returns the operation of a higher-ranked grant that was accepted before this one, if any. An attempt without a
    /// rank was never granted, so it neither overtakes nor is overtaken.
    fn overtaken_by(&mut self, context: &CheckContext, grant: GrantId, done: &'static str) -> Option<Operation> {
        let rank = context.ledger.rank_of(grant)?;
        let highest = &mut self.highest[context.ledger.row_of(grant)];
        let newer = highest.filter(|highest| rank < highest.rank);
        if highest.is_none_or(|highest| rank > highest.rank) {
            *highest = Some(Operation { rank, grant, at: context.at, done });
        }
        newer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const RULE: Property = Property::EffectExclusion;

    #[test]
    fn accepts_operations_in_grant_order() {
        let history = history().at(1).granted(A, 1).acquired(A, 1).reads(1, 0).writes(1, 0, 0);
        let history = history.at(2).granted(B, 2).acquired(B, 2).reads(2, 1).writes(2, 1, 1);
        history.ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn rejects_a_write_after_the_write_of_a_later_grant() {
        let history = history().at(1).granted(A, 1).reads(1, 0).at(2).granted(B, 2).reads(2, 0).at(3).writes(2, 1, 0);
        let findings = history.at(24).writes(1, 0, 0).ends_at(30);
        findings.assert_violated(RULE);
        assert_eq!(findings.metric("stale_writes"), 1);
        assert_eq!(
            findings.sentence(RULE),
            "client-1's write (grant 1, 1st in the grant order) was accepted at 24.000000 s, \
             although client-2 (grant 2, 2nd in the grant order) had already read at 2.000000 s"
        );
        assert_eq!(findings.named(RULE), (vec![1, 2], vec![A, B]));
    }

    #[test]
    fn rejects_a_write_after_only_a_read_of_a_later_grant() {
        let history = history().at(1).granted(A, 1).granted(B, 2).reads(2, 0).at(2).writes(1, 0, 0);
        history.ends_at(9).assert_violated(RULE);
    }

    #[test]
    fn only_counts_a_read_after_an_operation_of_a_later_grant() {
        let findings = history().at(1).granted(A, 1).granted(B, 2).writes(2, 0, 0).at(2).reads(1, 1).ends_at(9);
        findings.assert_holds(RULE);
        assert_eq!(findings.metric("stale_reads"), 1);
    }

    #[test]
    fn accepts_a_late_write_before_any_operation_of_the_later_grant() {
        let history = history().at(1).granted(A, 1).at(2).expired(1).granted(B, 2).at(3).writes(1, 0, 0);
        history.ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn ranks_follow_the_service_not_the_replies() {
        let history = history().at(1).granted(A, 1).granted(B, 2).acquired(B, 2).acquired(A, 1);
        history.writes(1, 0, 0).writes(2, 1, 1).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn ranks_follow_the_replies_without_a_service() {
        let case = CaseSpec { rank_by_return: true, ..case_spec() };
        let history = history_of(case).requests(A, 1).requests(B, 2).at(1).acquired(B, 2).acquired(A, 1);
        history.writes(1, 0, 0).writes(2, 1, 1).ends_at(9).assert_violated(RULE);
    }

    #[test]
    fn a_grant_by_several_servers_ranks_when_its_quorum_forms() {
        let redlock = CaseSpec { quorum: 3, ..case_spec() };
        let history = history_of(redlock).at(1).granted_by(A, 1, &[0, 1]).granted_by(B, 2, &[2, 3, 4]).at(2);
        let history = history.expired_at(2, 2).granted_by(A, 1, &[2]);
        history.writes(1, 0, 0).at(3).writes(2, 1, 1).ends_at(9).assert_violated(RULE);
    }

    #[test]
    fn rejects_the_late_write_of_a_client_whose_acquire_had_no_reply() {
        let history = history().requests(A, 1).at(1).gives_up(A, 1).at(2).granted_later(1).granted(B, 2).reads(2, 0);
        let findings = history.at(3).writes(1, 0, 0).ends_at(9);
        findings.assert_violated(RULE);
        assert!(findings.sentence(RULE).starts_with("client-1's write"));
    }
}
