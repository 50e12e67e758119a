//! What Case 1 hides and Case 2 shows: units sold beyond the stock, and how far below zero the count ever went.

use super::Figure;
use super::oversell::case_twins;
use super::rows::{Mark, Row, Rows};
use crate::grid::{Cell, Grid};

/// Oversold units beside what the count admits, in both cases.
pub fn shown_and_hidden(cells: &[Cell]) -> Option<Figure> {
    let twins = case_twins(cells);
    let mark = |lock: &str, update: &str, metric: &str| {
        let mine = twins.iter().filter(|(header, _)| header.lock == lock && header.update.as_deref() == Some(update));
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
        ["Case 1 oversells while its count stays at or above zero: nobody who looks at the count can know. In Case 2 \
         the count goes below zero, by what was oversold and by orders of which nobody learnt that they took effect. \
         All cases, the censored too."
            .to_owned()];
    Rows {
        name: "case-1-hides",
        title: "What Case 1 hides and Case 2 shows",
        axis: "units per 1,000 acknowledged orders",
        series: &[("Case 1: oversold", 0), ("count says", 4), ("Case 2: oversold", 1), ("count says", 2)],
        bound: None,
        log: false,
        notes: &notes,
        rows: Grid::new(twins.iter().copied()).locks.into_iter().map(row).collect(),
    }
    .figure()
}
