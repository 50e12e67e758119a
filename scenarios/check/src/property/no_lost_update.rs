//! `no-lost-update`: no acknowledged update is missing at the end. An update is missing if a later accepted write was
//! based on an earlier state, or if the store rolled the update back. Lost updates that were never acknowledged are
//! only counted.
//!
//! If an overwriting write is itself rolled back, the writes that it overwrote are in effect again. An order that took
//! effect more than once is missing only if all its writes are.

use fencepost_models::history::Event;
use fencepost_sim::text::counted;

use crate::check::{CaseSpec, CheckContext, Checker, Output};
use crate::evidence::GrantInfo;
use crate::property::Verdict;
use crate::store_log::{Loss, Order, Overwritten, Write};

/// Has no state of its own: the log of the store has all the data.
pub(crate) struct NoLostUpdate;

impl Checker for NoLostUpdate {
    /// Always returns a checker: only the history shows whether there is shared state.
    fn new(_case: &CaseSpec) -> Option<Self> {
        Some(NoLostUpdate)
    }

    fn observe(&mut self, _context: &CheckContext, _event: &Event, _output: &mut Output) {}

    fn finish(self, context: &CheckContext, output: &mut Output) -> Verdict {
        if !context.store_log.has_shared_state() {
            return Verdict::NotApplicable;
        }
        for order in context.store_log.orders().filter(|order| order.is_missing()) {
            if order.acked {
                output.tally.lost_updates += 1;
                output.tally.lost_units += i64::from(order.units);
            } else if order.is_overwritten() {
                output.tally.overwritten_unacked += 1;
            }
        }
        let missing = context.store_log.missing().filter(|(_, order, _)| order.acked);
        if let Some((write, order, loss)) = missing.min_by_key(|(write, _, loss)| (loss.at, write.version)) {
            report(context, *write, order, loss, output);
        }
        Verdict::Holds
    }
}

fn report(context: &CheckContext, write: Write, order: &Order, loss: Loss, output: &mut Output) {
    let writer = context.grant(write.grant);
    let customer = GrantInfo { client: order.client.or(writer.client), ..writer };
    let by = match loss.how {
        Overwritten::ByWrite { grant, .. } => Some(context.grant(grant)),
        Overwritten::ByRollback { .. } => None,
    };
    let (amount, at) = (counted(order.units, "unit"), loss.at);
    output.violated(at, [customer].into_iter().chain(by), move |names| {
        let Write { order, version, at: written, .. } = write;
        let how = match (loss.how, by) {
            (Overwritten::ByWrite { version, order, based_on, .. }, Some(by)) => {
                let writer = names.client(by);
                format!("{writer}'s order {order} ({by}) wrote version {version}, computed from version {based_on}")
            }
            (Overwritten::ByWrite { version, .. } | Overwritten::ByRollback { version }, _) => {
                format!("the store rolled back to version {version}")
            }
        };
        format!(
            "{}'s order {order} of {amount} ({customer}) was acknowledged and is missing: \
             it wrote version {version} at {written}, and at {at} {how}",
            names.client(customer)
        )
    });
}

#[cfg(test)]
mod tests {
    use fencepost_models::history::Refusal;

    use super::*;
    use crate::testing::*;

    const RULE: Property = Property::NoLostUpdate;

    #[test]
    fn accepts_writes_that_are_each_based_on_the_previous_one() {
        let history = history().at(1).writes(1, 0, 0).acks(A, 0).at(2).writes(2, 1, 1).acks(B, 1);
        let findings = history.ends_at(9);
        findings.assert_holds(RULE);
        assert_eq!(findings.metric("conservation_gap_units"), 0);
    }

