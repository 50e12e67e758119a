//! The checkers: they follow the history of a case as it happens and judge it by the [properties](Property).
//!
//! Four books are kept for all of them: the ledger of grants, the waiters for the lock, what is in their way, and the
//! store_log of what the guarded store did. A checker sees each event after the books have noted it. Adding one takes a file of its
//! own and a line in the registry.

use std::borrow::Cow;
use std::time::Duration;

use fencepost_models::Reentrancy;
use fencepost_models::history::Event;
use fencepost_sim::NodeId;
use fencepost_sim::time::SimTime;

pub use crate::evidence::{Evidence, NodeNames, Told};
use crate::guarded::Guarded;
use crate::ledger::Ledger;
use crate::metrics::{Meter, Tally};
use crate::obstacles::Obstacles;
use crate::property::{Property, PropertyCheckers, Verdict};
use crate::span::Span;
use crate::store_log::StoreLog;
use crate::waiters::Waiters;

/// What the checkers need to know of the lock and the workload.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseSpec {
    /// The lock has grants (`sql-version` has none).
    pub grants: bool,
    /// The lock advertises until when a grant is valid.
    pub validity: bool,
    /// The lock hands out fencing tokens.
    pub tokens: bool,
    /// The lock can be released.
    pub releases: bool,
    /// What happens when a holder acquires again, by the lock's documentation.
    pub reentrancy: Reentrancy,
    /// How long a holder that acquires again waits for it.
    pub nested_patience: Duration,
    /// The lock promises that waiters get it in the order in which they came.
    pub fifo: bool,
    /// How many servers must apply a grant (Redlock: 3 of 5). Where it is 1, all servers count as one service.
    pub quorum: u32,
    /// The servers agree by consensus, and so promise linearizable operations.
    pub consensus: bool,
    /// There is no service (lock `none`): grants rank in the order in which their acquires returned.
    pub rank_by_return: bool,
    /// The clients in order: bit i of a fault's bit set is the i-th of them.
    pub clients: Vec<NodeId>,
    /// How many orders the demand has, at most. It may be far more than the case gets to.
    pub orders: u32,
    /// What the lock guards, if it guards anything.
    pub workload: Option<Guarded>,
    /// How long after a holder's crash a waiter may have to wait for a grant.
    pub takeover_bound: Duration,
    /// How long after healing the first acquire may take.
    pub progress_bound: Duration,
    /// How long two clients may wait for each other's lock.
    pub deadlock_bound: Duration,
}

/// All checkers at work on one case.
pub struct Checkers {
    at: SimTime,
    ledger: Ledger,
    waiters: Waiters,
    obstacles: Obstacles,
    store_log: StoreLog,
    meter: Meter,
    tally: Tally,
    properties: PropertyCheckers,
}

/// What the checkers found in one case.
#[derive(Debug, Default)]
pub struct Findings {
    /// The verdict on each property, in the order of [`Property::ALL`].
    pub verdicts: Vec<(Property, Verdict)>,
    /// The first violation of each property that was violated, in the same order.
    pub evidence: Vec<Evidence>,
    /// All metrics in a fixed order, without those of what did not happen; each is a whole number in the unit its name ends with.
    pub metrics: Vec<(Cow<'static, str>, i64)>,
    /// The course until healing, if it was followed.
    pub spans: Vec<Span>,
}

/// A checker of one property.
pub(crate) trait Checker {
    /// Takes note of an event.
    fn observe(&mut self, context: &CheckContext, event: &Event, tally: &mut Tally);

    /// When at the latest the obligation that is now open can be judged, if one is.
    fn open_until(&self) -> Option<SimTime> {
        None
    }

    /// Judges the case, which ends now.
    fn finish(self, context: &CheckContext, tally: &mut Tally) -> Finding;
}

/// The moment of an event, with the four books as they stand after it.
pub(crate) struct CheckContext<'a> {
    pub(crate) at: SimTime,
    pub(crate) ledger: &'a Ledger,
    pub(crate) waiters: &'a Waiters,
    pub(crate) obstacles: &'a Obstacles,
    pub(crate) store_log: &'a StoreLog,
}

