//! `owner-release`: a release ends only the grant that it was invoked for, even if it arrives late or repeatedly.

use fencepost_models::history::{Cause, Event};

use crate::check::{CaseSpec, CheckContext, Checker, Output};

pub(crate) struct OwnerRelease;

impl Checker for OwnerRelease {
    fn new(case: &CaseSpec) -> Option<Self> {
        (case.grants && case.releases).then_some(Self)
    }

    fn observe(&mut self, context: &CheckContext, event: &Event, output: &mut Output) {
        let Event::Ended { server, grant, cause: Cause::Released(released) } = *event else { return };
        if grant != released {
            output.tally.foreign_releases += 1;
            let (at, [releaser, ended]) = (context.at, [released, grant].map(|grant| context.grant(grant)));
            output.violated(at, [releaser, ended], move |names| {
                let ([r, e], server) = ([releaser, ended].map(|grant| names.client(grant)), names.node(server));
                format!("{r}'s release ({releaser}) reached {server} at {at} and ended {e}'s grant there ({ended})")
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const RULE: Property = Property::OwnerRelease;

    #[test]
    fn accepts_a_release_of_its_own_grant() {
        let history = history().at(1).granted(A, 1).at(2).released(1, 1).granted(B, 2).at(3).released(2, 2);
        history.ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn accepts_expiry_and_revocation() {
        history().at(1).granted(A, 1).at(2).expired(1).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn rejects_a_late_release_that_ends_the_next_grant() {
        let history = history().at(1).granted(A, 1).acquired(A, 1).at(2).expired(1).granted(B, 2);
        let findings = history.at(3).releases(A, 1).released(2, 1).ends_at(9);
        findings.assert_violated(RULE);
        assert_eq!(findings.metric("foreign_releases"), 1);
        assert_eq!(
            findings.sentence(RULE),
            "client-1's release (grant 1, 1st in the grant order) reached server-1 at 3.000000 s \
             and ended client-2's grant there (grant 2, 2nd in the grant order)"
        );
        assert_eq!(findings.named(RULE), (vec![1, 2], vec![A, B]));
    }

    #[test]
    fn rejects_a_repeated_release_even_below_the_quorum() {
        let history = history_of(CaseSpec { quorum: 3, ..case_spec() }).at(1).granted_by(A, 1, &[0, 1, 2]);
        history.released(1, 1).at(2).granted_by(B, 2, &[0]).released(2, 1).ends_at(9).assert_violated(RULE);
    }

    #[test]
    fn is_not_applicable_without_a_release() {
        history_of(CaseSpec { releases: false, ..case_spec() }).ends_at(1).assert_not_applicable(RULE);
    }
}
