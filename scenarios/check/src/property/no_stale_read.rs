//! `no-stale-read`: the store accepts no read of a grant after it accepted an operation of a higher-ranked grant.

use fencepost_models::history::{Event, GrantId};

use crate::check::{CaseSpec, CheckContext, Checker, Output};
use crate::ledger::Rank;

#[derive(Default)]
pub(crate) struct NoStaleRead {
    /// For each resource, the highest-ranked grant that had an operation accepted.
    highest: [Option<(Rank, GrantId)>; 2],
}

impl Checker for NoStaleRead {
    fn new(case: &CaseSpec) -> Option<Self> {
        case.grants.then(Self::default)
    }

    fn observe(&mut self, context: &CheckContext, event: &Event, output: &mut Output) {
        let (Event::ReadAccepted { grant, .. } | Event::WriteAccepted { grant, .. }) = *event else { return };
        let Some(rank) = context.ledger.rank_of(grant) else { return };
        let highest = &mut self.highest[context.ledger.row_of(grant)];
        match *highest {
            Some((known, newer)) if rank < known && matches!(event, Event::ReadAccepted { .. }) => {
                let (at, [reader, newer]) = (context.at, [grant, newer].map(|grant| context.grant(grant)));
                output.violated(at, [reader, newer], move |names| {
                    let [r, n] = [reader, newer].map(|grant| names.client(grant));
                    format!("{r}'s read ({reader}) was accepted at {at}, after an operation of {n} ({newer})")
                });
            }
            Some((known, _)) if rank <= known => {}
            _ => *highest = Some((rank, grant)),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::*;

    const RULE: Property = Property::NoStaleRead;

    #[test]
    fn accepts_operations_in_grant_order() {
        history().granted(A, 1).reads(1, 0).granted(B, 2).reads(2, 0).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn rejects_a_read_after_an_operation_of_a_later_grant() {
        let findings = history().granted(A, 1).granted(B, 2).reads(2, 0).at(3).reads(1, 0).ends_at(9);
        findings.assert_violated(RULE);
        assert_eq!(findings.named(RULE), (vec![1, 2], vec![A, B]));
    }
}
