//! `notify`: one email for each event.

use std::time::Duration;

use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::Deserialize;

use super::info::{EFFECTS, Phrases, done_already};
use super::{Slot, UseCase, Work, WorkloadInfo, WorkloadKind};
use crate::file::values::interval;

/// All consumers receive each event, and one of them must send an email. A consumer checks whether the email was sent,
/// sends it, and logs that. An email cannot be recalled.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Notify {
    /// The interval between events, by each client's wall clock.
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
    const INFO: WorkloadInfo = WorkloadInfo {
        name: "notify",
        about: "consumers send one email per event: duplicates annoy, and missing emails are failures",
        use_case: UseCase::Efficiency,
        unit: "emails",
        oracle: EFFECTS,
        nothing_to_do: done_already,
        phrases: Phrases::EFFECTS,
    };

    fn work(&self) -> Work {
        Work::on_effects(Slot::Order, self.every)
    }
}
