//! Workloads: what clients do while they hold the lock, and what counts as wrong. Each workload is one file or folder
//! here and one line in the registry.
//!
//! [`WorkloadInfo`] has the facts that all cases share; [`WorkloadKind::work`] derives the rest from the keys. Clients,
//! store, checkers and reports read these facts and never refer to a workload by name.

pub(crate) mod client;
mod compute;
pub(crate) mod demand;
mod dose;
mod file;
mod info;
mod inventory;
mod notify;
mod set;
mod transfer;

use std::ops::RangeInclusive;
use std::time::Duration;

use fencepost_check::workload::WorkloadSpec;
pub use fencepost_check::workload::{Oracle, WORKLOAD_SPECIFIC_METRICS};
pub use fencepost_models::guarded::{Guard, Slot, StoreKind, Update};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use self::client::{AttemptResult, ClientOps, OpFuture, Steps, StepsFuture};
pub use self::compute::Compute;
pub use self::demand::Order;
pub use self::dose::Dose;
pub use self::file::SharedFile;
pub use self::info::{Phrases, UseCase, WorkloadInfo};
pub use self::inventory::Inventory;
pub use self::notify::Notify;
pub use self::set::SharedSet;
pub use self::transfer::{LockOrder, Transfer};
pub use crate::file::Pace;
use crate::file::{Scenario, WorkloadConfig};

/// A kind of workload: its keys in scenario files, and its facts.
pub trait WorkloadKind: Default + DeserializeOwned + JsonSchema + 'static {
    /// The facts that do not depend on the keys.
    const INFO: WorkloadInfo;

    /// Returns the work done under the lock with these keys.
    fn work(&self) -> Work;
}

/// A workload with its keys, as the clients, the store, the checkers and the reports see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// The facts that do not depend on the keys.
    pub info: &'static WorkloadInfo,
    /// The work done under the lock.
    pub work: Work,
}

/// The work done under the lock.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// What the store keeps.
    pub store: StoreKind,
    /// The count of each row at the start.
    pub initial_count: u32,
    /// The number of resources, each with its own lock and row: 1 or 2.
    pub resources: u8,
    /// The steps of one unit of work.
    pub steps: Steps,
    /// Whether units are added to the row instead of subtracted.
    pub adds: bool,
    /// The cost of each unit of harm in cents, if harm is counted in money.
    pub cost_cents: Option<u32>,
    /// How the row is written, if configurable.
    pub update: Option<Update>,
    /// What the store checks, if configurable.
    pub guard: Option<Guard>,
    /// The range from which the units of each order are drawn.
    pub quantity: RangeInclusive<u32>,
    /// How many orders there are, or how often they arrive.
    pub pace: Pace,
}

/// How a shared object is written back: the counterpart of [`Update`] for values that a program computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rewrite {
    /// Write unconditionally, even if the object changed since the read.
    #[default]
    Target,
    /// Write only if the object did not change since the read.
    Version,
}

impl Work {
    /// Returns work that reads and writes back one row, initially 0, in orders of one unit until the run ends.
    pub fn on_rows() -> Self {
        Work {
            store: StoreKind::Rows,
            initial_count: 0,
            resources: 1,
            steps: Steps::ONE_LOCK,
            adds: false,
            cost_cents: None,
            update: None,
            guard: None,
            quantity: 1..=1,
            pace: Pace::UntilTheEnd,
        }
    }

    /// Returns work on effects that must each happen once. Every client receives one event per interval of this length.
    pub fn on_effects(slot: Slot, every: Duration) -> Self {
        Work { store: StoreKind::Effects(slot), pace: Pace::Every(every), ..Work::on_rows() }
    }
}

impl Workload {
    /// Creates a workload from its keys.
    pub fn new<W: WorkloadKind>(keys: &W) -> Self {
        Workload { info: const { &W::INFO }, work: keys.work() }
    }

    /// Returns the workload of a scenario.
    ///
    /// # Panics
    /// If the scenario was read with a catalog that does not belong to a registry.
    pub fn of_scenario(scenario: &Scenario) -> &Self {
        scenario.workload.keys().expect("a registry creates all workloads with this type")
    }

    /// Returns what the store checks.
    pub fn guard(&self) -> Guard {
        self.work.guard.unwrap_or_default()
    }

    /// Returns how the row is written.
    pub fn update(&self) -> Update {
        self.work.update.unwrap_or_default()
    }

    /// Returns the facts that the checkers need.
    pub fn spec(&self) -> WorkloadSpec {
        let Work { store, initial_count, resources, cost_cents, .. } = self.work;
        WorkloadSpec { store, initial_count, resources, cost_cents, oracle: &self.info.oracle }
    }
}

impl From<Workload> for WorkloadConfig {
    fn from(workload: Workload) -> Self {
        WorkloadConfig::new(workload.info.name, workload.work.pace, workload)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;

    #[test]
    fn every_workload_reports_metrics_that_exist() {
        for workload in Registry::standard().workloads() {
            let oracle = &workload.info.oracle;
            for metric in oracle.metrics {
                assert!(
                    WORKLOAD_SPECIFIC_METRICS.contains(metric),
                    "{}: `{metric}` is not a metric",
                    workload.info.name
                );
            }
            assert!(!oracle.harm.is_empty(), "{} has no harm", workload.info.name);
            let harms = ["harm", "harm_cents"].iter().filter(|harm| oracle.metrics.contains(harm));
            assert_eq!(harms.count(), 1, "{} reports its harm in one unit", workload.info.name);
        }
    }
}
