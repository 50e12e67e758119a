//! The summed results of one cell.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::sample::{Decisive, Sample, Samples};
use super::tally::Tally;
use crate::property::{Property, Verdict};
use crate::run::case_result::{CaseResult, SPANS, Span};
use crate::run::stats::{Interval, clopper_pearson, violation_interval};

/// The summed results of a cell's cases. Its size does not depend on the number of cases, and neither the order of
/// adding nor merging shards changes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CellResult {
    cases: u64,
    properties: BTreeMap<Property, PropertyCount>,
    harm: PropertyCount,
    metrics: BTreeMap<Cow<'static, str>, Tally>,
    faults: Vec<FaultSum>,
    censored: u64,
    untouched: u64,
    events: u128,
    touched_holder: TouchedHolder,
    sold_uncensored: Tally,
    spans: Vec<Span>,
    samples: Samples,
}

/// The verdicts on one property, counted over cases: of one cell or of several pooled cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PropertyCount {
    /// Cases in which the property holds.
    pub holds: u64,
    /// Cases that violate the property.
    pub violated: u64,
    /// Cases that ended before the property could be decided.
    pub unknown: u64,
    /// Cases to which the property does not apply.
    pub not_applicable: u64,
    /// The smallest violated seed; `None` for pooled cells.
    pub first_seed: Option<u64>,
}

/// The injections of one fault, summed over all cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultSum {
    /// Injections in the schedules.
    pub planned: u64,
    /// Injections that began.
    pub fired: u64,
    /// Injections that changed something in the world.
    pub touched: u64,
    /// Cases in which at least one injection changed something in the world.
    pub cases_touched: u64,
}

/// Effect exclusion in the cases in which a fault touched a grant while it was held. Readers can multiply this share by
/// their own rate of incidents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TouchedHolder {
    /// The number of these cases in which effect exclusion is decided.
    pub cases: u64,
    /// The number of these cases that violate effect exclusion.
    pub violated: u64,
}

impl CellResult {
    /// Adds the result of one case.
    ///
    /// # Panics
    ///
    /// If a metric is negative: metrics are counts, so the checker that reported it would be wrong.
    pub fn add(&mut self, seed: u64, result: &CaseResult) {
        self.cases += 1;
        self.censored += u64::from(result.censored);
        self.untouched += u64::from(result.faults.iter().all(|fault| fault.touched == 0));
        self.events += u128::from(result.events);
        for property in Property::ALL {
            self.properties.entry(property).or_default().add(seed, result.verdict(property));
        }
        self.harm.add(seed, harm_of(result));
        for (name, value) in &result.metrics {
            let value = u64::try_from(*value).unwrap_or_else(|_| panic!("metric {name} of seed {seed} is {value} < 0"));
            match self.metrics.get_mut(name.as_ref()) {
                Some(tally) => tally.add(value),
                None => self.metrics.entry(name.clone()).or_default().add(value),
            }
            if name == "oversold_units" && !result.censored {
                self.sold_uncensored.add(value);
            }
        }
        self.add_spans(&result.spans);
        self.add_faults(result);
        self.samples.add(seed, result);
        if result.touched_holder {
            self.touched_holder.add(result.verdict(Property::EffectExclusion));
        }
    }

    fn add_spans(&mut self, spans: &[Span]) {
        if self.spans.len() < spans.len() {
            self.spans.resize(spans.len().min(SPANS), Span::default());
        }
        self.spans.iter_mut().zip(spans).for_each(|(sum, span)| sum.add(span));
    }

    fn add_faults(&mut self, result: &CaseResult) {
        if self.faults.len() < result.faults.len() {
            self.faults.resize(result.faults.len(), FaultSum::default());
        }
        for (sum, fault) in self.faults.iter_mut().zip(&result.faults) {
            sum.planned += fault.planned;
            sum.fired += fault.fired;
            sum.touched += fault.touched;
            sum.cases_touched += u64::from(fault.touched > 0);
        }
    }

    /// Adds the cases of another shard of the same cell.
    pub fn merge(&mut self, other: &CellResult) {
        self.cases += other.cases;
        self.censored += other.censored;
        self.untouched += other.untouched;
        self.events += other.events;
        for (property, count) in &other.properties {
            self.properties.entry(*property).or_default().merge(count);
        }
        self.harm.merge(&other.harm);
        for (name, tally) in &other.metrics {
            self.metrics.entry(name.clone()).or_default().merge(tally);
        }
        self.sold_uncensored.merge(&other.sold_uncensored);
        self.add_spans(&other.spans);
        if self.faults.len() < other.faults.len() {
            self.faults.resize(other.faults.len(), FaultSum::default());
        }
        for (sum, more) in self.faults.iter_mut().zip(&other.faults) {
            sum.merge(more);
        }
        self.samples.merge(&other.samples);
        self.touched_holder.cases += other.touched_holder.cases;
        self.touched_holder.violated += other.touched_holder.violated;
    }

    /// Returns the number of cases.
    pub fn cases(&self) -> u64 {
        self.cases
    }

