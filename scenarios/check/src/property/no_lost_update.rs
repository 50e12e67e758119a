//! `no-lost-update`: no acknowledged update is missing in the end, because a later accepted write was based on a state
//! before it or because the store rolled it back. What was lost without ever being acknowledged is only counted.
//!
//! A write that overwrote others no longer counts against them once it is rolled back itself. An order that took
//! effect more than once is missing only when all its writes are.

use std::fmt;

use fencepost_models::history::{Event, OrderId, Version};
use fencepost_sim::time::SimTime;

use crate::check::{CaseSpec, CheckContext, Checker, Finding};
use crate::evidence::{Detail, Evidence, NodeNames, Party, units};
use crate::metrics::Tally;
use crate::property::{Property, Verdict};
use crate::store_log::{Loss, Order, Overwritten, Write};

/// Whether there is shared state is seen in the history: the store does something.
pub(crate) fn build(_facts: &CaseSpec) -> Option<NoLostUpdate> {
    Some(NoLostUpdate)
}

/// The store_log has all that it takes.
pub(crate) struct NoLostUpdate;

/// An acknowledged order is gone.
#[derive(Debug)]
struct Gone {
    order: OrderId,
    customer: Party,
    units: u32,
    version: Version,
    written: SimTime,
    at: SimTime,
    how: How,
}

#[derive(Debug)]
enum How {
    Overwritten { by: Party, order: OrderId, version: Version, based_on: Version },
    RolledBack { to: Version },
}

impl Checker for NoLostUpdate {
    fn observe(&mut self, _scene: &CheckContext, _event: &Event, _tally: &mut Tally) {}

    fn finish(self, context: &CheckContext, tally: &mut Tally) -> Finding {
        if !context.store_log.has_shared_state() {
            return Finding::bare(Verdict::NotApplicable);
        }
        for order in context.store_log.orders().filter(|order| order.is_missing()) {
            if order.acked {
                tally.lost_updates += 1;
                tally.lost_units += i64::from(order.units);
            } else if order.is_overwritten() {
                tally.overwritten_unacked += 1;
            }
        }
        let missing = context.store_log.missing().filter(|(_, order, _)| order.acked);
        let first = missing.min_by_key(|(write, _, loss)| (loss.at, write.version));
        Finding::from_first(first.map(|(write, order, loss)| gone(context, write, order, loss)))
    }
}

fn gone(context: &CheckContext, write: &Write, order: &Order, loss: Loss) -> Evidence {
    let writer = context.ledger.party(write.grant);
    let detail = Gone {
        order: write.order,
        customer: Party { client: order.client.or(writer.client), ..writer },
        units: order.units,
        version: write.version,
        written: write.at,
        at: loss.at,
        how: match loss.how {
            Overwritten::Overwrite { version, grant, order, based_on } => {
                How::Overwritten { by: context.ledger.party(grant), order, version, based_on }
            }
            Overwritten::Rollback { version } => How::RolledBack { to: version },
        },
    };
    Evidence::new(Property::NoLostUpdate, loss.at, detail)
}

impl Detail for Gone {
    fn tell(&self, f: &mut fmt::Formatter<'_>, names: &dyn NodeNames) -> fmt::Result {
        let Gone { order, customer, units: sold, version, written, at, how } = self;
        let sold = units(i64::from(*sold));
        write!(f, "{} order {order} of {sold} ({customer}) ", customer.whose(names))?;
        write!(f, "was acknowledged and is gone: it made version {version} at {written}, ")?;
        match how {
            How::Overwritten { by, order, version, based_on } => {
                write!(f, "and at {at} {} order {order} ({by}) made version {version} ", by.whose(names))?;
                write!(f, "from what version {based_on} had been")
            }
            How::RolledBack { to } => write!(f, "and at {at} the store fell back to version {to}"),
        }
    }

    fn parties(&self) -> Vec<Party> {
        match self.how {
            How::Overwritten { by, .. } => vec![self.customer, by],
            How::RolledBack { .. } => vec![self.customer],
        }
    }
}

#[cfg(test)]
mod tests {
    use fencepost_models::history::Refusal;

    use super::*;
    use crate::testing::*;

    const RULE: Property = Property::NoLostUpdate;

    #[test]
    fn accepts_writes_each_based_on_the_one_before() {
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
            findings.told(RULE),
            "client-2's order 1 of 1 unit (grant 2, 2nd in the grant order) was acknowledged and is gone: \
             it made version 1 at 1.000000 s, and at 2.000000 s client-1's order 0 \
             (grant 1, 1st in the grant order) made version 2 from what version 0 had been"
        );
        assert_eq!(findings.named(RULE), (vec![1, 2], vec![A, B]));
    }

    #[test]
    fn tells_whose_order_it_was_by_who_was_promised_it() {
        let findings = history().writes(2, 1, 0).acks(B, 1).writes(1, 0, 0).ends_at(9);
        assert!(findings.told(RULE).starts_with("client-2's order 1"));
    }

    #[test]
    fn rejects_an_acknowledgement_that_comes_after_the_loss() {
        let history = history().at(1).writes(2, 1, 0).at(2).writes(1, 0, 0).at(3).acks(B, 1);
        history.ends_at(9).assert_violated(RULE);
    }

    #[test]
    fn only_counts_what_was_overwritten_and_never_acknowledged() {
        let findings = history().writes(2, 1, 0).writes(1, 0, 0).acks(A, 0).unknown(B, 1).ends_at(9);
        findings.assert_holds(RULE);
        assert_eq!(findings.metric("overwritten_unacked"), 1);
        assert_eq!(findings.metric("lost_updates"), 0);
    }

    #[test]
    fn one_stale_write_can_lose_many() {
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
        assert!(findings.told(RULE).ends_with("and at 3.000000 s the store fell back to version 1"));
    }

    #[test]
    fn accepts_a_rollback_of_what_nobody_was_promised() {
        history().writes(1, 0, 0).acks(A, 0).writes(2, 1, 1).rolls_back_to(1).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn a_rollback_of_the_overwriter_brings_back_what_it_overwrote() {
        let lost = || history().writes(2, 1, 0).acks(B, 1).writes(1, 0, 0);
        lost().ends_at(9).assert_violated(RULE);
        lost().rolls_back_to(1).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn a_write_after_a_rollback_loses_nothing_more() {
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
        let nothing = || history_of(CaseSpec { workload: None, ..facts() });
        nothing().acks(A, 0).ends_at(1).assert_not_applicable(RULE);
        for used in [nothing().reads(1, 0), nothing().refused(1, Refusal::SoldOut), nothing().rolls_back_to(0)] {
            let findings = used.ends_at(1);
            findings.assert_holds(RULE);
            findings.assert_holds(Property::NoDuplicate);
        }
    }

    #[test]
    fn what_was_rolled_back_was_not_overwritten() {
        let findings = history().writes(1, 0, 0).unknown(A, 0).rolls_back_to(0).ends_at(9);
        assert_eq!(findings.metric("overwritten_unacked"), 0);
    }
}
