//! Plots the cost of safety: latency, messages, throughput, and takeover time.

use fencepost_scenarios::property::Property;
use fencepost_scenarios::run::results::{Tally, shown_metric};
use fencepost_sim::faults::{FaultInfo, standard};

use super::Figure;
use super::rows::{Mark, Row, Rows};
use crate::comparable::Comparable;
use crate::grid::{Cell, Grid};
use crate::pool::{Pooled, unguarded_cells};

/// The two series: scenarios without faults and scenarios with faults.
const CALM_AND_FAULTY: [(&str, usize); 2] = [("no faults", 0), ("under faults", 1)];

/// Returns median and 95th percentile of a metric over some cells, in the shown unit.
fn spread(cells: &[&Cell], stored: &str) -> Option<Mark> {
    let mut sum = Tally::default();
    cells.iter().filter_map(|(_, result)| result.metric(stored)).for_each(|tally| sum.merge(tally));
    let (_, scale) = shown_metric(stored);
    let shown = |value: u64| scale.apply(value as f64);
    (sum.samples() > 0).then(|| Mark {
        value: shown(sum.percentile(50)),
        reach: Some((shown(sum.percentile(50)), shown(sum.percentile(95)))),
        cases: sum.samples(),
    })
}

/// Returns the sum of one metric divided by the sum of another.
fn quotient(cells: &[&Cell], over: &str, under_name: &str, scale: f64) -> Option<Mark> {
    let total = |name: &str| cells.iter().filter_map(|(_, result)| result.metric(name)).map(Tally::total).sum::<u128>();
    let (over, under) = (total(over), total(under_name));
    let cases = cells.iter().filter_map(|(_, result)| result.metric(under_name)).map(Tally::samples).sum();
    (under > 0).then(|| Mark { value: over as f64 * scale / under as f64, reach: None, cases })
}

/// Returns one row for each lock over the comparable scenarios, and a text that names these scenarios.
fn rows(cells: &[Cell], mark: impl Fn(&[&Cell]) -> Option<Mark>) -> (Vec<Row>, String) {
    let comparable = Comparable::of(cells);
    let row = |lock: &str| Row {
        lock: lock.to_owned(),
        marks: comparable.cells(cells, lock).iter().map(|cells| mark(cells)).collect(),
        bound: None,
        aside: None,
    };
    (Grid::new(cells).locks.into_iter().map(row).collect(), comparable.text())
}

/// Plots the time until clients acquired the lock.
pub fn acquire_latency(cells: &[Cell]) -> Option<Figure> {
    let (rows, scenarios) = rows(cells, |cells| spread(cells, "acquire_ns"));
    let notes = [
        "From the first attempt for an order until the lock is acquired, including the work of other holders. Each case \
         counts with its mean. Marker: median over cases; line: up to the 95th percentile."
            .to_owned(),
        scenarios,
    ];
    Rows {
        name: "acquire-latency",
        title: "Time to acquire the lock",
        axis: "mean acquire of a case, in ms (log scale)",
        series: &CALM_AND_FAULTY,
        bound: None,
        log: true,
        notes: &notes,
        rows,
    }
    .figure()
}

/// Plots the messages per acquire.
pub fn messages(cells: &[Cell]) -> Option<Figure> {
    let (rows, scenarios) = rows(cells, |cells| quotient(cells, "lock_messages", "acquires", 1.0));
    let notes = [
        "All messages between clients and the lock’s servers and among these, per acquired lock. Failed attempts, renewals, \
         replication and the release are included; for locks inside the store that they guard, reads and writes too."
            .to_owned(),
        scenarios,
    ];
    Rows {
        name: "messages",
        title: "Messages per acquired lock",
        axis: "messages per acquire (log scale)",
        series: &CALM_AND_FAULTY,
        bound: None,
        log: true,
        notes: &notes,
        rows,
    }
    .figure()
}

/// Plots the acknowledged orders per second.
pub fn throughput(cells: &[Cell]) -> Option<Figure> {
    let (rows, scenarios) = rows(cells, |cells| quotient(cells, "acked_orders", "run_ns", 1e9));
    let notes = [
        "Acknowledged orders over the time until all were resolved, or until the run phase ended. Clients think between \
         orders and work under the lock, as the scenarios specify. This compares locks; it is not a benchmark."
            .to_owned(),
        scenarios,
    ];
    Rows {
        name: "throughput",
        title: "Throughput",
        axis: "acknowledged orders per simulated second",
        series: &CALM_AND_FAULTY,
        bound: None,
        log: false,
        notes: &notes,
        rows,
    }
    .figure()
}

/// Plots the time until a waiter gets the lock of a crashed holder, and the lock's own bound.
pub fn takeover(cells: &[Cell]) -> Option<Figure> {
    let crashed: Vec<&Cell> =
        unguarded_cells(cells).into_iter().filter(|(header, _)| header.applicable && crashes(header)).collect();
    let row = |lock: &str| {
        let mine: Vec<&Cell> = crashed.iter().copied().filter(|(header, _)| header.lock == lock).collect();
        let mark = spread(&mine, "takeover_ns").map(|mark| {
            let longest = mine.iter().filter_map(|(_, result)| result.metric("takeover_ns")).map(Tally::max).max();
            Mark { reach: longest.map(|longest| (mark.value, longest as f64 / 1e9)), ..mark }
        });
        let late = Pooled::of(mine.iter().copied(), Property::Takeover).filter(|pooled| pooled.count.violated > 0);
        let aside = late.map(|late| format!("late in {} of {}", late.count.violated, late.count.decided()));
        let bounds = mine.iter().filter_map(|(header, _)| header.takeover_bound);
        let bound = bounds.max().filter(|_| mark.is_some() || aside.is_some()).map(|bound| bound.as_secs_f64());
        Row { lock: lock.to_owned(), marks: vec![mark], bound, aside }
    };
    let notes = ["Each case counts with its longest takeover: from a holder’s crash to the next grant. Marker: median over cases; \
         line: up to the longest. The bound is the lock’s own with its settings and no further fault, without the work of \
         holders in between. Later faults restart it, so a line may pass it without a violation. Late: beyond the bound, \
         or never."
        .to_owned()];
    Rows {
        name: "takeover",
        title: "Takeover after a holder’s crash",
        axis: "seconds until the next grant (log scale)",
        series: &[("measured", 0)],
        bound: Some("the lock’s own bound"),
        log: true,
        notes: &notes,
        rows: Grid::new(cells).locks.into_iter().map(row).collect(),
    }
    .figure()
}

fn crashes(header: &fencepost_scenarios::run::results::CellHeader) -> bool {
    !header.faults.is_empty() && header.faults.iter().all(|fault| standard(&fault.kind).is_some_and(FaultInfo::crashes))
}