/// What one checker found.
pub(crate) struct Finding {
    pub(crate) verdict: Verdict,
    pub(crate) evidence: Option<Evidence>,
}

impl CaseSpec {
    /// For how many orders to make room beforehand.
    pub(crate) fn expected_orders(&self) -> usize {
        self.orders.min(64) as usize
    }

    /// The initial stock, if there is one.
    pub(crate) fn stock(&self) -> Option<i64> {
        if let Some(Guarded::Stock(stock)) = self.workload { Some(stock.into()) } else { None }
    }

    /// Two resources are locked, each with a lock of its own.
    pub(crate) fn two_resources(&self) -> bool {
        self.workload.is_some_and(|guarded| guarded.resources() > 1)
    }
}

impl Checkers {
    /// The checkers for a case of this lock and workload.
    pub fn new(facts: CaseSpec) -> Self {
        Checkers {
            at: SimTime::default(),
            properties: PropertyCheckers::new(&facts),
            ledger: Ledger::new(&facts),
            obstacles: Obstacles::new(&facts),
            store_log: StoreLog::new(&facts),
            meter: Meter::default(),
            tally: Tally::default(),
            waiters: Waiters::new(facts.clients),
        }
    }

    /// Follows the course of a run phase of this length, too.
    pub fn following(mut self, run_for: Duration) -> Self {
        self.meter.follow(run_for);
        self
    }

    /// Takes note of an event. Events come in the order in which they happened.
    pub fn observe(&mut self, at: SimTime, event: &Event) {
        debug_assert!(at >= self.at, "events come in order");
        self.at = at;
        self.meter.pass_time(at, &self.waiters, &self.obstacles);
        self.ledger.observe(event);
        self.waiters.observe(at, event, &self.ledger);
        self.obstacles.observe(at, event, &self.ledger, &self.waiters, &mut self.tally);
        self.store_log.observe(at, event, &self.ledger);
        let context = CheckContext {
            at,
            ledger: &self.ledger,
            waiters: &self.waiters,
            obstacles: &self.obstacles,
            store_log: &self.store_log,
        };
        self.meter.observe(&context, event, &mut self.tally);
        self.properties.observe(&context, event, &mut self.tally);
    }

    /// When at the latest every liveness obligation that is now open can be judged; `None` if none is open. Later
    /// events can discharge an obligation, open another, or restart a bound, so ask again after them.
    pub fn open_until(&self) -> Option<SimTime> {
        self.properties.open_until()
    }

    /// Judges the case, which ended at `at`. An obligation whose bound has not passed by then makes its property
    /// unknown.
    pub fn finish(mut self, at: SimTime) -> Findings {
        self.meter.pass_time(at, &self.waiters, &self.obstacles);
        self.store_log.settle();
        self.obstacles.finish(at, &mut self.tally);
        let context = CheckContext {
            at,
            ledger: &self.ledger,
            waiters: &self.waiters,
            obstacles: &self.obstacles,
            store_log: &self.store_log,
        };
        self.meter.finish(&context, &mut self.tally);
        let mut findings = Findings { spans: self.meter.take_spans(), ..Findings::default() };
        self.properties.finish(&context, &mut self.tally, &mut findings);
        self.tally.conclude(self.store_log.workload);
        findings.metrics = self.tally.rows(self.store_log.workload);
        findings
    }
}

impl Findings {
    /// The verdict on one property.
    pub fn verdict(&self, property: Property) -> Verdict {
        self.verdicts.iter().find(|(p, _)| *p == property).map_or(Verdict::NotApplicable, |(_, verdict)| *verdict)
    }

