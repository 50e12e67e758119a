//! Workloads: what the clients do under the lock, and what counts as wrong there. A workload is one file or folder here
//! and one line in the registry.
//!
//! Its [`WorkloadInfo`] has the facts that all its cases share; [`WorkloadKind::work`] derives the rest from its keys.
//! Clients, store, checkers and reports read these facts and know no workload by name.

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

    /// What is done under the lock, with these keys.
    fn work(&self) -> Work;
}

/// A workload with its keys, as the clients, the store, the checkers and the reports see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// The facts that do not depend on the keys.
    pub info: &'static WorkloadInfo,
    /// What is done under the lock.
    pub work: Work,
}

/// What is done under the lock.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// What the store keeps.
    pub store: StoreKind,
    /// The count of each row at the start.
    pub initial_count: u32,
    /// How many resources are locked, each with a lock and a row of its own: 1 or 2.
    pub resources: u8,
    /// The steps of one unit of work.
    pub steps: Steps,
    /// The units are added to the row; otherwise they are subtracted.
    pub adds: bool,
    /// What each unit of harm costs, in cents, where harm is counted in money.
    pub cost_cents: Option<u32>,
    /// How the row is written, where that can be chosen.
    pub update: Option<Update>,
    /// What the store checks, where that can be chosen.
    pub guard: Option<Guard>,
    /// Units of one order, from which each is drawn.
    pub quantity: RangeInclusive<u32>,
    /// How much there is to do.
    pub pace: Pace,
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

impl Work {
    /// Orders of one unit that read and write back one row, which is empty at the start, until the run ends.
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

    /// Effects that are each wanted once. Every client receives an event in each interval of this length.
    pub fn on_effects(slot: Slot, every: Duration) -> Self {
        Work { store: StoreKind::Effects(slot), pace: Pace::Every(every), ..Work::on_rows() }
    }
}

impl Workload {
    /// The workload of these keys.
    pub fn new<W: WorkloadKind>(keys: &W) -> Self {
        Workload { info: const { &W::INFO }, work: keys.work() }
    }

    /// The workload of a scenario.
    ///
    /// # Panics
    /// If the scenario was read with a catalog whose workloads are not of this layer.
    pub fn of_scenario(scenario: &Scenario) -> &Self {
        scenario.workload.keys().expect("a registry makes all workloads of this type")
    }

    /// What the store checks.
    pub fn guard(&self) -> Guard {
        self.work.guard.unwrap_or_default()
    }

    /// How the row is written.
    pub fn update(&self) -> Update {
        self.work.update.unwrap_or_default()
    }

    /// The facts that the checkers need.
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
                assert!(WORKLOAD_SPECIFIC_METRICS.contains(metric), "{}: `{metric}` is no metric", workload.info.name);
            }
            assert!(!oracle.harm.is_empty(), "{} has no harm", workload.info.name);
            let harms = ["harm", "harm_cents"].iter().filter(|harm| oracle.metrics.contains(harm));
            assert_eq!(harms.count(), 1, "{} reports its harm in one unit", workload.info.name);
        }
    }
}
