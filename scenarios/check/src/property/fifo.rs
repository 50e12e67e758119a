//! `fifo`: the service serves waiters in the order in which it enqueued them. A waiter is overtaken if another is granted
//! while it is still in the queue. One that left without a grant has lost its place.

use std::fmt;

use fencepost_models::history::{Event, GrantId};
use fencepost_sim::NodeId;
use fencepost_sim::time::SimTime;

use crate::check::{CaseSpec, CheckContext, Checker, Finding};
use crate::evidence::{Detail, Evidence, NodeNames, Party};
use crate::ledger::RecordChange;
use crate::metrics::Tally;
use crate::property::Property;

pub(crate) fn build(facts: &CaseSpec) -> Option<Fifo> {
    (facts.grants && facts.fifo).then(Fifo::default)
}

#[derive(Default)]
pub(crate) struct Fifo {
    queue: Vec<(GrantId, SimTime)>,
    first: Option<Evidence>,
}

/// Somebody was granted before one who had come earlier.
#[derive(Debug)]
struct Overtaken {
    waiter: Party,
    enqueued: SimTime,
    granted: Party,
    server: NodeId,
    at: SimTime,
}

impl Checker for Fifo {
    fn observe(&mut self, context: &CheckContext, event: &Event, _tally: &mut Tally) {
        match *event {
            Event::Enqueued { grant, .. } => {
                self.leave(grant);
                self.queue.push((grant, context.at));
            }
            Event::Withdrawn { grant, .. } => self.leave(grant),
            // A grant that is on record already comes before nobody by being repeated.
            Event::Granted { server, grant } if context.ledger.record_change() == RecordChange::Began(grant) => {
                self.serve(context, server, grant);
            }
            _ => {}
        }
    }

    fn finish(self, _scene: &CheckContext, _tally: &mut Tally) -> Finding {
        Finding::from_first(self.first)
    }
}

impl Fifo {
    fn leave(&mut self, grant: GrantId) {
        self.queue.retain(|(waiter, _)| *waiter != grant);
    }

    /// Who was never enqueued came after everybody who is.
    fn serve(&mut self, context: &CheckContext, server: NodeId, grant: GrantId) {
        let resource = context.ledger.resource_of(grant);
        let first = self.queue.iter().find(|(waiter, _)| context.ledger.resource_of(*waiter) == resource);
        if let Some((waiter, enqueued)) = first.copied().filter(|(waiter, _)| *waiter != grant) {
            let [waiter, granted] = [waiter, grant].map(|grant| context.ledger.party(grant));
            self.first.get_or_insert_with(|| {
                let detail = Overtaken { waiter, enqueued, granted, server, at: context.at };
                Evidence::new(Property::Fifo, context.at, detail)
            });
        }
        self.leave(grant);
    }
}

impl Detail for Overtaken {
    fn tell(&self, f: &mut fmt::Formatter<'_>, names: &dyn NodeNames) -> fmt::Result {
        let Overtaken { waiter, enqueued, granted, server, at } = self;
        write!(f, "{} gave the lock to {} ({granted}) at {at}, ", names.name(*server), granted.who(names))?;
        write!(f, "although {} ({waiter}) had been in the queue before, since {enqueued}", waiter.who(names))
    }

    fn parties(&self) -> Vec<Party> {
        vec![self.waiter, self.granted]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const RULE: Property = Property::Fifo;

    /// A holds, B and C are in the queue in this order.
    fn queue() -> History {
        history().granted(A, 1).at(1).asks(B, 2).enqueued(2).at(2).asks(C, 3).enqueued(3).at(3).released(1, 1)
    }

    #[test]
    fn accepts_first_come_first_served() {
        queue().granted_unasked(2).at(4).released(2, 2).granted_unasked(3).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn accepts_whoever_comes_after_one_who_left() {
        queue().withdrawn(2).granted_unasked(3).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn accepts_a_waiter_that_goes_back_to_the_end() {
        queue().enqueued(2).granted_unasked(3).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn accepts_the_repetition_of_a_grant() {
        queue().granted_unasked(2).granted_unasked(2).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn rejects_a_waiter_that_was_overtaken() {
        let findings = queue().granted_unasked(3).ends_at(9);
        findings.assert_violated(RULE);
        assert_eq!(
            findings.told(RULE),
            "server-1 gave the lock to client-3 (grant 3, 2nd in the grant order) at 3.000000 s, \
             although client-2 (grant 2) had been in the queue before, since 1.000000 s"
        );
        assert_eq!(findings.named(RULE), (vec![2, 3], vec![B, C]));
    }

    #[test]
    fn rejects_a_newcomer_that_did_not_queue() {
        queue().granted(A, 4).ends_at(9).assert_violated(RULE);
    }

    #[test]
    fn is_not_applicable_where_order_is_not_promised() {
        history_of(CaseSpec { fifo: false, ..facts() }).ends_at(1).assert_not_applicable(RULE);
    }
}
