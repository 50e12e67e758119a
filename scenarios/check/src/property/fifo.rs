//! `fifo`: the service grants the lock to waiters in the order in which it enqueued them. A waiter is overtaken if
//! another client gets the lock while the waiter is still in the queue. A waiter that leaves without a grant is
//! removed.

use fencepost_models::history::{Event, GrantId};
use fencepost_sim::NodeId;
use fencepost_sim::time::SimTime;

use crate::check::{CaseSpec, CheckContext, Checker, Output};
use crate::ledger::RecordChange;

#[derive(Default)]
pub(crate) struct Fifo {
    queue: Vec<(GrantId, SimTime)>,
}

impl Checker for Fifo {
    fn new(case: &CaseSpec) -> Option<Self> {
        (case.grants && case.fifo).then(Self::default)
    }

    fn observe(&mut self, context: &CheckContext, event: &Event, output: &mut Output) {
        match *event {
            Event::Enqueued { grant, .. } => {
                self.leave(grant);
                self.queue.push((grant, context.at));
            }
            Event::Withdrawn { grant, .. } => self.leave(grant),
            // A repeated grant is already on record and overtakes no waiter.
            Event::Granted { server, grant } if context.ledger.record_change() == RecordChange::Began(grant) => {
                self.check_first(context, server, grant, output);
                self.leave(grant);
            }
            _ => {}
        }
    }
}

impl Fifo {
    fn leave(&mut self, grant: GrantId) {
        self.queue.retain(|(waiter, _)| *waiter != grant);
    }

    /// Reports a grant that overtakes the first waiter. A client that was never enqueued ranks after every waiter.
    fn check_first(&self, context: &CheckContext, server: NodeId, grant: GrantId, output: &mut Output) {
        let row = context.ledger.row_of(grant);
        let first = self.queue.iter().find(|(waiter, _)| context.ledger.row_of(*waiter) == row);
        let Some((waiter, enqueued)) = first.copied().filter(|(waiter, _)| *waiter != grant) else { return };
        let (at, [waiter, granted]) = (context.at, [waiter, grant].map(|grant| context.grant(grant)));
        output.violated(at, [waiter, granted], move |names| {
            let ([w, g], server) = ([waiter, granted].map(|grant| names.client(grant)), names.node(server));
            format!(
                "{server} granted the lock to {g} ({granted}) at {at}, \
                 although {w} ({waiter}) had been in the queue since {enqueued}"
            )
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const RULE: Property = Property::Fifo;

    /// A held the lock until 3 s. B and C are in the queue, in this order.
    fn queue() -> History {
        history().granted(A, 1).at(1).requests(B, 2).enqueued(2).at(2).requests(C, 3).enqueued(3).at(3).released(1, 1)
    }

    #[test]
    fn accepts_grants_in_the_order_of_the_queue() {
        queue().granted_later(2).at(4).released(2, 2).granted_later(3).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn accepts_the_next_waiter_after_one_leaves() {
        queue().withdrawn(2).granted_later(3).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn accepts_a_waiter_that_is_enqueued_again() {
        queue().enqueued(2).granted_later(3).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn accepts_a_repeated_grant() {
        queue().granted_later(2).granted_later(2).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn rejects_a_waiter_that_was_overtaken() {
        let findings = queue().granted_later(3).ends_at(9);
        findings.assert_violated(RULE);
        assert_eq!(
            findings.sentence(RULE),
            "server-1 granted the lock to client-3 (grant 3, 2nd in the grant order) at 3.000000 s, \
             although client-2 (grant 2) had been in the queue since 1.000000 s"
        );
        assert_eq!(findings.named(RULE), (vec![2, 3], vec![B, C]));
    }

    #[test]
    fn rejects_a_client_that_skips_the_queue() {
        queue().granted(A, 4).ends_at(9).assert_violated(RULE);
    }

    #[test]
    fn is_not_applicable_without_a_promised_order() {
        history_of(CaseSpec { fifo: false, ..case_spec() }).ends_at(1).assert_not_applicable(RULE);
    }
}
