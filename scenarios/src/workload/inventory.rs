//! `inventory`: clients sell units of a stock.

use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Guard, Guarded, Pace, Update, UseCase, Work, WorkloadKind};
use crate::file::values::{quantity, quantity_schema, whole};

/// Clients sell units of a stock: read the count, decide, write it back.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Inventory {
    /// Units in stock at the beginning.
    #[serde(deserialize_with = "whole::<_, _, 1, 1_000_000_000>")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub stock: u32,
    /// Units of one order: an integer, or a range such as "1..=3", from which each order is drawn.
    #[serde(deserialize_with = "quantity")]
    #[schemars(schema_with = "quantity_schema")]
    pub quantity: RangeInclusive<u32>,
    /// How a sale is written.
    pub update: Update,
    /// What the store checks before it takes a write.
    pub guard: Guard,
}

impl Default for Inventory {
    fn default() -> Self {
        Inventory { stock: 100, quantity: 1..=1, update: Update::default(), guard: Guard::default() }
    }
}

impl WorkloadKind for Inventory {
    const NAME: &'static str = "inventory";
    const ABOUT: &'static str = "clients sell units of a stock: read the count, decide, write it back";
    const USE_CASE: UseCase = UseCase::Efficiency;
    const UNIT: &'static str = "units";

    /// By default there is half as much demand again as there is stock.
    fn work(&self) -> Work {
        let (low, high) = (u64::from(*self.quantity.start()), u64::from(*self.quantity.end()));
        Work {
            guarded: Guarded::Stock(self.stock),
            update: Some(self.update),
            guard: Some(self.guard),
            quantity: self.quantity.clone(),
            pace: Pace::Orders((u64::from(self.stock) * 3).div_ceil(low + high) as u32),
        }
    }
}
