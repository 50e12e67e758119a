//! `compute`: an expensive job that should run once.

use std::time::Duration;

use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::Deserialize;

use super::info::{EFFECTS, Phrases, done_already};
use super::{Oracle, Slot, UseCase, Work, WorkloadInfo, WorkloadKind};
use crate::file::values::{interval, whole};

/// All workers receive each job, but it must run only once. A worker checks whether the job ran, runs it, and logs it.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Compute {
    /// The interval between jobs, by each client's wall clock.
    #[serde(deserialize_with = "interval")]
    #[schemars(with = "Span", extend("default" = "1s"))]
    pub every: Duration,
    /// The cost of one run, in cents.
    #[serde(deserialize_with = "whole::<_, _, 1, 100_000_000>")]
    #[schemars(range(min = 1, max = 100_000_000))]
    pub cost_cents: u32,
}

impl Default for Compute {
    fn default() -> Self {
        Compute { every: Duration::from_secs(1), cost_cents: 5 }
    }
}

impl WorkloadKind for Compute {
    const INFO: WorkloadInfo = WorkloadInfo {
        name: "compute",
        about: "workers run each expensive job once: each extra run costs money",
        use_case: UseCase::Efficiency,
        unit: "dollars",
        oracle: Oracle { metrics: &["missed_effects", "done_already_orders", "harm_cents"], ..EFFECTS },
        nothing_to_do: done_already,
        phrases: Phrases::EFFECTS,
    };

    fn work(&self) -> Work {
        Work { cost_cents: Some(self.cost_cents), ..Work::on_effects(Slot::Order, self.every) }
    }
}
