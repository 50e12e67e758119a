//! What one case came to.

use std::borrow::Cow;

pub use fencepost_check::span::{SPANS, Span};
use serde::{Deserialize, Serialize};

use crate::property::{Property, Verdict};

/// The result of one case: all that results and reports are made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseResult {
    /// The verdict of each property, in the order of [`Property::ALL`].
    pub verdicts: Vec<(Property, Verdict)>,
    /// The metrics of the case by name, in a fixed order; each is a whole number in the unit its name ends with.
    pub metrics: Vec<(Cow<'static, str>, i64)>,
    /// What became of each fault, in the order of the scenario.
    pub faults: Vec<FaultTally>,
    /// The case ended before the demand was used up, so that its units sold say nothing about oversell.
    pub censored: bool,
    /// A fault touched a grant while it was held.
    pub touched_holder: bool,
    /// The xxh3-128 hash over every event of the case.
    pub trace: u128,
    /// How many events the case had.
    pub events: u64,
    /// How it went until healing, in [`SPANS`] equal parts of the run phase; fewer if every order was resolved before.
    pub spans: Vec<Span>,
}

/// What became of one fault in one case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultTally {
    /// Injections in the schedule.
    pub planned: u64,
    /// Injections that began.
    pub fired: u64,
    /// Injections that made a difference, as PROPERTIES says.
    pub touched: u64,
}

impl CaseResult {
    /// The verdict on one property.
    pub fn verdict(&self, property: Property) -> Verdict {
        self.verdicts.iter().find(|(p, _)| *p == property).map_or(Verdict::NotApplicable, |(_, verdict)| *verdict)
    }

    /// The metric of this name.
    pub fn metric(&self, name: &str) -> Option<i64> {
        self.metrics.iter().find(|(n, _)| n == name).map(|(_, value)| *value)
    }
}