    /// `None`: the property has no meaning here.
    pub(crate) fn add(&mut self, property: Property, finding: Option<Finding>) {
        let finding = finding.unwrap_or(Finding::bare(Verdict::NotApplicable));
        self.verdicts.push((property, finding.verdict));
        self.evidence.extend(finding.evidence);
    }
}

impl Finding {
    /// A verdict that needs no evidence.
    pub(crate) fn bare(verdict: Verdict) -> Finding {
        Finding { verdict, evidence: None }
    }

    /// Violated if there was a first violation.
    pub(crate) fn from_first(first: Option<Evidence>) -> Finding {
        Finding { verdict: if first.is_some() { Verdict::Violated } else { Verdict::Holds }, evidence: first }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn an_empty_history_breaks_nothing() {
        let findings = history().healed().ends_at(0);
        for (property, verdict) in &findings.verdicts {
            let expected = match property {
                Property::Takeover | Property::Reentrancy | Property::Consistent => Verdict::NotApplicable,
                _ => Verdict::Holds,
            };
            assert_eq!(*verdict, expected, "{property:?}");
        }
        assert!(findings.evidence.is_empty());
    }

    #[test]
    fn what_one_fact_takes_away_is_what_needs_it() {
        use Property::*;
        let without = |facts: CaseSpec, gone: &[Property]| {
            let findings = history_of(facts).nests(A, 1, 2).at(1).crashes(B).healed().ends_at(2);
            let said = findings.verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::NotApplicable);
            let never = [Takeover, Consistent];
            let said: Vec<Property> = said.map(|(property, _)| *property).filter(|p| !never.contains(p)).collect();
            assert_eq!(said, gone);
        };
        without(facts(), &[]);
        let exclusive = [GrantExclusion, BeliefExclusion, ValidityExclusion, EffectExclusion];
        let others = [Fencing, OwnerRelease, Reentrancy, Fifo, Linearizable];
        without(CaseSpec { grants: false, ..facts() }, &[&exclusive[..], &others[..]].concat());
        without(CaseSpec { rank_by_return: true, ..facts() }, &[GrantExclusion]);
        without(CaseSpec { validity: false, ..facts() }, &[ValidityExclusion]);
        without(CaseSpec { tokens: false, ..facts() }, &[Fencing]);
        without(CaseSpec { releases: false, ..facts() }, &[OwnerRelease]);
        let nothing_nests = fencepost_models::Reentrancy::NotApplicable;
        without(CaseSpec { reentrancy: nothing_nests, ..facts() }, &[Reentrancy]);
        without(CaseSpec { fifo: false, ..facts() }, &[Fifo]);
        without(CaseSpec { consensus: false, ..facts() }, &[Linearizable]);
        without(effects(None), &[NoLostUpdate, NoOversell]);
        without(records(crate::guarded::Object::Set), &[NoOversell]);
        without(CaseSpec { workload: None, ..facts() }, &[NoLostUpdate, NoOversell, NoDuplicate]);
    }

    #[test]
    fn the_course_is_told_where_it_was_followed() {
        let run_for = Duration::from_secs(4);
        let spans = |checkers: Checkers| checkers.finish(SimTime(4_000_000_000)).spans;
        assert_eq!(spans(Checkers::new(facts())), []);
        let followed = spans(Checkers::new(facts()).following(run_for));
        assert_eq!(followed.iter().map(|span| span.slices).sum::<u64>(), 40);
    }

    #[test]
    fn what_a_lock_does_not_have_is_not_applicable() {
        let facts = CaseSpec {
            grants: false,
            validity: false,
            tokens: false,
            releases: false,
            fifo: false,
            workload: None,
            orders: u32::MAX,
            ..facts()
        };
        let findings = history_of(facts).healed().ends_at(0);
        for (property, verdict) in &findings.verdicts {
            let expected = match property {
                Property::Progress => Verdict::Holds,
                _ => Verdict::NotApplicable,
            };
            assert_eq!(*verdict, expected, "{property:?}");
        }
    }
}
