//! Workloads: what the clients do under the lock. Adding one is a file here and a line in the registry; what a workload
//! says of itself as a [`Workload`] is all that the clients, the store and the checkers know of it.

pub(crate) mod client;
mod compute;
pub(crate) mod demand;
mod dose;
mod file;
mod inventory;
mod notify;
mod set;
mod transfer;

use std::ops::RangeInclusive;
use std::time::Duration;

pub use fencepost_check::guarded::{Guarded, Object};
pub use fencepost_models::guarded::{Guard, Update};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use self::compute::Compute;
pub use self::dose::Dose;
pub use self::file::SharedFile;
pub use self::inventory::Inventory;
pub use self::notify::Notify;
pub use self::set::SharedSet;
pub use self::transfer::{LockOrder, Transfer};

/// A workload, as the registry knows it.
pub trait WorkloadKind: DeserializeOwned + JsonSchema + 'static {
    /// Its name in scenario files: `[workload.NAME]`.
    const NAME: &'static str;
    /// One sentence for lists and docs.
    const ABOUT: &'static str;
    /// What the lock is there for.
    const USE_CASE: UseCase;
    /// The unit of its harm.
    const UNIT: &'static str;

    /// What is done under the lock, with these keys.
    fn work(&self) -> Work;
}

/// What a lock is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UseCase {
    /// It saves doing the same twice. If it fails, that costs something.
    Efficiency,
    /// It keeps data or people from harm. If it fails, that is not made good.
    Correctness,
}

/// A workload as the clients, the store and the checkers see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// Its name.
    pub kind: &'static str,
    /// What the lock is there for.
    pub use_case: UseCase,
    /// The unit of its harm.
    pub unit: &'static str,
    /// What is done.
    pub work: Work,
}

/// What is done under the lock.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// What the lock guards.
    pub guarded: Guarded,
    /// How it is written, where that can be chosen.
    pub update: Option<Update>,
    /// What the store checks, where that can be chosen.
    pub guard: Option<Guard>,
    /// Units of one order, from which each is drawn.
    pub quantity: RangeInclusive<u32>,
    /// How much there is to do.
    pub pace: Pace,
}

/// How much there is to do, unless the scenario says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// So many orders.
    Orders(u32),
    /// Orders until the run ends.
    UntilTheEnd,
    /// An event in each interval of this length, which every client hears of.
    Every(Duration),
}

/// How a shared object is written back: the counterpart of [`Update`] where a program computes what is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rewrite {
    /// Whatever happened since it was read.
    #[default]
    Target,
    /// Where nobody else wrote since.
    Version,
}

impl Workload {
    /// What this workload comes to.
    pub fn of<W: WorkloadKind>(keys: &W) -> Self {
        Workload { kind: W::NAME, use_case: W::USE_CASE, unit: W::UNIT, work: keys.work() }
    }

    /// What the store checks.
    pub fn guard(&self) -> Guard {
        self.work.guard.unwrap_or_default()
    }

    /// How it is written.
    pub fn update(&self) -> Update {
        self.work.update.unwrap_or_default()
    }
}

impl UseCase {
    /// Its name in lists and reports.
    pub const fn name(self) -> &'static str {
        match self {
            UseCase::Efficiency => "efficiency",
            UseCase::Correctness => "correctness",
        }
    }
}

impl From<Rewrite> for Update {
    fn from(rewrite: Rewrite) -> Self {
        match rewrite {
            Rewrite::Target => Update::Target,
            Rewrite::Version => Update::Version,
        }
    }
}
