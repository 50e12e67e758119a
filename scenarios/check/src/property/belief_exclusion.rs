//! `belief-exclusion`: no two Beliefs overlap. A Belief lasts from the return of the acquire until the release is
//! invoked, the holder's code observes the loss, or the holder's process crashes.

use fencepost_models::history::Event;

use crate::check::{CaseSpec, CheckContext, Checker, Output};
use crate::intervals::Overlaps;
use crate::property::Verdict;

#[derive(Default)]
pub(crate) struct BeliefExclusion {
    beliefs: Overlaps,
}

impl Checker for BeliefExclusion {
    fn new(case: &CaseSpec) -> Option<Self> {
        case.grants.then(Self::default)
    }

    fn observe(&mut self, context: &CheckContext, event: &Event, _output: &mut Output) {
        match *event {
            Event::Acquired { client, grant, .. } => self.beliefs.open(context, grant, Some(client)),
            Event::ReleaseInvoked { grant, .. } | Event::LossObserved { grant, .. } => {
                self.beliefs.close(context, grant);
            }
            Event::ClientCrashed { client } => self.beliefs.close_all_of(context, client),
            _ => {}
        }
    }

    fn finish(self, context: &CheckContext, output: &mut Output) -> Verdict {
        let extent = self.beliefs.finish(context, output, "both believed that they held the lock");
        output.tally.belief_overlaps = extent.pairs;
        output.tally.belief_overlap_longest_ns = extent.longest_ns;
        output.tally.belief_overlap_total_ns = extent.total_ns;
        Verdict::Holds
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::*;

    const RULE: Property = Property::BeliefExclusion;

    #[test]
    fn a_repeated_loss_or_a_loss_after_the_release_has_no_effect() {
        let lost = history().acquired(A, 1).at(1).loses(A, 1).loses(A, 1).acquired(B, 2).at(2).loses(A, 1);
        lost.releases(A, 1).loses(A, 1).at(3).releases(B, 2).loses(B, 2).ends_at(9).assert_holds(RULE);
        history().acquired(A, 1).acquired(B, 2).at(1).loses(A, 1).loses(B, 2).ends_at(9).assert_violated(RULE);
    }

    #[test]
    fn accepts_consecutive_beliefs() {
        let released = history().at(1).acquired(A, 1).at(2).releases(A, 1).at(3).acquired(B, 2);
        released.ends_at(9).assert_holds(RULE);
        let lost = history().at(1).acquired(A, 1).at(2).loses(A, 1).at(3).acquired(B, 2);
        lost.ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn rejects_beliefs_that_overlap_and_measures_them() {
        let history = history().at(1).acquired(A, 1).at(2).acquired(B, 2).at(3).acquired(C, 3);
        let findings = history.at(5).releases(A, 1).at(6).loses(B, 2).ends_at(9);
        findings.assert_violated(RULE);
        assert_eq!(findings.metric("belief_overlaps"), 3);
        assert_eq!(findings.metric("belief_overlap_longest_ns"), 3_000_000_000);
        assert_eq!(findings.metric("belief_overlap_total_ns"), (3 + 2 + 3) * 1_000_000_000);
        assert_eq!(
            findings.sentence(RULE),
            "client-1 (grant 1, 1st in the grant order) and client-2 (grant 2, 2nd in the grant order) \
             both believed that they held the lock from 2.000000 s to 5.000000 s, for 3.000000 s"
        );
    }

    #[test]
    fn reports_the_overlap_that_began_first_then_the_one_that_ended_first() {
        let summary = |history: History| {
            let findings = history.ends_at(9);
            (
                findings.named(RULE),
                findings.sentence(RULE).split_once("the lock ").expect("the sentence says when").1.to_owned(),
            )
        };
        let history = || history().at(1).acquired(A, 1).at(2).acquired(B, 2);
        let last = history().at(5).acquired(C, 3).at(6).releases(C, 3).at(7).releases(B, 2);
        assert_eq!(
            summary(last),
            ((vec![1, 2], vec![A, B]), "from 2.000000 s to 7.000000 s, for 5.000000 s".to_owned())
        );
        let tied = history().acquired(C, 3).at(3).releases(A, 1).at(5).releases(C, 3);
        assert_eq!(
            summary(tied),
            ((vec![1, 2], vec![A, B]), "from 2.000000 s to 3.000000 s, for 1.000000 s".to_owned())
        );
    }

    #[test]
    fn names_the_earlier_belief_first() {
        for (client, grant) in [(A, 1), (B, 2)] {
            let findings = history().at(1).acquired(A, 1).acquired(B, 2).at(2).releases(client, grant).ends_at(9);
            assert!(findings.sentence(RULE).starts_with("client-1 (grant 1"), "{}", findings.sentence(RULE));
        }
    }

    #[test]
    fn adjacent_beliefs_do_not_overlap() {
        history().at(1).acquired(A, 1).at(2).acquired(B, 2).releases(A, 1).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn one_nanosecond_is_an_overlap() {
        history().at(1).acquired(A, 1).at(2).acquired(B, 2).after_ns(1).releases(A, 1).ends_at(9).assert_violated(RULE);
    }

    #[test]
    fn a_crash_ends_belief() {
        history().at(1).acquired(A, 1).at(2).crashes(A).acquired(B, 2).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn the_end_of_validity_does_not_end_belief() {
        let history = history().at(1).acquired(A, 1).at(2).validity_ends(A, 1).at(3).acquired(B, 2);
        history.ends_at(9).assert_violated(RULE);
    }

    #[test]
    fn the_end_of_the_record_does_not_end_belief() {
        let history = history().at(1).granted(A, 1).acquired(A, 1).at(2).expired(1).granted(B, 2).acquired(B, 2);
        history.ends_at(9).assert_violated(RULE);
    }
}
