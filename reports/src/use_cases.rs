//! Harm by lock and workload: the cost of a failing lock.

use fencepost_scenarios::run::results::{Scale, shown_metric};

use crate::grid::{Cell, Grid};

/// The harm in some cells of one lock and workload.
#[derive(Clone, Copy, Debug, Default)]
pub struct Harm<'a> {
    /// Acknowledged orders.
    pub orders: u128,
    /// Harm in the workload's unit.
    pub harm: f64,
    /// The number of cases.
    pub cases: u64,
    /// The cell with the most harm per order, if there is any harm.
    pub worst: Option<&'a Cell>,
}

impl<'a> Harm<'a> {
    /// Sums the harm of cells.
    pub fn sum(cells: impl IntoIterator<Item = &'a Cell>) -> Self {
        let mut sum = Harm::default();
        let mut highest = 0.0;
        for cell in cells {
            let (orders, harm) = (orders(cell), harm(cell));
            sum.orders += orders;
            sum.harm += harm;
            sum.cases += cell.1.cases();
            let rate = harm / orders.max(1) as f64;
            if rate > highest {
                (highest, sum.worst) = (rate, Some(cell));
            }
        }
        sum
    }

    /// Returns the harm per 1,000 acknowledged orders, or `None` if there are no orders.
    pub fn per_thousand(&self) -> Option<f64> {
        (self.orders > 0).then(|| self.harm * 1_000.0 / self.orders as f64)
    }
}

fn orders((_, result): &Cell) -> u128 {
    result.metric("acked_orders").map_or(0, fencepost_scenarios::run::results::Tally::total)
}

fn harm((_, result): &Cell) -> f64 {
    let shown = result.metrics().find_map(|(stored, tally)| {
        let (name, scale): (_, Scale) = shown_metric(stored);
        (name == "harm").then(|| scale.apply(tally.total() as f64))
    });
    shown.unwrap_or(0.0)
}

/// Returns the workloads of the cells, in the order of their scenarios.
pub fn workloads<'a>(grid: &Grid<'a>) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for scenario in &grid.scenarios {
        if let Some((header, _)) = grid.column(scenario).next()
            && !names.contains(&header.workload.as_str())
        {
            names.push(&header.workload);
        }
    }
    names
}
