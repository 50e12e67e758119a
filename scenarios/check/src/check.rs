//! The checkers, which process the history of a case as it happens and return a verdict on each [property](Property).
//!
//! All checkers share one context: the ledger of grants, the waiters for the lock, what blocks them, and the log of the
//! guarded store. The context is updated with each event before the checkers see it. See [`property`](crate::property)
//! for how to add a property.

use std::borrow::Cow;
use std::time::Duration;

use fencepost_models::Reentrancy;
use fencepost_models::history::{Event, GrantId};
use fencepost_sim::NodeId;
use fencepost_sim::time::SimTime;

pub use crate::evidence::Evidence;
use crate::evidence::{GrantInfo, Names};
use crate::ledger::Ledger;
use crate::metrics::{Meter, Tally};
use crate::obstacles::Obstacles;
use crate::property::{Property, PropertyCheckers, Verdict};
use crate::span::Span;
use crate::store_log::StoreLog;
use crate::waiters::Waiters;
use crate::workload::WorkloadSpec;

/// What the checkers need to know about the lock and the workload.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseSpec {
    /// Whether the lock has grants (`sql-version` does not).
    pub grants: bool,
    /// Whether the lock advertises how long a grant is valid.
    pub validity: bool,
    /// Whether grants carry fencing tokens.
    pub tokens: bool,
    /// Whether the lock can be released.
    pub releases: bool,
    /// The effect of a nested acquire, according to the lock's documentation.
    pub reentrancy: Reentrancy,
    /// The time after which a nested acquire gives up, by the caller or by the library itself.
    pub nested_wait: Duration,
    /// Whether the lock promises to serve waiters in order of arrival.
    pub fifo: bool,
    /// The number of servers that must apply a grant (Redlock: 3 of 5). With 1, all servers form one service.
    pub quorum: u32,
    /// Whether the servers agree by consensus, and so promise linearizable operations.
    pub consensus: bool,
    /// Whether grants rank in the order in which their acquires returned, because there is no service (lock `none`).
    pub rank_by_return: bool,
    /// The clients. Bit i of a fault's bit set stands for the i-th client.
    pub clients: Vec<NodeId>,
    /// The maximum number of orders. The case may end long before it is reached.
    pub orders: u32,
    /// The workload that the lock guards, if any.
    pub workload: Option<WorkloadSpec>,
    /// The longest permitted time from a holder's crash to the next grant.
    pub takeover_bound: Duration,
    /// The longest permitted time from healing to the first acquire.
    pub progress_bound: Duration,
    /// The longest permitted time for which two clients wait for each other's lock.
    pub deadlock_bound: Duration,
}

/// The checkers of one case.
pub struct Checkers {
    context: CheckContext,
    meter: Meter,
    tally: Tally,
    properties: PropertyCheckers,
}

/// The results of all checkers for one case.
#[derive(Debug, Default)]
pub struct Findings {
    /// The verdict on each property, in the order of [`Property::ALL`].
    pub verdicts: Vec<(Property, Verdict)>,
    /// The first violation of each violated property, in the same order.
    pub evidence: Vec<Evidence>,
    /// All metrics in a fixed order, except metrics of events that did not occur. Each value is an integer, in the unit
    /// that the name ends with.
    pub metrics: Vec<(Cow<'static, str>, i64)>,
    /// The spans until healing. Empty unless [`Checkers::with_spans`] was called.
    pub spans: Vec<Span>,
}

/// A checker of one property.
pub(crate) trait Checker: Sized {
    /// Creates the checker for a case. Returns `None` if the property does not apply to it.
    fn new(case: &CaseSpec) -> Option<Self>;

    /// Handles an event, which `context` already includes.
    fn observe(&mut self, context: &CheckContext, event: &Event, output: &mut Output);

    /// Returns the latest deadline among the bounds that are running, if any.
    fn open_until(&self) -> Option<SimTime> {
        None
    }

    /// Returns the verdict on the case, which ends now. A reported violation overrides it with `Violated`.
    fn finish(self, _context: &CheckContext, _output: &mut Output) -> Verdict {
        Verdict::Holds
    }
}

/// The state that all checkers share, including the latest event.
pub(crate) struct CheckContext {
    /// The time of the latest event.
    pub(crate) at: SimTime,
    pub(crate) ledger: Ledger,
    pub(crate) waiters: Waiters,
    pub(crate) obstacles: Obstacles,
    pub(crate) store_log: StoreLog,
}

/// The violations and metrics that a checker reports.
pub(crate) struct Output<'a> {
    property: Property,
    pub(crate) tally: &'a mut Tally,
    evidence: &'a mut Option<Evidence>,
}

