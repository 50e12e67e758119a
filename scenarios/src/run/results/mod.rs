//! What a run came to: cells that add up results, the rows they are kept in, and the JSON that a run prints.

mod cell;
mod json;
mod metric;
mod rows;
mod sample;
mod tally;

use std::time::Duration;

pub use self::cell::{CellResult, FaultSum, PropertyCount, TouchedHolder};
pub use self::json::{RunResult, SCHEMA_VERSION};
pub use self::metric::{Scale, shown_metric};
pub use self::rows::{ResultsError, ResultsReader, ResultsWriter, Row, read_cells};
pub use self::sample::{DECISIVE_CASES, Decisive, Sample};
pub use self::tally::Tally;

/// What a cell is, known before any of its cases runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CellHeader {
    /// The scenario's name.
    pub scenario: String,
    /// What the scenario is about, in its own words.
    pub about: String,
    /// What the scenario belongs with, as free text such as `pause`.
    pub family: String,
    /// The lock's name.
    pub lock: String,
    /// Whether the lock can be put into this scenario at all.
    pub applicable: bool,
    /// Why not, where it cannot.
    pub reason: Option<String>,
    /// How long after a holder's crash the lock is free again at its settings here; none for locks without expiry.
    pub effective_expiry: Option<Duration>,
    /// The scenario's faults, in its order.
    pub faults: Vec<FaultLabel>,
    /// The workload's kind, such as `inventory`.
    pub workload: String,
    /// What the lock is there for: `efficiency` or `correctness`.
    pub use_case: String,
    /// The unit of its harm, such as `units`.
    pub harm_unit: String,
    /// How a unit of work updates what is shared, where that can be chosen: `target` (Case 1), `decrement` (Case 2), …
    pub update: Option<String>,
    /// What the store checks before it accepts an operation, where that can be chosen.
    pub guard: Option<String>,
    /// How many clients contend.
    pub clients: u16,
    /// Within how long after a holder's crash a waiter gets the lock, by the lock's documentation and if no other fault
    /// comes.
    pub takeover_bound: Option<Duration>,
    /// The same for scenarios that differ in nothing but their guard, their update, the number of clients, and words.
    pub setting: String,
    /// The same for scenarios that differ in nothing but their faults, their length, and words.
    pub load: String,
    /// Each case draws its faults and settings, so that rates are a swarm's: never put together with others.
    pub swarm: bool,
    /// Length of the scenario's pauses, divided by the effective expiry, for scenarios that turn that dial.
    pub dose: Option<f64>,
}

/// A fault's name and kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultLabel {
    /// Its name in the scenario.
    pub name: String,
    /// Its kind, such as `pause`.
    pub kind: String,
}
