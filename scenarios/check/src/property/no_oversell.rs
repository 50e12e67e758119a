//! `no-oversell`: the units of acknowledged orders, each order counted once, do not exceed the initial stock.

use std::fmt;

use fencepost_models::history::Event;
use fencepost_sim::time::SimTime;

use crate::check::{CaseSpec, CheckContext, Checker, Finding};
use crate::evidence::{Detail, Evidence, NodeNames, units};
use crate::metrics::Tally;
use crate::property::Property;

pub(crate) fn build(facts: &CaseSpec) -> Option<NoOversell> {
    facts.stock().map(|stock| NoOversell { stock, first: None })
}

pub(crate) struct NoOversell {
    stock: i64,
    first: Option<Evidence>,
}

/// More was sold than there was.
#[derive(Debug)]
struct Oversold {
    stock: i64,
    sold: i64,
    at: SimTime,
}

impl Checker for NoOversell {
    fn observe(&mut self, context: &CheckContext, event: &Event, _tally: &mut Tally) {
        if let Event::OrderResolved { .. } = event
            && context.store_log.acked_units > self.stock
        {
            let detail = Oversold { stock: self.stock, sold: context.store_log.acked_units, at: context.at };
            self.first.get_or_insert_with(|| Evidence::new(Property::NoOversell, context.at, detail));
        }
    }

    fn finish(self, context: &CheckContext, tally: &mut Tally) -> Finding {
        tally.oversold_units = (context.store_log.acked_units - self.stock).max(0);
        Finding::from_first(self.first)
    }
}

impl Detail for Oversold {
    fn tell(&self, f: &mut fmt::Formatter<'_>, _names: &dyn NodeNames) -> fmt::Result {
        let Oversold { stock, sold, at } = self;
        write!(f, "by {at} acknowledged orders had sold {} out of a stock of {stock}", units(*sold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guarded::Guarded;
    use crate::testing::*;

    const RULE: Property = Property::NoOversell;

    fn stock_of_two() -> History {
        history_of(CaseSpec { workload: Some(Guarded::Stock(2)), ..facts() })
    }

    #[test]
    fn accepts_selling_the_last_unit() {
        let findings = stock_of_two().acks(A, 0).acks(B, 1).ends_at(9);
        findings.assert_holds(RULE);
        assert_eq!(findings.metric("acked_units"), 2);
        assert_eq!(findings.metric("negative_stock_units"), 0);
    }

    #[test]
    fn rejects_selling_one_more() {
        let findings = stock_of_two().acks(A, 0).acks(B, 1).at(3).acks(C, 2).ends_at(9);
        findings.assert_violated(RULE);
        assert_eq!(findings.metric("oversold_units"), 1);
        assert_eq!(findings.told(RULE), "by 3.000000 s acknowledged orders had sold 3 units out of a stock of 2");
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
