//! The result of one case.

use std::borrow::Cow;

pub use fencepost_check::span::{SPANS, Span};
use serde::{Deserialize, Serialize};

use crate::property::{Property, Verdict};

/// The result of one case, the input of results and reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseResult {
    /// The verdict of each property, in the order of [`Property::ALL`].
    pub verdicts: Vec<(Property, Verdict)>,
    /// The metrics of the case by name, in a fixed order; each is a whole number in the unit its name ends with.
    pub metrics: Vec<(Cow<'static, str>, i64)>,
    /// The injections of each fault, in the order of the scenario.
    pub faults: Vec<FaultTally>,
    /// Whether the case ended before the stock was sold. Its oversold units must then not be compared.
    pub censored: bool,
    /// Whether a fault touched a grant while it was held.
    pub touched_holder: bool,
    /// The xxh3-128 hash over every event of the case.
    pub trace: u128,
    /// The number of events.
    pub events: u64,
    /// Availability until healing, in [`SPANS`] equal parts of the run phase; fewer if all orders are resolved earlier.
    pub spans: Vec<Span>,
}

/// The injections of one fault in one case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultTally {
    /// Injections in the schedule.
    pub planned: u64,
    /// Injections that began.
    pub fired: u64,
    /// Injections that changed something in the world; docs/properties.md defines it.
    pub touched: u64,
}

impl CaseResult {
    /// Returns the verdict on one property, or `NotApplicable` if there is none.
    pub fn verdict(&self, property: Property) -> Verdict {
        self.verdicts.iter().find(|(p, _)| *p == property).map_or(Verdict::NotApplicable, |(_, verdict)| *verdict)
    }

    /// Returns the metric with this name.
    pub fn metric(&self, name: &str) -> Option<i64> {
        self.metrics.iter().find(|(n, _)| n == name).map(|(_, value)| *value)
    }
}