/// The checker of one property in one case, and the first violation that it reported.
pub(crate) struct PropertyCheck<C> {
    property: Property,
    checker: C,
    evidence: Option<Evidence>,
}

impl CheckContext {
    fn new(case: &CaseSpec) -> Self {
        CheckContext {
            at: SimTime::default(),
            ledger: Ledger::new(case),
            waiters: Waiters::new(case.clients.clone()),
            obstacles: Obstacles::new(case),
            store_log: StoreLog::new(case),
        }
    }

    fn observe(&mut self, at: SimTime, event: &Event, tally: &mut Tally) {
        debug_assert!(at >= self.at, "events come in order");
        self.at = at;
        self.ledger.observe(event);
        self.waiters.observe(at, event, &self.ledger);
        self.obstacles.observe(at, event, &self.ledger, &self.waiters, tally);
        self.store_log.observe(at, event, &self.ledger);
    }

    fn finish(&mut self, at: SimTime, tally: &mut Tally) {
        self.at = at;
        self.store_log.settle();
        self.obstacles.finish(at, tally);
    }

    /// Returns the grant as it appears in evidence.
    pub(crate) fn grant(&self, grant: GrantId) -> GrantInfo {
        self.ledger.info(grant)
    }
}

impl Output<'_> {
    /// Reports a violation. Only the first one is kept. `grants` are the grants that the sentence names.
    pub(crate) fn violated(
        &mut self,
        at: SimTime,
        grants: impl IntoIterator<Item = GrantInfo>,
        sentence: impl Fn(&Names) -> String + Send + Sync + 'static,
    ) {
        self.evidence.get_or_insert_with(|| Evidence::new(self.property, at, grants, sentence));
    }

    pub(crate) fn is_violated(&self) -> bool {
        self.evidence.is_some()
    }
}

impl<C: Checker> PropertyCheck<C> {
    pub(crate) fn new(property: Property, case: &CaseSpec) -> Option<Self> {
        Some(PropertyCheck { property, checker: C::new(case)?, evidence: None })
    }

    #[inline]
    pub(crate) fn observe(&mut self, context: &CheckContext, event: &Event, tally: &mut Tally) {
        let mut output = Output { property: self.property, tally, evidence: &mut self.evidence };
        self.checker.observe(context, event, &mut output);
    }

    pub(crate) fn open_until(&self) -> Option<SimTime> {
        self.checker.open_until()
    }

    pub(crate) fn finish(mut self, context: &CheckContext, tally: &mut Tally, findings: &mut Findings) {
        let mut output = Output { property: self.property, tally, evidence: &mut self.evidence };
        let verdict = self.checker.finish(context, &mut output);
        let verdict = if self.evidence.is_some() { Verdict::Violated } else { verdict };
        findings.verdicts.push((self.property, verdict));
        findings.evidence.extend(self.evidence);
    }
}

impl CaseSpec {
    /// Returns the number of orders to reserve memory for.
    pub(crate) fn expected_orders(&self) -> usize {
        self.orders.min(64) as usize
    }

    /// Returns the initial stock, if the workload has one.
    pub(crate) fn stock(&self) -> Option<i64> {
        self.workload.and_then(|workload| workload.stock())
    }

    /// Returns whether the case has two resources, each with its own lock.
    pub(crate) fn two_resources(&self) -> bool {
        self.workload.is_some_and(|workload| workload.resources > 1)
    }
}

impl Checkers {
    /// Creates the checkers for a case.
    pub fn new(case: &CaseSpec) -> Self {
        Checkers {
            context: CheckContext::new(case),
            meter: Meter::default(),
            tally: Tally::default(),
            properties: PropertyCheckers::new(case),
        }
    }

    /// Also fills [`Findings::spans`] for a run phase of this length.
    pub fn with_spans(mut self, run_for: Duration) -> Self {
        self.meter.divide_into_spans(run_for);
        self
    }

