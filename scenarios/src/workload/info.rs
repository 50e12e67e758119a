//! Facts about a workload that do not depend on its keys.

use std::fmt;

use fencepost_check::workload::Oracle;
use fencepost_models::guarded::{ReadReply, StoreAccess};
use fencepost_models::history::OrderEnd;
use serde::Serialize;

/// Facts about a workload that do not depend on its keys.
pub struct WorkloadInfo {
    /// The name in scenario files: `[workload.NAME]`.
    pub name: &'static str,
    /// One sentence for lists and docs.
    pub about: &'static str,
    /// The purpose of the lock.
    pub use_case: UseCase,
    /// The unit in which harm is counted.
    pub unit: &'static str,
    /// What counts as wrong, and which metrics describe it.
    pub oracle: Oracle,
    /// Returns how an order ends if its read shows that there is nothing to write.
    pub nothing_to_do: fn(&StoreAccess, ReadReply) -> Option<OrderEnd>,
    /// How logs and reports describe the workload.
    pub phrases: Phrases,
}

/// The purpose of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UseCase {
    /// The lock avoids duplicate work. A failure costs extra work or money.
    Efficiency,
    /// The lock protects data or people. A failure does irreversible damage.
    Correctness,
}

/// How logs and reports describe a workload.
pub struct Phrases {
    /// The content of a row with this count, such as `3 in stock`.
    pub count: fn(i64) -> String,
    /// The names of the resources, if there are two.
    pub resources: &'static [&'static str],
    /// How an order ended, as its client sees it.
    pub order_end: fn(OrderEnd) -> &'static str,
}

impl UseCase {
    /// Returns the name used in lists and reports.
    pub const fn name(self) -> &'static str {
        match self {
            UseCase::Efficiency => "efficiency",
            UseCase::Correctness => "correctness",
        }
    }
}

/// Workloads are displayed and compared by name, because function addresses are meaningless.
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

/// For `nothing_to_do`: an order for more units than the row has is refused.
pub(super) fn sold_out(access: &StoreAccess, read: ReadReply) -> Option<OrderEnd> {
    (read.count < i64::from(access.units)).then_some(OrderEnd::SoldOut)
}

/// For `nothing_to_do`: an event whose effect exists is skipped.
pub(super) fn done_already(_: &StoreAccess, read: ReadReply) -> Option<OrderEnd> {
    (read.count > 0).then_some(OrderEnd::DoneAlready)
}

/// For `nothing_to_do`: there is always something to write.
pub(super) fn never(_: &StoreAccess, _: ReadReply) -> Option<OrderEnd> {
    None
}

impl Phrases {
    /// Phrases for effects that must each happen once.
    pub(super) const EFFECTS: Phrases = Phrases {
        count: |count| if count == 0 { "not done yet".to_owned() } else { "done already".to_owned() },
        ..Phrases::WORK
    };

    /// Phrases for work on rows.
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

/// The oracle for effects that must each happen once.
pub(super) const EFFECTS: Oracle = Oracle {
    sells_stock: false,
    conserves_sum: false,
    metrics: &["missed_effects", "done_already_orders", "harm"],
    harm: &["duplicate_effects"],
};
