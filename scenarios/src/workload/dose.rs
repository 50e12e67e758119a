//! `dose`: at most one dose in each interval.

use std::time::Duration;

use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::Deserialize;

use super::info::{EFFECTS, Phrases, done_already};
use super::{Slot, UseCase, Work, WorkloadInfo, WorkloadKind};
use crate::file::values::interval;

/// Several controllers, one of which must give the dose of each interval. It reads the chart, gives the dose if the
/// chart does not show it, and records it. The chart's own wall clock assigns even a late dose to an interval.
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
    const INFO: WorkloadInfo = WorkloadInfo {
        name: "dose",
        about: "controllers give at most one dose in each interval: a second one is an overdose",
        use_case: UseCase::Correctness,
        unit: "doses",
        oracle: EFFECTS,
        nothing_to_do: done_already,
        phrases: Phrases::EFFECTS,
    };

    fn work(&self) -> Work {
        Work::on_effects(Slot::Interval(self.every), self.every)
    }
}
