//! `set`: unique elements added to a shared set.

use schemars::JsonSchema;
use serde::Deserialize;

use super::file::records;
use super::{Guard, Object, Rewrite, UseCase, Work, WorkloadKind};

/// Clients read a set, add an element that nobody else adds and write the set back. What the set holds in the end is held
/// against what was acknowledged, in the manner of Jepsen's checkers (jepsen-io/jepsen, `checker.clj`: `set`,
/// `set-full`).
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SharedSet {
    /// How the set is written back.
    pub update: Rewrite,
    /// What the store checks before it takes a write.
    pub guard: Guard,
}

impl WorkloadKind for SharedSet {
    const NAME: &'static str = "set";
    const ABOUT: &'static str = "clients add unique elements to a shared set: read it, add, write it back";
    const USE_CASE: UseCase = UseCase::Correctness;
    const UNIT: &'static str = "elements";

    fn work(&self) -> Work {
        records(Object::Set, self.update, self.guard)
    }
}