    /// Handles an event. Events must be passed in the order in which they happened.
    pub fn observe(&mut self, at: SimTime, event: &Event) {
        let Checkers { context, meter, tally, properties } = self;
        meter.advance_to(at, context);
        context.observe(at, event, tally);
        meter.observe(context, event, tally);
        properties.observe(context, event, tally);
    }

    /// Returns the latest deadline among the liveness bounds that are running, or `None` if none is running.
    ///
    /// Later events can meet, start or restart a bound, so call this again after each event.
    pub fn open_until(&self) -> Option<SimTime> {
        self.properties.open_until()
    }

    /// Returns the result of a case that ended at `at`. A bound still running then makes its property unknown.
    pub fn finish(self, at: SimTime) -> Findings {
        let Checkers { mut context, mut meter, mut tally, properties } = self;
        meter.advance_to(at, &context);
        context.finish(at, &mut tally);
        meter.finish(&context, &mut tally);
        let mut findings = Findings { spans: meter.take_spans(), ..Findings::default() };
        properties.finish(&context, &mut tally, &mut findings);
        tally.conclude(context.store_log.workload);
        findings.metrics = tally.rows(context.store_log.workload);
        findings
    }
}

impl Findings {
    /// Returns the verdict on one property.
    pub fn verdict(&self, property: Property) -> Verdict {
        self.verdicts.iter().find(|(p, _)| *p == property).map_or(Verdict::NotApplicable, |(_, verdict)| *verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn an_empty_history_violates_nothing() {
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
    fn a_property_does_not_apply_without_the_feature_that_it_needs() {
        use Property::*;
        let without = |case: CaseSpec, expected: &[Property]| {
            let findings = history_of(case).acquires_again(A, 1, 2).at(1).crashes(B).healed().ends_at(2);
            let inapplicable = findings.verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::NotApplicable);
            let never = [Takeover, Consistent];
            let inapplicable = inapplicable.map(|(property, _)| *property).filter(|p| !never.contains(p));
            assert_eq!(inapplicable.collect::<Vec<_>>(), expected);
        };
        without(case_spec(), &[]);
        let exclusive = [GrantExclusion, BeliefExclusion, ValidityExclusion, EffectExclusion];
        let others = [Fencing, OwnerRelease, Reentrancy, Fifo, Linearizable];
        without(CaseSpec { grants: false, ..case_spec() }, &[&exclusive[..], &others[..]].concat());
        without(CaseSpec { rank_by_return: true, ..case_spec() }, &[GrantExclusion]);
        without(CaseSpec { validity: false, ..case_spec() }, &[ValidityExclusion]);
        without(CaseSpec { tokens: false, ..case_spec() }, &[Fencing]);
        without(CaseSpec { releases: false, ..case_spec() }, &[OwnerRelease]);
        let no_nesting = fencepost_models::Reentrancy::NotApplicable;
        without(CaseSpec { reentrancy: no_nesting, ..case_spec() }, &[Reentrancy]);
        without(CaseSpec { fifo: false, ..case_spec() }, &[Fifo]);
        without(CaseSpec { consensus: false, ..case_spec() }, &[Linearizable]);
        without(effects(None), &[NoLostUpdate, NoOversell]);
        without(records(&SET), &[NoOversell]);
        without(CaseSpec { workload: None, ..case_spec() }, &[NoLostUpdate, NoOversell, NoDuplicate]);
    }

    #[test]
    fn spans_are_filled_on_request() {
        let run_for = Duration::from_secs(4);
        let spans = |checkers: Checkers| checkers.finish(SimTime(4_000_000_000)).spans;
        assert_eq!(spans(Checkers::new(&case_spec())), []);
        let filled = spans(Checkers::new(&case_spec()).with_spans(run_for));
        assert_eq!(filled.iter().map(|span| span.slices).sum::<u64>(), 40);
    }

    #[test]
    fn only_progress_applies_to_a_lock_without_features() {
        let case = CaseSpec {
            grants: false,
            validity: false,
            tokens: false,
            releases: false,
            fifo: false,
            workload: None,
            orders: u32::MAX,
            ..case_spec()
        };
        let findings = history_of(case).healed().ends_at(0);
        for (property, verdict) in &findings.verdicts {
            let expected = match property {
                Property::Progress => Verdict::Holds,
                _ => Verdict::NotApplicable,
            };
            assert_eq!(*verdict, expected, "{property:?}");
        }
    }
}
