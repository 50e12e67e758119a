//! `dose`: at most one dose in each interval.

use std::time::Duration;

use fencepost_models::guarded::Slot;
use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Guarded, Pace, UseCase, Work, WorkloadKind};
use crate::file::values::interval;

/// Controllers of which one is to give a dose in each interval: look at the chart whether it was given, give it, chart
/// it. The chart's own wall clock says in which interval a dose was given, however late it came.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Dose {
    /// The length of an interval.
    #[serde(deserialize_with = "interval")]
    #[schemars(with = "Span", extend("default" = "1s"))]
    pub every: Duration,
}

impl Default for Dose {
    fn default() -> Self {
        Dose { every: Duration::from_secs(1) }
    }
}

impl WorkloadKind for Dose {
    const NAME: &'static str = "dose";
    const ABOUT: &'static str = "controllers give at most one dose in each interval: a second one is an overdose";
    const USE_CASE: UseCase = UseCase::Correctness;
    const UNIT: &'static str = "doses";

    fn work(&self) -> Work {
        let guarded = Guarded::Effects { slot: Slot::Interval(self.every), cost_cents: None };
        Work { guarded, update: None, guard: None, quantity: 1..=1, pace: Pace::Every(self.every) }
    }
}
