//! `dose`: at most one dose in each interval.

use std::time::Duration;

use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::Deserialize;

use super::info::{EFFECTS, Phrases, done_already};
use super::{Slot, UseCase, Work, WorkloadInfo, WorkloadKind};
use crate::file::values::interval;

/// Controllers, one of which shall give a dose in each interval: it reads the chart, gives the dose unless it was given, and
/// charts it. The chart's own wall clock decides to which interval a dose belongs, however late it is.
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
