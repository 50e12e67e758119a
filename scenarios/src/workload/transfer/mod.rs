//! `transfer`: money moved between two accounts under two locks.

mod steps;

use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::info::{Phrases, sold_out};
use super::{Guard, Oracle, Rewrite, UseCase, Work, WorkloadInfo, WorkloadKind};
use crate::file::values::{quantity, quantity_schema, whole};

/// Clients move dollars between two accounts: they lock both, read both, and write one after the other. Every other
/// client moves dollars in the opposite direction.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Transfer {
    /// Initial dollars in each account.
    #[serde(deserialize_with = "whole::<_, _, 1, 1_000_000_000>")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub balance: u32,
    /// Dollars per transfer: an integer, or a range to draw from, such as "1..=3".
    #[serde(deserialize_with = "quantity")]
    #[schemars(schema_with = "quantity_schema")]
    pub quantity: RangeInclusive<u32>,
    /// The order in which the two locks are acquired.
    pub order: LockOrder,
    /// How a balance is written.
    pub update: Rewrite,
    /// What the store checks before it accepts a write.
    pub guard: Guard,
}

/// The order in which the two locks are acquired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LockOrder {
    /// All clients lock the first account first.
    #[default]
    Ascending,
    /// Each client first locks the account that it debits. Two clients that move money in opposite directions can then
    /// deadlock.
    Opposite,
}

impl Default for Transfer {
    fn default() -> Self {
        let (order, update, guard) = (LockOrder::default(), Rewrite::default(), Guard::default());
        Transfer { balance: 1_000, quantity: 1..=1, order, update, guard }
    }
}

impl WorkloadKind for Transfer {
    const INFO: WorkloadInfo = WorkloadInfo {
        name: "transfer",
        about: "clients move money between two accounts under two locks: the sum must not change",
        use_case: UseCase::Correctness,
        unit: "dollars off",
        oracle: Oracle {
            sells_stock: false,
            conserves_sum: true,
            metrics: &[
                "sold_out_orders",
                "lost_updates",
                "overwritten_unacked",
                "imbalance",
                "deadlocks",
                "deadlock_longest_ns",
                "harm",
            ],
            harm: &["imbalance"],
        },
        nothing_to_do: sold_out,
        phrases: Phrases {
            count: |count| format!("{count} dollars"),
            resources: &["the first account", "the second account"],
            ..Phrases::WORK
        },
    };

    fn work(&self) -> Work {
        Work {
            initial_count: self.balance,
            resources: 2,
            steps: match self.order {
                LockOrder::Ascending => steps::ASCENDING,
                LockOrder::Opposite => steps::OPPOSITE,
            },
            update: Some(self.update.into()),
            guard: Some(self.guard),
            quantity: self.quantity.clone(),
            ..Work::on_rows()
        }
    }
}
