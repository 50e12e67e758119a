//! `no-duplicate`: no order or event takes effect more than once. A retry that the store recognizes is not an accepted
//! write. A write that is rolled back before the next one leaves no effect to duplicate.

use fencepost_models::history::{Event, GrantId, OrderId};

use crate::check::{CaseSpec, CheckContext, Checker, Output};
use crate::property::Verdict;

pub(crate) struct NoDuplicate;

impl Checker for NoDuplicate {
    /// Always returns a checker: only the history shows whether the store is used at all.
    fn new(_case: &CaseSpec) -> Option<Self> {
        Some(NoDuplicate)
    }

    fn observe(&mut self, context: &CheckContext, event: &Event, output: &mut Output) {
        let Event::WriteAccepted { order, grant, count, .. } = *event else { return };
        if !is_repetition(context, order, grant, count) {
            return;
        }
        output.tally.duplicate_effects += 1;
        let writes = context.store_log.writes(context.ledger.row_of(grant));
        let before = &writes[..writes.len().saturating_sub(1)];
        let first = before.iter().find(|write| write.order == order).or(before.last());
        let (at, writer) = (context.at, context.grant(grant));
        let first_at = first.map_or(at, |write| write.at);
        output.violated(at, [writer], move |names| {
            let client = names.client(writer);
            format!(
                "{client}'s order {order} ({writer}) took effect at {at}, \
                 although it had already taken effect at {first_at}"
            )
        });
    }

    fn finish(self, context: &CheckContext, _output: &mut Output) -> Verdict {
        let unused = context.store_log.workload.is_none() && !context.store_log.in_use;
        if unused { Verdict::NotApplicable } else { Verdict::Holds }
    }
}

/// Returns whether the order or event had already taken effect. The store counts the effects of an event, since only
/// the store knows which requests belong to one event.
fn is_repetition(context: &CheckContext, order: OrderId, grant: GrantId, count: i64) -> bool {
    if context.store_log.workload.is_some_and(|workload| workload.has_effects()) {
        return count > 1;
    }
    context.store_log.order(order).is_some_and(|order| order.parts[context.ledger.row_of(grant)].writes > 1)
}

#[cfg(test)]
mod tests {
    use crate::testing::*;

    const RULE: Property = Property::NoDuplicate;

    #[test]
    fn accepts_each_order_once() {
        history().writes(1, 0, 0).writes(2, 1, 1).acks(A, 0).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn rejects_an_order_that_is_applied_again() {
        let findings = history().granted(A, 1).at(1).writes(1, 0, 0).at(2).writes(1, 0, 1).ends_at(9);
        findings.assert_violated(RULE);
        assert_eq!(findings.metric("duplicate_effects"), 1);
        assert_eq!(
            findings.sentence(RULE),
            "client-1's order 0 (grant 1, 1st in the grant order) took effect at 2.000000 s, \
             although it had already taken effect at 1.000000 s"
        );
        assert_eq!(findings.named(RULE), (vec![1], vec![A]));
    }

    #[test]
    fn accepts_one_effect_per_event() {
        let history = history_of(effects(None)).sets(1, 0, 0, 1, 1).acks(A, 0).finds_done(B, 0);
        let findings = history.sets(2, 1, 1, 2, 1).acks(B, 1).finds_done(A, 1).ends_at(9);
        findings.assert_holds(RULE);
        findings.assert_not_applicable(Property::NoLostUpdate);
        let names = ["done_already_orders", "missed_effects", "harm"];
        assert_eq!(names.map(|name| findings.metric(name)), [2, 0, 0]);
    }

    #[test]
    fn rejects_two_effects_of_one_event() {
        let history = history_of(effects(Some(5))).granted(A, 1).granted(B, 2);
        let findings = history.at(1).sets(2, 0, 0, 1, 1).acks(B, 0).at(4).sets(1, 0, 1, 2, 2).acks(A, 0).ends_at(9);
        findings.assert_violated(RULE);
        assert_eq!((findings.metric("duplicate_effects"), findings.metric("harm_cents")), (1, 5));
        assert_eq!(
            findings.sentence(RULE),
            "client-1's order 0 (grant 1, 1st in the grant order) took effect at 4.000000 s, \
             although it had already taken effect at 1.000000 s"
        );
    }

    #[test]
    fn rejects_two_orders_with_the_effect_of_one() {
        let once = |count| history_of(effects(None)).sets(1, 0, 0, 1, 1).sets(2, 1, 1, 2, count).ends_at(9);
        once(1).assert_holds(RULE);
        once(2).assert_violated(RULE);
    }

    #[test]
    fn an_event_is_missed_if_all_its_clients_gave_up() {
        let history =
            history_of(effects(None)).abandons(A, 0).abandons(B, 0).abandons(A, 1).sets(2, 1, 0, 1, 1).acks(B, 1);
        let findings = history.abandons(A, 2).unknown(B, 2).sets(2, 2, 1, 2, 1).ends_at(9);
        findings.assert_holds(RULE);
        assert_eq!(findings.metric("missed_effects"), 1);
        let missed = |history: History| history.ends_at(9).metric("missed_effects");
        assert_eq!(missed(history_of(effects(None)).sets(1, 0, 0, 1, 1).abandons(A, 0)), 0);
        assert_eq!(missed(history_of(effects(None)).finds_done(A, 0).abandons(B, 0)), 0);
    }

    #[test]
    fn the_sentence_gives_the_first_effect_of_the_order() {
        let history = history().at(1).writes(1, 0, 0).at(2).writes(1, 1, 1).at(3).writes(1, 0, 2);
        assert!(history.ends_at(9).sentence(RULE).ends_with("although it had already taken effect at 1.000000 s"));
    }

    #[test]
    fn accepts_a_retry_that_the_store_recognized() {
        history().writes(1, 0, 0).write_unknown(A, 1, 0).write_ok(A, 1, 0).acks(A, 0).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn accepts_a_retry_after_the_first_effect_was_rolled_back() {
        history().writes(1, 0, 0).rolls_back_to(0).writes(1, 0, 0).ends_at(9).assert_holds(RULE);
    }
}
