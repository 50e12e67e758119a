//! Plots the distribution of units sold beyond the stock over cases, with Case 1 and Case 2 side by side.

use fencepost_scenarios::run::results::{CellHeader, Tally};

use super::Figure;
use super::canvas::{Canvas, Point};
use super::frame::{Frame, percent_ticks, whole_ticks};
use super::palette::{Style, style};
use super::panels::{Axes, KeyEntry, Panel, figure};
use crate::grid::{Cell, Grid};
use crate::pool::{NO_LOCK, unguarded_cells};
use crate::text::{grouped, percent};

/// Case 1 and Case 2: update, name and style.
const CASES: [(&str, &str, usize); 2] = [("target", "Case 1", 0), ("decrement", "Case 2", 1)];

/// The oversold units of one lock in Case 1 or Case 2.
#[derive(Clone, Default)]
struct Sold {
    sold: Tally,
    censored: u64,
    cases: u64,
}

/// Plots the distribution of oversold units for each lock.
pub fn oversell(cells: &[Cell]) -> Option<Figure> {
    let paired = paired_cells(cells);
    let locks: Vec<(&str, [Sold; 2])> = (Grid::new(cells).locks.into_iter())
        .map(|lock| (lock, CASES.map(|(update, _, _)| sold(&paired, lock, update))))
        .filter(|(_, sold)| sold.iter().any(|sold| sold.cases > 0))
        .collect();
    if locks.is_empty() {
        return None;
    }
    let most = |(_, sold): &(&str, [Sold; 2])| sold.iter().map(|sold| sold.sold.max()).max().unwrap_or(0);
    // The baseline without a lock would compress the curves of all locks.
    let real = locks.iter().filter(|(lock, _)| *lock != NO_LOCK).map(most).max();
    let max = real.unwrap_or_else(|| locks.iter().map(most).max().unwrap_or(0)).max(1);
    let axes = Axes {
        x: "units sold beyond the stock in a case".into(),
        y: "share of cases with at most x".into(),
        x_ticks: whole_ticks(max),
        y_ticks: percent_ticks(),
    };
    let panels: Vec<Panel> = locks.iter().map(|(lock, sold)| panel(lock, sold, max)).collect();
    let key = [
        KeyEntry {
            sample: |canvas, a, b| canvas.patterned(&[a, b], style(0)),
            label: "Case 1: clients write the count".into(),
        },
        KeyEntry {
            sample: |canvas, a, b| canvas.patterned(&[a, b], style(1)),
            label: "Case 2: the store subtracts".into(),
        },
    ];
    let mut notes = vec![
        "Only scenarios that were run in both cases and are otherwise equal. cens.: cases that ended before the stock was \
         gone, which are excluded. A curve further down and to the right is worse."
            .to_owned(),
    ];
    if let Some(beyond) = locks.iter().map(most).max().filter(|beyond| *beyond > max) {
        notes.push(format!(
            "The axis ends at the largest value of any lock; without a lock, up to {} units are oversold.",
            grouped(beyond.into())
        ));
    }
    Some(figure("oversell".into(), "Units sold beyond the stock".into(), &axes, &panels, &key, &notes))
}

/// Returns the cells that were run in both Case 1 and Case 2 and are otherwise equal, or all cells of either if none.
pub fn paired_cells(cells: &[Cell]) -> Vec<&Cell> {
    let counted = |header: &CellHeader| {
        header.applicable && CASES.iter().any(|(update, _, _)| header.update.as_deref() == Some(update))
    };
    let all: Vec<&Cell> = unguarded_cells(cells).into_iter().filter(|(header, _)| counted(header)).collect();
    let has = |setting: &str, clients: u16, update: &str| {
        all.iter().any(|(header, _)| {
            header.setting == setting && header.clients == clients && header.update.as_deref() == Some(update)
        })
    };
    let in_both_cases = |(header, _): &&Cell| {
        !header.setting.is_empty() && CASES.iter().all(|(update, _, _)| has(&header.setting, header.clients, update))
    };
    let paired: Vec<&Cell> = all.iter().copied().filter(in_both_cases).collect();
    if paired.is_empty() { all } else { paired }
}

fn sold(cells: &[&Cell], lock: &str, update: &str) -> Sold {
    let mut sum = Sold::default();
    let mine = cells.iter().filter(|(header, _)| header.lock == lock && header.update.as_deref() == Some(update));
    for (_, result) in mine.filter(|(_, result)| result.metric("oversold_units").is_some()) {
        sum.sold.merge(result.oversold_uncensored());
        sum.censored += result.censored();
        sum.cases += result.cases();
    }
    sum
}

fn panel<'a>(lock: &str, sold: &'a [Sold; 2], max: u64) -> Panel<'a> {
    let words = |sold: &Sold, (_, case, _): &(&str, &str, usize)| match sold.cases {
        0 => format!("{case}: n/a"),
        cases if sold.censored == cases => format!("{case}: all cens."),
        cases if sold.censored > 0 => {
            let share = percent(sold.censored as f64 / cases as f64).replace(' ', "");
            format!("n {} ({share} cens.)", grouped(sold.sold.samples().into()))
        }
        cases => format!("n {}", grouped(cases.into())),
    };
    let note: Vec<String> = sold.iter().zip(&CASES).map(|(sold, case)| words(sold, case)).collect();
    Panel {
        lock: lock.to_owned(),
        note: note.join(" · "),
        draw: Box::new(move |canvas: &Canvas, frame| {
            for (sold, (_, _, index)) in sold.iter().zip(CASES).filter(|(sold, _)| sold.sold.samples() > 0) {
                // Case 2 is dashed, and drawn over Case 1.
                let style = Style { pattern: index, ..style(index) };
                canvas.patterned(&steps(&sold.sold, frame, max), style);
            }
        }),
    }
}

fn steps(sold: &Tally, frame: Frame, max: u64) -> Vec<Point> {
    let point = |value: u64, share: f64| frame.point(value as f64 / max.max(1) as f64, share);
    let mut points = vec![point(0, 0.0)];
    let mut share = 0.0;
    for (value, up_to) in sold.cumulative() {
        if value > max {
            break;
        }
        points.push(point(value, share));
        share = up_to as f64 / sold.samples() as f64;
        points.push(point(value, share));
    }
    points.push(point(max, share));
    points
}
