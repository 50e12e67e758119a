//! One cell's results, added up.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::sample::{Decisive, Sample, Samples};
use super::tally::Tally;
use crate::property::{Property, Verdict};
use crate::run::case_result::{CaseResult, SPANS, Span};
use crate::run::stats::{Interval, clopper_pearson, violation_interval};

/// What the cases of a cell came to. It takes the same room for ten cases as for ten million, and adding results in
/// another order, or merging shards, gives the same.
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

/// How often a property was kept and broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PropertyCount {
    /// Cases that kept it.
    pub holds: u64,
    /// Cases that broke it.
    pub violated: u64,
    /// Cases that ended before it could be judged.
    pub unknown: u64,
    /// Cases in which it has no meaning.
    pub not_applicable: u64,
    /// The smallest seed that broke it.
    pub first_seed: Option<u64>,
}

/// What became of one fault in all cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultSum {
    /// Injections in the schedules.
    pub planned: u64,
    /// Injections that began.
    pub fired: u64,
    /// Injections that made a difference.
    pub touched: u64,
    /// Cases in which at least one injection made a difference.
    pub cases_touched: u64,
}

/// Effect exclusion among the cases in which a fault touched a grant while it was held: the share that readers can
/// multiply by their own rate of incidents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TouchedHolder {
    /// Those cases that were judged.
    pub cases: u64,
    /// Those of them that violated effect exclusion.
    pub violated: u64,
}

impl CellResult {
    /// Adds the result of one case.
    ///
    /// # Panics
    ///
    /// If a metric is negative: metrics count things, so that would be a mistake in what counted them.
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

    /// Adds the cases of another part of the same cell.
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

    /// How many cases were added.
    pub fn cases(&self) -> u64 {
        self.cases
    }

    /// The counts for one property; all zero before the first case.
    pub fn property(&self, property: Property) -> PropertyCount {
        self.properties.get(&property).copied().unwrap_or_default()
    }

    /// How many cases did any harm.
    pub fn harm(&self) -> PropertyCount {
        self.harm
    }

    /// The counts for every property that any case reported on, in the order of reports.
    pub fn properties(&self) -> impl Iterator<Item = (Property, &PropertyCount)> {
        self.properties.iter().map(|(property, count)| (*property, count))
    }

    /// Every metric under the name that cases report it by, sorted by it.
    pub fn metrics(&self) -> impl Iterator<Item = (&str, &Tally)> {
        self.metrics.iter().map(|(name, tally)| (name.as_ref(), tally))
    }

    /// The metric that cases report by this name.
    pub fn metric(&self, stored: &str) -> Option<&Tally> {
        self.metrics.get(stored)
    }

    /// What became of each fault, in the order of the scenario.
    pub fn faults(&self) -> &[FaultSum] {
        &self.faults
    }

    /// The violated cases that are looked at again with each fault taken out.
    pub fn samples(&self) -> &[Sample] {
        self.samples.all()
    }

    /// What came of looking at a violated case again: for each fault, whether taking it out took a violation away.
    pub fn decide(&mut self, seed: u64, changed: Vec<Option<bool>>) {
        self.samples.decide(seed, changed);
    }

    /// How often taking this fault out took a violation away.
    pub fn decisive(&self, fault: usize) -> Decisive {
        self.samples.decisive(fault)
    }

    /// Cases that ended before the demand was used up.
    pub fn censored(&self) -> u64 {
        self.censored
    }

    /// Oversold units in the cases that used up the demand, the only ones that may be compared on it.
    pub fn oversold_uncensored(&self) -> &Tally {
        &self.sold_uncensored
    }

    /// The course of all cases together, in equal parts of the run phase.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Cases in which no fault made a difference.
    pub fn untouched(&self) -> u64 {
        self.untouched
    }

    /// Events in all cases.
    pub fn events(&self) -> u128 {
        self.events
    }

    /// Effect exclusion where a fault touched a held grant.
    pub fn touched_holder(&self) -> TouchedHolder {
        self.touched_holder
    }
}

/// The verdict on all properties whose violation is harm, taken together.
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

    fn merge(&mut self, other: &PropertyCount) {
        self.holds += other.holds;
        self.violated += other.violated;
        self.unknown += other.unknown;
        self.not_applicable += other.not_applicable;
        self.first_seed = self.first_seed.into_iter().chain(other.first_seed).min();
    }

    /// Cases that were judged either way.
    pub fn judged(&self) -> u64 {
        self.holds + self.violated
    }

    /// Violated cases among the judged, if there are any.
    pub fn rate(&self) -> Option<f64> {
        (self.judged() > 0).then(|| self.violated as f64 / self.judged() as f64)
    }

    /// The Clopper–Pearson interval of the rate, its upper end with unknown cases counted as violated.
    pub fn ci95(&self) -> Interval {
        violation_interval(self.violated, self.unknown, self.holds)
    }

    /// Whether the property had a meaning in any case.
    pub fn is_applicable(&self) -> bool {
        self.judged() + self.unknown > 0
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

    /// The share that violated, if there is any case.
    pub fn rate(&self) -> Option<f64> {
        (self.cases > 0).then(|| self.violated as f64 / self.cases as f64)
    }

    /// Its Clopper–Pearson interval.
    pub fn ci95(&self) -> Interval {
        clopper_pearson(self.violated, self.cases)
    }
}