    /// Returns the verdicts on one property; all zero before the first case.
    pub fn property(&self, property: Property) -> PropertyCount {
        self.properties.get(&property).copied().unwrap_or_default()
    }

    /// Returns the verdicts on all harm properties together: a case is violated if any of them is.
    pub fn harm(&self) -> PropertyCount {
        self.harm
    }

    /// Returns the verdicts on every property, in the order of reports.
    pub fn properties(&self) -> impl Iterator<Item = (Property, &PropertyCount)> {
        self.properties.iter().map(|(property, count)| (*property, count))
    }

    /// Returns every metric with its stored name, sorted by name.
    pub fn metrics(&self) -> impl Iterator<Item = (&str, &Tally)> {
        self.metrics.iter().map(|(name, tally)| (name.as_ref(), tally))
    }

    /// Returns the metric with this stored name.
    pub fn metric(&self, stored: &str) -> Option<&Tally> {
        self.metrics.get(stored)
    }

    /// Returns the injections of each fault, in the order of the scenario.
    pub fn faults(&self) -> &[FaultSum] {
        &self.faults
    }

    /// Returns the violated cases that run again without each of their faults.
    pub fn samples(&self) -> &[Sample] {
        self.samples.all()
    }

    /// Stores the result of running a violated case again: for each fault, whether removing it removed a violation.
    pub fn decide(&mut self, seed: u64, changed: Vec<Option<bool>>) {
        self.samples.decide(seed, changed);
    }

    /// Returns how often removing this fault removed a violation.
    pub fn decisive(&self, fault: usize) -> Decisive {
        self.samples.decisive(fault)
    }

    /// Returns the number of cases that ended before the stock was sold.
    pub fn censored(&self) -> u64 {
        self.censored
    }

    /// Returns the oversold units of the cases that sold the whole stock; only these may be compared.
    pub fn oversold_uncensored(&self) -> &Tally {
        &self.sold_uncensored
    }

    /// Returns the availability over time, summed over all cases, in equal parts of the run phase.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Returns the number of cases in which no fault changed anything.
    pub fn untouched(&self) -> u64 {
        self.untouched
    }

    /// Returns the number of events in all cases.
    pub fn events(&self) -> u128 {
        self.events
    }

    /// Returns effect exclusion in the cases in which a fault touched a held grant.
    pub fn touched_holder(&self) -> TouchedHolder {
        self.touched_holder
    }
}

/// Returns the combined verdict on all properties whose violation is harm.
fn harm_of(result: &CaseResult) -> Verdict {
    let any = |verdict| Property::ALL.into_iter().any(|p| p.is_harm() && result.verdict(p) == verdict);
    let in_order = [Verdict::Violated, Verdict::Unknown, Verdict::Holds];
    in_order.into_iter().find(|verdict| any(*verdict)).unwrap_or(Verdict::NotApplicable)
}

impl PropertyCount {
    fn add(&mut self, seed: u64, verdict: Verdict) {
        match verdict {
            Verdict::Holds => self.holds += 1,
            Verdict::Unknown => self.unknown += 1,
            Verdict::NotApplicable => self.not_applicable += 1,
            Verdict::Violated => {
                self.violated += 1;
                self.first_seed = Some(self.first_seed.map_or(seed, |first| first.min(seed)));
            }
        }
    }

    /// Adds the cases of another count.
    pub fn merge(&mut self, other: &PropertyCount) {
        self.holds += other.holds;
        self.violated += other.violated;
        self.unknown += other.unknown;
        self.not_applicable += other.not_applicable;
        self.first_seed = self.first_seed.into_iter().chain(other.first_seed).min();
    }

    /// Returns the number of cases in which the property holds or is violated.
    pub fn decided(&self) -> u64 {
        self.holds + self.violated
    }

    /// Returns the share of violated cases among the decided cases, or `None` if no case is decided.
    pub fn rate(&self) -> Option<f64> {
        (self.decided() > 0).then(|| self.violated as f64 / self.decided() as f64)
    }

    /// Returns the Clopper–Pearson interval of the rate. Its upper end counts unknown cases as violated.
    pub fn ci95(&self) -> Interval {
        violation_interval(self.violated, self.unknown, self.holds)
    }

    /// Returns whether the property applies to any case.
    pub fn is_applicable(&self) -> bool {
        self.decided() + self.unknown > 0
    }
}

impl FaultSum {
    fn merge(&mut self, other: &FaultSum) {
        self.planned += other.planned;
        self.fired += other.fired;
        self.touched += other.touched;
        self.cases_touched += other.cases_touched;
    }
}

impl TouchedHolder {
    fn add(&mut self, verdict: Verdict) {
        self.cases += u64::from(matches!(verdict, Verdict::Holds | Verdict::Violated));
        self.violated += u64::from(verdict == Verdict::Violated);
    }

    /// Returns the share of violated cases, or `None` without cases.
    pub fn rate(&self) -> Option<f64> {
        (self.cases > 0).then(|| self.violated as f64 / self.cases as f64)
    }

    /// Returns the Clopper–Pearson interval of the rate.
    pub fn ci95(&self) -> Interval {
        clopper_pearson(self.violated, self.cases)
    }
}
