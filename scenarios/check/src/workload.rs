//! The facts of a workload that the checkers and the metrics need. Each workload states its own.

use fencepost_models::guarded::StoreKind;

/// What a lock guards, and what counts as wrong there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WorkloadSpec {
    /// What the store keeps.
    pub store: StoreKind,
    /// The count of each row at the start.
    pub initial_count: u32,
    /// How many resources are locked, each with a lock and a row of its own: 1 or 2.
    pub resources: u8,
    /// What each unit of harm costs, in cents, where harm is counted in money.
    pub cost_cents: Option<u32>,
    /// What counts as wrong.
    pub oracle: &'static Oracle,
}

/// What counts as wrong in a workload, and which metrics describe it.
#[derive(Debug, PartialEq)]
pub struct Oracle {
    /// Orders take units of the initial count, so that acknowledged orders must not exceed it.
    pub sells_stock: bool,
    /// Orders move units between the rows, so that their sum must not change.
    pub conserves_sum: bool,
    /// The metrics that only some workloads report, as far as this one does.
    pub metrics: &'static [&'static str],
    /// The metrics of which the largest is the harm.
    pub harm: &'static [&'static str],
}

/// The metrics that a workload reports only if its [`Oracle`] lists them.
pub const OF_SOME_WORKLOADS: [&str; 20] = [
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
    /// The store logs effects, each of which is wanted once. It has no state that one client can overwrite of another's.
    pub(crate) fn has_effects(&self) -> bool {
        matches!(self.store, StoreKind::Effects(_))
    }

    /// The initial stock, if orders take units of it.
    pub fn stock(&self) -> Option<i64> {
        self.oracle.sells_stock.then_some(self.initial_count.into())
    }
}
