//! `inventory`: clients sell units of a stock.

use std::ops::RangeInclusive;

use fencepost_models::history::OrderEnd;
use schemars::JsonSchema;
use serde::Deserialize;

use super::info::{Phrases, sold_out};
use super::{Guard, Oracle, Pace, Update, UseCase, Work, WorkloadInfo, WorkloadKind};
use crate::file::values::{quantity, quantity_schema, whole};

/// Clients sell units of a stock: read the count, decide, write it back.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Inventory {
    /// Initial units in stock.
    #[serde(deserialize_with = "whole::<_, _, 1, 1_000_000_000>")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub stock: u32,
    /// Units per order: an integer, or a range to draw from, such as "1..=3".
    #[serde(deserialize_with = "quantity")]
    #[schemars(schema_with = "quantity_schema")]
    pub quantity: RangeInclusive<u32>,
    /// How a sale is written to the store.
    pub update: Update,
    /// What the store checks before it accepts a write.
    pub guard: Guard,
}

impl Default for Inventory {
    fn default() -> Self {
        Inventory { stock: 100, quantity: 1..=1, update: Update::default(), guard: Guard::default() }
    }
}

impl WorkloadKind for Inventory {
    const INFO: WorkloadInfo = WorkloadInfo {
        name: "inventory",
        about: "clients sell units of a stock: read the count, decide, write it back",
        use_case: UseCase::Efficiency,
        unit: "units",
        oracle: Oracle {
            sells_stock: true,
            conserves_sum: false,
            metrics: &[
                "acked_units",
                "oversold_units",
                "sold_out_orders",
                "lost_updates",
                "lost_units",
                "overwritten_unacked",
                "applied_units",
                "negative_stock_units",
                "conservation_gap_units",
                "harm",
            ],
            harm: &["oversold_units", "lost_units"],
        },
        // Under `conditional`, the database decides whether enough is left.
        nothing_to_do: |access, read| match access.update {
            Update::Conditional => None,
            _ => sold_out(access, read),
        },
        phrases: Phrases { count: |count| format!("{count} in stock"), resources: &[], order_end: sale_end },
    };

    /// By default the orders ask for one and a half times the stock.
    fn work(&self) -> Work {
        let (low, high) = (u64::from(*self.quantity.start()), u64::from(*self.quantity.end()));
        Work {
            initial_count: self.stock,
            update: Some(self.update),
            guard: Some(self.guard),
            quantity: self.quantity.clone(),
            pace: Pace::Orders((u64::from(self.stock) * 3).div_ceil(low + high) as u32),
            ..Work::on_rows()
        }
    }
}

fn sale_end(end: OrderEnd) -> &'static str {
    match end {
        OrderEnd::Acked => "sold",
        OrderEnd::SoldOut => "refused: sold out",
        OrderEnd::Abandoned => "abandoned",
        OrderEnd::Unknown => "outcome unknown",
        OrderEnd::DoneAlready => "already done",
    }
}
