//! `compute`: an expensive job that should run once.

use std::time::Duration;

use fencepost_models::guarded::Slot;
use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Guarded, Pace, UseCase, Work, WorkloadKind};
use crate::file::values::{interval, whole};

/// Workers that all hear of a job and want it run once: look whether it was, run it, note that.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Compute {
    /// The time from one job to the next, by each client's wall clock.
    #[serde(deserialize_with = "interval")]
    #[schemars(with = "Span", extend("default" = "1s"))]
    pub every: Duration,
    /// What a run costs, in cents.
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
    const NAME: &'static str = "compute";
    const ABOUT: &'static str = "workers run each expensive job once: every further run costs money";
    const USE_CASE: UseCase = UseCase::Efficiency;
    const UNIT: &'static str = "dollars";

    fn work(&self) -> Work {
        let guarded = Guarded::Effects { slot: Slot::Order, cost_cents: Some(self.cost_cents) };
        Work { guarded, update: None, guard: None, quantity: 1..=1, pace: Pace::Every(self.every) }
    }
}
