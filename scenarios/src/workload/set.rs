//! `set`: unique elements added to a shared set.

use schemars::JsonSchema;
use serde::Deserialize;

use super::file::{RECORDS, records};
use super::info::{Phrases, never};
use super::{Guard, Oracle, Rewrite, UseCase, Work, WorkloadInfo, WorkloadKind};

/// Clients read a set, add a unique element, and write the set back. The final set is compared with the acknowledged
/// elements, as Jepsen's checkers do (jepsen-io/jepsen, `checker.clj`: `set`, `set-full`).
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SharedSet {
    /// How the set is written back.
    pub update: Rewrite,
    /// What the store checks before it accepts a write.
    pub guard: Guard,
}

impl WorkloadKind for SharedSet {
    const INFO: WorkloadInfo = WorkloadInfo {
        name: "set",
        about: "clients add unique elements to a shared set: read it, add, write it back",
        use_case: UseCase::Correctness,
        unit: "elements",
        oracle: Oracle {
            metrics: &["lost_updates", "overwritten_unacked", "lost_elements", "recovered_elements", "harm"],
            ..RECORDS
        },
        nothing_to_do: never,
        phrases: Phrases { count: |count| format!("{count} elements"), ..Phrases::WORK },
    };

    fn work(&self) -> Work {
        records(self.update, self.guard)
    }
}
