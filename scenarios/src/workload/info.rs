//! The facts of a workload that do not depend on its keys.

use std::fmt;

use fencepost_check::workload::Oracle;
use fencepost_models::guarded::{ReadReply, StoreAccess};
use fencepost_models::history::OrderEnd;
use serde::Serialize;

/// The facts of a workload that do not depend on its keys.
pub struct WorkloadInfo {
    /// Its name in scenario files: `[workload.NAME]`.
    pub name: &'static str,
    /// One sentence for lists and docs.
    pub about: &'static str,
    /// What the lock is there for.
    pub use_case: UseCase,
    /// The unit of its harm.
    pub unit: &'static str,
    /// What counts as wrong, and which metrics describe it.
    pub oracle: Oracle,
    /// How an order ends whose read shows that there is nothing to write.
    pub nothing_to_do: fn(&StoreAccess, ReadReply) -> Option<OrderEnd>,
    /// How logs and reports describe it.
    pub phrases: Phrases,
}

/// What a lock is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UseCase {
    /// It avoids doing the same work twice. Its failure costs something.
    Efficiency,
    /// It protects data or people. Its failure does damage that cannot be undone.
    Correctness,
}

/// How logs and reports describe a workload.
pub struct Phrases {
    /// The content of a row with this count, such as `3 in stock`.
    pub count: fn(i64) -> String,
    /// What each resource is called, where there are two.
    pub resources: &'static [&'static str],
    /// How an order ended, as its client sees it.
    pub order_end: fn(OrderEnd) -> &'static str,
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

/// Workloads are shown and compared by name: the addresses of their functions say nothing.
impl fmt::Debug for WorkloadInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for WorkloadInfo {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// For `nothing_to_do`: an order of more units than the row has is turned down.
pub(super) fn sold_out(access: &StoreAccess, read: ReadReply) -> Option<OrderEnd> {
    (read.count < i64::from(access.units)).then_some(OrderEnd::SoldOut)
}

/// For `nothing_to_do`: an event that has had its effect needs no other.
pub(super) fn done_already(_: &StoreAccess, read: ReadReply) -> Option<OrderEnd> {
    (read.count > 0).then_some(OrderEnd::DoneAlready)
}

/// For `nothing_to_do`: there is always something to write.
pub(super) fn never(_: &StoreAccess, _: ReadReply) -> Option<OrderEnd> {
    None
}

impl Phrases {
    /// The phrases of effects that are each wanted once.
    pub(super) const EFFECTS: Phrases = Phrases {
        count: |count| if count == 0 { "not done yet".to_owned() } else { "done already".to_owned() },
        ..Phrases::WORK
    };

    /// The phrases of work on rows.
    pub(super) const WORK: Phrases = Phrases { count: |count| count.to_string(), resources: &[], order_end: work_end };
}

fn work_end(end: OrderEnd) -> &'static str {
    match end {
        OrderEnd::Acked => "done",
        OrderEnd::SoldOut => "refused: too little left",
        OrderEnd::Abandoned => "abandoned",
        OrderEnd::Unknown => "outcome unknown",
        OrderEnd::DoneAlready => "already done",
    }
}

/// What counts as wrong where each effect is wanted once.
pub(super) const EFFECTS: Oracle = Oracle {
    sells_stock: false,
    conserves_sum: false,
    metrics: &["missed_effects", "done_already_orders", "harm"],
    harm: &["duplicate_effects"],
};
