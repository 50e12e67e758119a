//! Violated cases that run again without each of their faults.

use serde::Serialize;

use crate::property::{Property, Verdict};
use crate::run::case_result::CaseResult;

/// The number of violated cases per cell that run again: those with the smallest seeds.
pub const DECISIVE_CASES: usize = 5;

/// A violated case that can run again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The seed.
    pub seed: u64,
    /// The violated properties.
    pub violated: Vec<Property>,
    /// Whether each fault began, in the order of the scenario.
    pub fired: Vec<bool>,
    /// For each fault, whether removing it removed a violation; `None` for a fault that never began. `None` until the
    /// case ran again.
    pub changed: Option<Vec<Option<bool>>>,
}

/// How often removing a fault removed a violation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Decisive {
    /// Violated cases that ran again without the fault.
    pub sampled: u64,
    /// The number of these cases in which a violation was gone.
    pub changed: u64,
}

/// The violated cases with the smallest seeds. The order of adding and merging does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Samples(Vec<Sample>);

impl Samples {
    pub fn add(&mut self, seed: u64, result: &CaseResult) {
        let full = self.0.len() == DECISIVE_CASES;
        if full && self.0.last().is_some_and(|last| last.seed < seed) {
            return;
        }
        let violated = result.verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::Violated);
        let violated: Vec<Property> = violated.map(|(property, _)| *property).collect();
        let fired: Vec<bool> = result.faults.iter().map(|fault| fault.fired > 0).collect();
        if !violated.is_empty() && fired.contains(&true) {
            self.insert(Sample { seed, violated, fired, changed: None });
        }
    }

    pub fn merge(&mut self, other: &Samples) {
        other.0.iter().for_each(|sample| self.insert(sample.clone()));
    }

    fn insert(&mut self, sample: Sample) {
        let at = self.0.partition_point(|known| known.seed < sample.seed);
        if self.0.get(at).is_none_or(|known| known.seed != sample.seed) {
            self.0.insert(at, sample);
            self.0.truncate(DECISIVE_CASES);
        }
    }

    pub fn decide(&mut self, seed: u64, changed: Vec<Option<bool>>) {
        if let Some(sample) = self.0.iter_mut().find(|sample| sample.seed == seed) {
            sample.changed = Some(changed);
        }
    }

    pub fn all(&self) -> &[Sample] {
        &self.0
    }

    pub fn decisive(&self, fault: usize) -> Decisive {
        let answers = self.0.iter().filter_map(|sample| sample.changed.as_ref()?.get(fault).copied().flatten());
        answers.fold(Decisive::default(), |sum, changed| Decisive {
            sampled: sum.sampled + 1,
            changed: sum.changed + u64::from(changed),
        })
    }
}
