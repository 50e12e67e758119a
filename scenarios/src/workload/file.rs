//! `file`: records appended to a shared file.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Guard, Guarded, Object, Pace, Rewrite, UseCase, Work, WorkloadKind};

/// Clients read a file, append a record and write the file back as a whole.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SharedFile {
    /// How the file is written back.
    pub update: Rewrite,
    /// What the store checks before it takes a write.
    pub guard: Guard,
}

impl WorkloadKind for SharedFile {
    const NAME: &'static str = "file";
    const ABOUT: &'static str = "clients append records to a shared file: read it, append, write it back";
    const USE_CASE: UseCase = UseCase::Correctness;
    const UNIT: &'static str = "records";

    fn work(&self) -> Work {
        records(Object::File, self.update, self.guard)
    }
}

/// Work on an object that grows by one record with each order.
pub(super) fn records(object: Object, update: Rewrite, guard: Guard) -> Work {
    Work {
        guarded: Guarded::Records(object),
        update: Some(update.into()),
        guard: Some(guard),
        quantity: 1..=1,
        pace: Pace::UntilTheEnd,
    }
}
