//! `owner-release`: a release ends only the grant it was invoked for, however late or often it arrives.

use std::fmt;

use fencepost_models::history::{Cause, Event};
use fencepost_sim::NodeId;
use fencepost_sim::time::SimTime;

use crate::check::{CaseSpec, CheckContext, Checker, Finding};
use crate::evidence::{Detail, Evidence, NodeNames, Party};
use crate::metrics::Tally;
use crate::property::Property;

pub(crate) fn build(facts: &CaseSpec) -> Option<OwnerRelease> {
    (facts.grants && facts.releases).then(OwnerRelease::default)
}

#[derive(Default)]
pub(crate) struct OwnerRelease {
    first: Option<Evidence>,
}

/// A release ended somebody else's grant.
#[derive(Debug)]
struct ForeignRelease {
    ended: Party,
    releaser: Party,
    server: NodeId,
    at: SimTime,
}

impl Checker for OwnerRelease {
    fn observe(&mut self, context: &CheckContext, event: &Event, tally: &mut Tally) {
        let Event::Ended { server, grant, cause: Cause::Released(released) } = *event else { return };
        if grant != released {
            tally.foreign_releases += 1;
            let [ended, releaser] = [grant, released].map(|g| context.ledger.party(g));
            self.first.get_or_insert_with(|| {
                let detail = ForeignRelease { ended, releaser, server, at: context.at };
                Evidence::new(Property::OwnerRelease, context.at, detail)
            });
        }
    }

    fn finish(self, _scene: &CheckContext, _tally: &mut Tally) -> Finding {
        Finding::from_first(self.first)
    }
}

impl Detail for ForeignRelease {
    fn tell(&self, f: &mut fmt::Formatter<'_>, names: &dyn NodeNames) -> fmt::Result {
        let ForeignRelease { ended, releaser, server, at } = self;
        write!(f, "{} release ({releaser}) reached {} at {at} ", releaser.whose(names), names.name(*server))?;
        write!(f, "and ended {} ({ended}) there", ended.who(names))
    }

    fn parties(&self) -> Vec<Party> {
        vec![self.releaser, self.ended]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const RULE: Property = Property::OwnerRelease;

    #[test]
    fn accepts_releases_of_ones_own_grant() {
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
            findings.told(RULE),
            "client-1's release (grant 1, 1st in the grant order) reached server-1 at 3.000000 s \
             and ended client-2 (grant 2, 2nd in the grant order) there"
        );
        assert_eq!(findings.named(RULE), (vec![1, 2], vec![A, B]));
    }

    #[test]
    fn rejects_a_repeated_release_even_below_the_quorum() {
        let history = history_of(CaseSpec { quorum: 3, ..facts() }).at(1).granted_by(A, 1, &[0, 1, 2]);
        history.released(1, 1).at(2).granted_by(B, 2, &[0]).released(2, 1).ends_at(9).assert_violated(RULE);
    }

    #[test]
    fn is_not_applicable_without_a_release() {
        history_of(CaseSpec { releases: false, ..facts() }).ends_at(1).assert_not_applicable(RULE);
    }
}
