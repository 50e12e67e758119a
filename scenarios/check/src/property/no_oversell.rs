//! `no-oversell`: the units of acknowledged orders, each counted once, do not exceed the initial stock.

use fencepost_models::history::Event;
use fencepost_sim::text::counted;

use crate::check::{CaseSpec, CheckContext, Checker, Output};
use crate::property::Verdict;

pub(crate) struct NoOversell {
    stock: i64,
}

impl Checker for NoOversell {
    fn new(case: &CaseSpec) -> Option<Self> {
        case.stock().map(|stock| NoOversell { stock })
    }

    fn observe(&mut self, context: &CheckContext, event: &Event, output: &mut Output) {
        let (at, stock, sold) = (context.at, self.stock, context.store_log.acked_units);
        if matches!(event, Event::OrderResolved { .. }) && sold > stock {
            output.violated(at, [], move |_| {
                format!("by {at} acknowledged orders had sold {} out of a stock of {stock}", counted(sold, "unit"))
            });
        }
    }

    fn finish(self, context: &CheckContext, output: &mut Output) -> Verdict {
        output.tally.oversold_units = (context.store_log.acked_units - self.stock).max(0);
        Verdict::Holds
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const RULE: Property = Property::NoOversell;

    fn stock_of_two() -> History {
        history_of(CaseSpec { workload: Some(stock(2)), ..case_spec() })
    }

    #[test]
    fn accepts_selling_the_last_unit() {
        let findings = stock_of_two().acks(A, 0).acks(B, 1).ends_at(9);
        findings.assert_holds(RULE);
        assert_eq!(findings.metric("acked_units"), 2);
        assert_eq!(findings.metric("negative_stock_units"), 0);
    }

    #[test]
    fn rejects_selling_one_unit_too_many() {
        let findings = stock_of_two().acks(A, 0).acks(B, 1).at(3).acks(C, 2).ends_at(9);
        findings.assert_violated(RULE);
        assert_eq!(findings.metric("oversold_units"), 1);
        assert_eq!(findings.sentence(RULE), "by 3.000000 s acknowledged orders had sold 3 units out of a stock of 2");
        let five = (0..5).fold(stock_of_two(), |history, order| history.acks(A, order));
        assert_eq!(five.ends_at(9).metric("oversold_units"), 3);
    }

    #[test]
    fn counts_an_order_once_and_only_if_acknowledged() {
        let history = stock_of_two().acks(A, 0).acks(A, 0).acks(A, 1).unknown(B, 2).abandons(B, 3);
        history.ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn a_negative_stock_alone_is_only_a_metric() {
        let findings = stock_of_two().writes(1, 0, 0).writes(2, 1, 1).writes(3, 2, 2).ends_at(9);
        findings.assert_holds(RULE);
        assert_eq!(findings.metric("negative_stock_units"), 1);
        assert_eq!(findings.metric("applied_units"), 3);
    }
}
