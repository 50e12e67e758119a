//! The results of a run: sums per cell, the rows they are stored in, and the JSON that `run` prints.

mod cell;
mod json;
mod metric;
mod rows;
mod sample;
mod seconds;
mod tally;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::cell::{CellResult, FaultSum, PropertyCount, TouchedHolder};
pub use self::json::{RunResult, SCHEMA_VERSION};
pub use self::metric::{Scale, shown_metric};
pub use self::rows::{ResultsError, ResultsReader, ResultsWriter, Row, read_cells};
pub use self::sample::{DECISIVE_CASES, Decisive, Sample};
pub use self::tally::Tally;

/// The description of a cell, known before its cases run and equal in every shard of a run.
///
/// Serialized as `results.jsonl` stores it; durations are seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CellHeader {
    /// The scenario's name.
    pub scenario: String,
    /// The lock's name.
    pub lock: String,
    /// Whether the lock can run in this scenario at all.
    pub applicable: bool,
    /// Why the lock cannot run, or `None` if it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How long after a holder's crash the lock is free again in this cell; `None` for locks without expiry.
    #[serde(rename = "effective_expiry_s", default, with = "seconds")]
    pub effective_expiry: Option<Duration>,
    /// The faults, in the order of the scenario.
    pub faults: Vec<FaultLabel>,
    /// The scenario's `about` text.
    #[serde(default)]
    pub about: String,
    /// The scenario's group, such as `pause`.
    #[serde(default)]
    pub family: String,
    /// The workload's kind, such as `inventory`.
    #[serde(default)]
    pub workload: String,
    /// The purpose of the lock: `efficiency` or `correctness`.
    #[serde(default)]
    pub use_case: String,
    /// The unit in which the workload counts harm, such as `units`.
    #[serde(default)]
    pub harm_unit: String,
    /// How a unit of work updates the shared data, if configurable: `target` (Case 1), `decrement` (Case 2), …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<String>,
    /// What the store checks before it accepts an operation, if configurable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<String>,
    /// The number of clients.
    #[serde(default)]
    pub clients: u16,
    /// The longest time from a holder's crash until a waiter gets the lock, by the lock's documentation and without
    /// other faults.
    #[serde(rename = "takeover_bound_s", default, with = "seconds", skip_serializing_if = "Option::is_none")]
    pub takeover_bound: Option<Duration>,
    /// A hash that is equal for scenarios that differ only in guard, update, number of clients, and text.
    #[serde(default)]
    pub setting: String,
    /// A hash that is equal for scenarios that differ only in faults, `run_for`, and text.
    #[serde(default)]
    pub load: String,
    /// Whether each case draws its faults and settings. Such rates must not be combined with those of other scenarios.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub swarm: bool,
    /// Length of the scenario's pauses divided by the effective expiry, for scenarios that vary this ratio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dose: Option<f64>,
}

/// A fault's name and kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultLabel {
    /// The name in the scenario.
    pub name: String,
    /// The kind, such as `pause`.
    pub kind: String,
}
