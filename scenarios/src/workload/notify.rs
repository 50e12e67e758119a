//! `notify`: one email for each event.

use std::time::Duration;

use fencepost_models::guarded::Slot;
use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Guarded, Pace, UseCase, Work, WorkloadKind};
use crate::file::values::interval;

/// Consumers that all get an event and are to send one email for it: look whether it was sent, send it, note that. An
/// email that is out cannot be called back.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Notify {
    /// The time from one event to the next, by each client's wall clock.
    #[serde(deserialize_with = "interval")]
    #[schemars(with = "Span", extend("default" = "1s"))]
    pub every: Duration,
}

impl Default for Notify {
    fn default() -> Self {
        Notify { every: Duration::from_secs(1) }
    }
}

impl WorkloadKind for Notify {
    const NAME: &'static str = "notify";
    const ABOUT: &'static str = "consumers send one email for each event: second copies annoy, missed ones fail";
    const USE_CASE: UseCase = UseCase::Efficiency;
    const UNIT: &'static str = "emails";

    fn work(&self) -> Work {
        let guarded = Guarded::Effects { slot: Slot::Order, cost_cents: None };
        Work { guarded, update: None, guard: None, quantity: 1..=1, pace: Pace::Every(self.every) }
    }
}