    #[test]
    fn rejects_a_write_that_overwrites_an_acknowledged_one() {
        let history = history().granted(A, 1).granted(B, 2).at(1).writes(2, 1, 0).acks(B, 1);
        let findings = history.at(2).writes(1, 0, 0).acks(A, 0).ends_at(9);
        findings.assert_violated(RULE);
        assert_eq!(findings.metric("lost_updates"), 1);
        assert_eq!(findings.metric("lost_units"), 1);
        assert_eq!(findings.metric("conservation_gap_units"), 1);
        assert_eq!(
            findings.sentence(RULE),
            "client-2's order 1 of 1 unit (grant 2, 2nd in the grant order) was acknowledged and is missing: \
             it wrote version 1 at 1.000000 s, and at 2.000000 s client-1's order 0 \
             (grant 1, 1st in the grant order) wrote version 2, computed from version 0"
        );
        assert_eq!(findings.named(RULE), (vec![1, 2], vec![A, B]));
    }

    #[test]
    fn names_the_client_that_got_the_acknowledgement() {
        let findings = history().writes(2, 1, 0).acks(B, 1).writes(1, 0, 0).ends_at(9);
        assert!(findings.sentence(RULE).starts_with("client-2's order 1"));
    }

    #[test]
    fn rejects_an_acknowledgement_that_comes_after_the_loss() {
        let history = history().at(1).writes(2, 1, 0).at(2).writes(1, 0, 0).at(3).acks(B, 1);
        history.ends_at(9).assert_violated(RULE);
    }

    #[test]
    fn only_counts_overwritten_orders_that_were_never_acknowledged() {
        let findings = history().writes(2, 1, 0).writes(1, 0, 0).acks(A, 0).unknown(B, 1).ends_at(9);
        findings.assert_holds(RULE);
        assert_eq!(findings.metric("overwritten_unacked"), 1);
        assert_eq!(findings.metric("lost_updates"), 0);
    }

    #[test]
    fn one_stale_write_can_lose_many_updates() {
        let history = (0..5).fold(history(), |history, n| history.writes(n, n, u64::from(n)).acks(A, n));
        let findings = history.writes(9, 9, 2).ends_at(9);
        findings.assert_violated(RULE);
        assert_eq!(findings.metric("lost_updates"), 3);
    }

    #[test]
    fn rejects_an_acknowledged_write_that_the_store_rolled_back() {
        let history = history().at(1).writes(1, 0, 0).acks(A, 0).at(2).writes(2, 1, 1).acks(B, 1);
        let findings = history.at(3).rolls_back_to(1).ends_at(9);
        findings.assert_violated(RULE);
        assert_eq!(findings.metric("lost_updates"), 1);
        assert_eq!(findings.metric("conservation_gap_units"), 0);
        assert!(findings.sentence(RULE).ends_with("and at 3.000000 s the store rolled back to version 1"));
    }

    #[test]
    fn accepts_a_rollback_of_an_unacknowledged_write() {
        history().writes(1, 0, 0).acks(A, 0).writes(2, 1, 1).rolls_back_to(1).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn a_rollback_of_the_overwriting_write_restores_the_overwritten_one() {
        let lost = || history().writes(2, 1, 0).acks(B, 1).writes(1, 0, 0);
        lost().ends_at(9).assert_violated(RULE);
        lost().rolls_back_to(1).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn a_write_after_a_rollback_loses_no_further_update() {
        let history = history().writes(1, 0, 0).acks(A, 0).writes(2, 1, 1).rolls_back_to(1);
        history.writes(3, 2, 1).acks(C, 2).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn an_order_written_again_after_its_loss_is_not_missing() {
        let history = history().writes(2, 1, 0).writes(1, 0, 0).writes(2, 1, 2).acks(B, 1).acks(A, 0);
        history.ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn is_not_applicable_without_a_store() {
        let no_workload = || history_of(CaseSpec { workload: None, ..case_spec() });
        no_workload().acks(A, 0).ends_at(1).assert_not_applicable(RULE);
        for used in
            [no_workload().reads(1, 0), no_workload().refused(1, Refusal::SoldOut), no_workload().rolls_back_to(0)]
        {
            let findings = used.ends_at(1);
            findings.assert_holds(RULE);
            findings.assert_holds(Property::NoDuplicate);
        }
    }

    #[test]
    fn a_write_that_was_rolled_back_is_not_overwritten() {
        let findings = history().writes(1, 0, 0).unknown(A, 0).rolls_back_to(0).ends_at(9);
        assert_eq!(findings.metric("overwritten_unacked"), 0);
    }
}
