//! `validity-exclusion`: no two Validities overlap. A Validity is a Belief that ends no later than the grant's
//! `valid_until`, by the holder's own monotonic clock.

use fencepost_models::history::Event;

use crate::check::{CaseSpec, CheckContext, Checker, Output};
use crate::intervals::Overlaps;
use crate::property::Verdict;

#[derive(Default)]
pub(crate) struct ValidityExclusion {
    validities: Overlaps,
}

impl Checker for ValidityExclusion {
    fn new(case: &CaseSpec) -> Option<Self> {
        (case.grants && case.validity).then(Self::default)
    }

    fn observe(&mut self, context: &CheckContext, event: &Event, _output: &mut Output) {
        match *event {
            Event::Acquired { client, grant, validity: true, .. } => {
                self.validities.open(context, grant, Some(client));
            }
            Event::ReleaseInvoked { grant, .. }
            | Event::LossObserved { grant, .. }
            | Event::ValidityEnded { grant, .. } => self.validities.close(context, grant),
            Event::ClientCrashed { client } => self.validities.close_all_of(context, client),
            _ => {}
        }
    }

    fn finish(self, context: &CheckContext, output: &mut Output) -> Verdict {
        let extent = self.validities.finish(context, output, "both held grants that the lock had declared valid");
        output.tally.validity_overlaps = extent.pairs;
        Verdict::Holds
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const RULE: Property = Property::ValidityExclusion;

    #[test]
    fn accepts_a_grant_after_the_end_of_the_other_validity() {
        let history = history().at(1).acquired(A, 1).at(2).validity_ends(A, 1).acquired(B, 2).at(3).releases(A, 1);
        history.ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn rejects_two_grants_that_are_valid_at_once() {
        let history = history().at(1).acquired(A, 1).at(2).acquired(B, 2).at(3).validity_ends(A, 1);
        let findings = history.ends_at(9);
        findings.assert_violated(RULE);
        assert_eq!(findings.metric("validity_overlaps"), 1);
    }

    #[test]
    fn a_crash_loss_or_release_also_ends_validity() {
        history().at(1).acquired(A, 1).at(2).crashes(A).acquired(B, 2).ends_at(9).assert_holds(RULE);
        history().at(1).acquired(A, 1).at(2).loses(A, 1).acquired(B, 2).ends_at(9).assert_holds(RULE);
        history().at(1).acquired(A, 1).at(2).releases(A, 1).acquired(B, 2).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn a_grant_without_validity_is_never_valid() {
        let history = history().at(1).acquired_without_validity(A, 1).at(2).acquired(B, 2);
        history.ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn is_not_applicable_without_advertised_validity() {
        history_of(CaseSpec { validity: false, ..case_spec() }).ends_at(1).assert_not_applicable(RULE);
    }
}
