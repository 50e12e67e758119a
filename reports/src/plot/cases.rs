//! Plots units sold beyond the stock and the negative count, in Case 1 and Case 2.

use super::Figure;
use super::oversell::paired_cells;
use super::rows::{Mark, Row, Rows};
use crate::grid::{Cell, Grid};

/// Plots oversold units beside the negative count, in both cases.
pub fn shown_and_hidden(cells: &[Cell]) -> Option<Figure> {
    let paired = paired_cells(cells);
    let mark = |lock: &str, update: &str, metric: &str| {
        let mine = paired.iter().filter(|(header, _)| header.lock == lock && header.update.as_deref() == Some(update));
        let (mut units, mut orders, mut cases) = (0, 0, 0);
        for (_, result) in mine {
            units += result.metric(metric)?.total();
            orders += result.metric("acked_orders")?.total();
            cases += result.cases();
        }
        (orders > 0).then(|| Mark { value: units as f64 * 1_000.0 / orders as f64, reach: None, cases })
    };
    let row = |lock: &str| Row {
        lock: lock.to_owned(),
        marks: vec![
            mark(lock, "target", "oversold_units"),
            mark(lock, "target", "negative_stock_units"),
            mark(lock, "decrement", "oversold_units"),
            mark(lock, "decrement", "negative_stock_units"),
        ],
        bound: None,
        aside: None,
    };
    let notes =
        ["In Case 1 the count stays at or above zero, so it hides an oversell. In Case 2 the count goes below zero, by the \
         units oversold and by orders that took effect without an acknowledgement. Censored cases are included."
            .to_owned()];
    Rows {
        name: "case-1-hides",
        title: "Oversell and the count in the store",
        axis: "units per 1,000 acknowledged orders",
        series: &[
            ("Case 1: oversold", 0),
            ("Case 1: below zero", 4),
            ("Case 2: oversold", 1),
            ("Case 2: below zero", 2),
        ],
        bound: None,
        log: false,
        notes: &notes,
        rows: Grid::new(paired.iter().copied()).locks.into_iter().map(row).collect(),
    }
    .figure()
}
