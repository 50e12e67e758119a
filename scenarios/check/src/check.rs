//! The checkers: they follow the history of a case as it happens and give a verdict on each [property](Property).
//!
//! All checkers share one context: the ledger of grants, the waiters for the lock, the obstacles in their way, and the log
//! of the guarded store. A checker sees each event after the context includes it. [`property`](crate::property) says how
//! to add a property.

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
    /// The lock has grants (`sql-version` has none).
    pub grants: bool,
    /// The lock advertises until when a grant is valid.
    pub validity: bool,
    /// The lock grants with fencing tokens.
    pub tokens: bool,
    /// The lock can be released.
    pub releases: bool,
    /// The effect of a nested acquire, according to the lock's documentation.
    pub reentrancy: Reentrancy,
    /// How long a nested acquire waits before it gives up.
    pub nested_wait: Duration,
    /// The lock promises to grant to waiters in the order of their arrival.
    pub fifo: bool,
    /// The number of servers that must apply a grant (Redlock: 3 of 5). If it is 1, all servers are one service.
    pub quorum: u32,
    /// The servers agree by consensus, and so promise linearizable operations.
    pub consensus: bool,
    /// There is no service (lock `none`): grants rank in the order in which their acquires returned.
    pub rank_by_return: bool,
    /// The clients in order: bit i of a fault's bit set is the i-th of them.
    pub clients: Vec<NodeId>,
    /// The most orders that the demand has. The case may end long before.
    pub orders: u32,
    /// What the lock guards, if it guards anything.
    pub workload: Option<WorkloadSpec>,
    /// The longest permitted time from a holder's crash to the next grant.
    pub takeover_bound: Duration,
    /// The longest permitted time from healing to the first acquire.
    pub progress_bound: Duration,
    /// The longest permitted time that two clients wait for each other's lock.
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
    /// The first violation of each property that was violated, in the same order.
    pub evidence: Vec<Evidence>,
    /// All metrics in a fixed order, without those of events that did not happen. Each is a whole number in the unit that
    /// its name ends with.
    pub metrics: Vec<(Cow<'static, str>, i64)>,
    /// The spans until healing; empty without [`Checkers::with_spans`].
    pub spans: Vec<Span>,
}

/// A checker of one property.
pub(crate) trait Checker: Sized {
    /// The checker for a case; `None` if the property does not apply to it.
    fn new(case: &CaseSpec) -> Option<Self>;

    /// Handles an event. The state that all checkers share includes it already.
    fn observe(&mut self, context: &CheckContext, event: &Event, output: &mut Output);

    /// When the latest bound that now runs will have passed, if one runs.
    fn open_until(&self) -> Option<SimTime> {
        None
    }

    /// The verdict on the case, which ends now. If a violation was reported, it is `Violated` whatever this returns.
    fn finish(self, _context: &CheckContext, _output: &mut Output) -> Verdict {
        Verdict::Holds
    }
}

/// The time of an event, and the state that all checkers share, after it.
pub(crate) struct CheckContext {
    pub(crate) at: SimTime,
    pub(crate) ledger: Ledger,
    pub(crate) waiters: Waiters,
    pub(crate) obstacles: Obstacles,
    pub(crate) store_log: StoreLog,
}

/// What a checker reports to.
pub(crate) struct Output<'a> {
    property: Property,
    pub(crate) tally: &'a mut Tally,
    evidence: &'a mut Option<Evidence>,
}

/// The checker of one property in one case, with the first violation that it reported.
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

    /// The case ends now.
    fn finish(&mut self, at: SimTime, tally: &mut Tally) {
        self.at = at;
        self.store_log.settle();
        self.obstacles.finish(at, tally);
    }

    /// The grant as it appears in evidence.
    pub(crate) fn grant(&self, grant: GrantId) -> GrantInfo {
        self.ledger.info(grant)
    }
}

impl Output<'_> {
    /// Reports a violation; all but the first are ignored. `grants` are those that the sentence names.
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
    /// The number of orders to reserve memory for.
    pub(crate) fn expected_orders(&self) -> usize {
        self.orders.min(64) as usize
    }

    /// The initial stock, if there is one.
    pub(crate) fn stock(&self) -> Option<i64> {
        self.workload.and_then(|workload| workload.stock())
    }

    /// Two resources are locked, each with a lock of its own.
    pub(crate) fn two_resources(&self) -> bool {
        self.workload.is_some_and(|workload| workload.resources > 1)
    }
}

impl Checkers {
    /// The checkers for a case.
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

    /// Handles an event. Events come in the order in which they happened.
    pub fn observe(&mut self, at: SimTime, event: &Event) {
        let Checkers { context, meter, tally, properties } = self;
        meter.pass_time(at, context);
        context.observe(at, event, tally);
        meter.observe(context, event, tally);
        properties.observe(context, event, tally);
    }

    /// When the latest liveness bound that now runs will have passed; `None` if none runs. Later events can meet a
    /// bound, start another, or restart one, so ask again after them.
    pub fn open_until(&self) -> Option<SimTime> {
        self.properties.open_until()
    }

    /// The result of a case that ended at `at`. A bound that has not passed by then makes its property unknown.
    pub fn finish(self, at: SimTime) -> Findings {
        let Checkers { mut context, mut meter, mut tally, properties } = self;
        meter.pass_time(at, &context);
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
    /// The verdict on one property.
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
        let without = |case: CaseSpec, gone: &[Property]| {
            let findings = history_of(case).acquires_again(A, 1, 2).at(1).crashes(B).healed().ends_at(2);
            let said = findings.verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::NotApplicable);
            let never = [Takeover, Consistent];
            let said: Vec<Property> = said.map(|(property, _)| *property).filter(|p| !never.contains(p)).collect();
            assert_eq!(said, gone);
        };
        without(case_spec(), &[]);
        let exclusive = [GrantExclusion, BeliefExclusion, ValidityExclusion, EffectExclusion];
        let others = [Fencing, OwnerRelease, Reentrancy, Fifo, Linearizable];
        without(CaseSpec { grants: false, ..case_spec() }, &[&exclusive[..], &others[..]].concat());
        without(CaseSpec { rank_by_return: true, ..case_spec() }, &[GrantExclusion]);
        without(CaseSpec { validity: false, ..case_spec() }, &[ValidityExclusion]);
        without(CaseSpec { tokens: false, ..case_spec() }, &[Fencing]);
        without(CaseSpec { releases: false, ..case_spec() }, &[OwnerRelease]);
        let nothing_nests = fencepost_models::Reentrancy::NotApplicable;
        without(CaseSpec { reentrancy: nothing_nests, ..case_spec() }, &[Reentrancy]);
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
        let followed = spans(Checkers::new(&case_spec()).with_spans(run_for));
        assert_eq!(followed.iter().map(|span| span.slices).sum::<u64>(), 40);
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
