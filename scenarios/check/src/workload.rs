//! The facts about a workload that checkers and metrics need. Each workload declares its own.

use fencepost_models::guarded::StoreKind;

/// The store that a lock guards, and the oracle for its content.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WorkloadSpec {
    /// The content of the store.
    pub store: StoreKind,
    /// The initial count of each row.
    pub initial_count: u32,
    /// The number of resources, 1 or 2. Each has its own lock and row.
    pub resources: u8,
    /// The cost of one unit of harm in cents, if the workload puts a price on harm.
    pub cost_cents: Option<u32>,
    /// The definition of harm.
    pub oracle: &'static Oracle,
}

/// The definition of harm in a workload, and the metrics that describe it.
#[derive(Debug, PartialEq)]
pub struct Oracle {
    /// Whether orders take units from the initial count. If so, acknowledged orders must not exceed it.
    pub sells_stock: bool,
    /// Whether orders move units between the rows. If so, the sum of the rows must not change.
    pub conserves_sum: bool,
    /// The metrics of [`WORKLOAD_SPECIFIC_METRICS`] that this workload reports.
    pub metrics: &'static [&'static str],
    /// The metrics whose maximum is the harm.
    pub harm: &'static [&'static str],
}

/// The metrics that a workload reports only if its [`Oracle`] lists them.
pub const WORKLOAD_SPECIFIC_METRICS: [&str; 20] = [
    "acked_units",
    "oversold_units",
    "sold_out_orders",
    "lost_updates",
    "lost_units",
    "overwritten_unacked",
    "applied_units",
    "negative_stock_units",
    "conservation_gap_units",
    "missed_effects",
    "done_already_orders",
    "corrupted_writes",
    "lost_records",
    "lost_elements",
    "recovered_elements",
    "imbalance",
    "deadlocks",
    "deadlock_longest_ns",
    "harm_cents",
    "harm",
];

impl WorkloadSpec {
    /// Returns whether the store logs effects, each wanted once. Clients cannot overwrite each other's effects.
    pub(crate) fn has_effects(&self) -> bool {
        matches!(self.store, StoreKind::Effects(_))
    }

    /// Returns the initial stock, if orders take units from it.
    pub fn stock(&self) -> Option<i64> {
        self.oracle.sells_stock.then_some(self.initial_count.into())
    }
}
