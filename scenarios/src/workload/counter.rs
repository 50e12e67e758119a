//! `counter`: a shared counter that clients increment.

use schemars::JsonSchema;
use serde::Deserialize;

use super::info::{Phrases, never};
use super::{Guard, Oracle, Rewrite, UseCase, Work, WorkloadInfo, WorkloadKind};

/// Clients read a counter, add one and write it back.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Counter {
    /// How the counter is written back.
    pub update: Rewrite,
    /// What the store checks before it takes a write.
    pub guard: Guard,
}

impl WorkloadKind for Counter {
    const INFO: WorkloadInfo = WorkloadInfo {
        name: "counter",
        about: "clients increment a shared counter: read it, add one, write it back",
        use_case: UseCase::Correctness,
        unit: "increments",
        oracle: Oracle {
            sells_stock: false,
            conserves_sum: false,
            metrics: &["lost_updates", "overwritten_unacked", "harm"],
            harm: &["lost_updates"],
        },
        nothing_to_do: never,
        phrases: Phrases { count: |count| format!("counter at {count}"), ..Phrases::WORK },
    };

    fn work(&self) -> Work {
        Work { adds: true, update: Some(self.update.into()), guard: Some(self.guard), ..Work::on_rows() }
    }
}
