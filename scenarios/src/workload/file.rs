//! `file`: records appended to a shared file.

use schemars::JsonSchema;
use serde::Deserialize;

use super::info::{Phrases, never};
use super::{Guard, Oracle, Rewrite, UseCase, Work, WorkloadInfo, WorkloadKind};

/// Clients read a file, append a record and write the whole file back.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SharedFile {
    /// How the file is written back.
    pub update: Rewrite,
    /// What the store checks before it accepts a write.
    pub guard: Guard,
}

impl WorkloadKind for SharedFile {
    const INFO: WorkloadInfo = WorkloadInfo {
        name: "file",
        about: "clients append records to a shared file: read it, append, write it back",
        use_case: UseCase::Correctness,
        unit: "records",
        oracle: Oracle {
            metrics: &["lost_updates", "overwritten_unacked", "corrupted_writes", "lost_records", "harm"],
            ..RECORDS
        },
        nothing_to_do: never,
        phrases: Phrases { count: |count| format!("{count} records"), ..Phrases::WORK },
    };

    fn work(&self) -> Work {
        records(self.update, self.guard)
    }
}

/// The oracle for an object that grows by one record per order.
pub(super) const RECORDS: Oracle =
    Oracle { sells_stock: false, conserves_sum: false, metrics: &[], harm: &["lost_updates"] };

/// Returns work on an object that grows by one record per order.
pub(super) fn records(update: Rewrite, guard: Guard) -> Work {
    Work { adds: true, update: Some(update.into()), guard: Some(guard), ..Work::on_rows() }
}
