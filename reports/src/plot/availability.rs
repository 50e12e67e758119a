//! Availability under faults: the share of time in which the lock served clients that wanted it, over the run phase.

use fencepost_scenarios::run::case_result::Span;

use super::Figure;
use super::canvas::{Canvas, Point};
use super::frame::{Frame, percent_ticks, whole_ticks};
use super::palette::{MUTED, style};
use super::panels::{Axes, KeyEntry, Panel, figure};
use crate::grid::{Cell, Grid};
use crate::pool::unguarded_cells;
use crate::text::{clipped, percent};

/// The maximum number of scenarios shown.
const MOST: usize = 3;
/// The minimum average difference between two locks for which a scenario gets a figure.
const APART: f64 = 0.01;
/// The drawing ends when this share of the locks has no more visible data.
const DONE: f64 = 0.9;
/// A smaller share of the time is not visible.
const VISIBLE: f64 = 0.005;
/// The number of background shades for the frequency of faults.
const SHADES: f64 = 20.0;
/// The width of the line for the frequency of faults.
const FAULTS: f64 = 1.5;

/// Plots availability over time in the scenarios in which locks differ most.
pub fn availability(cells: &[Cell]) -> Vec<Figure> {
    let grid = Grid::new(
        unguarded_cells(cells)
            .into_iter()
            .filter(|(header, result)| header.applicable && !header.faults.is_empty() && !result.spans().is_empty()),
    );
    let mut ranked: Vec<(&str, f64)> =
        grid.scenarios.iter().map(|scenario| (*scenario, difference(&grid, scenario))).collect();
    ranked.retain(|(_, difference)| *difference >= APART);
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
    ranked.truncate(MOST);
    ranked.iter().enumerate().map(|(at, (scenario, _))| scenario_figure(&grid, scenario, at)).collect()
}

fn blocked_share(cell: &Cell) -> f64 {
    let sum = cell.1.spans().iter().fold(Span::default(), |mut sum, span| {
        sum.add(span);
        sum
    });
    (sum.wanted - sum.served) as f64 / sum.slices.max(1) as f64
}

/// Returns the length of one span of the run phase, in seconds.
fn span_seconds((_, result): &Cell) -> f64 {
    result.spans().first().map_or(0.0, |span| span.slices as f64 * 0.1 / result.cases().max(1) as f64)
}

/// Returns the difference between the shares of two locks, averaged over all pairs, so one outlier does not count more
/// than many differences.
fn difference(grid: &Grid, scenario: &str) -> f64 {
    let shares: Vec<f64> = grid.column(scenario).map(blocked_share).collect();
    let pairs =
        shares.iter().enumerate().flat_map(|(at, one)| shares[..at].iter().map(move |other| (one - other).abs()));
    pairs.sum::<f64>() / (shares.len() * shares.len().saturating_sub(1) / 2).max(1) as f64
}

fn scenario_figure(grid: &Grid, scenario: &str, at: usize) -> Figure {
    let cells: Vec<&Cell> = grid.column(scenario).collect();
    let mut ends: Vec<usize> = cells.iter().map(|(_, result)| end(result.spans())).collect();
    ends.sort_unstable();
    let spans = ends.get(libm::ceil(ends.len() as f64 * DONE) as usize - 1).map_or(1, |end| (*end).max(1));
    let panels: Vec<Panel> = cells.iter().map(|cell| panel(cell, spans)).collect();
    let length = cells.iter().map(|cell| span_seconds(cell)).fold(0.0, f64::max);
    let seconds = libm::round(spans as f64 * length) as u64;
    let ticks = whole_ticks(seconds);
    let axes = Axes {
        x: "simulated time in s".into(),
        y: "share of the time of all cases".into(),
        x_ticks: ticks.into_iter().filter(|tick| tick.share <= 1.0).collect(),
        y_ticks: percent_ticks(),
    };
    let key = [
        KeyEntry { sample: |canvas, a, b| block(canvas, a, b, 0, 0.75), label: "served".into() },
        KeyEntry {
            sample: |canvas, a, b| block(canvas, a, b, 1, 1.0),
            label: "blocked: wanted, but not available".into(),
        },
        KeyEntry {
            sample: |canvas, a, b| canvas.line(&[a, b], MUTED, FAULTS),
            label: "share with active faults".into(),
        },
    ];
    let mut notes = vec![
        "The rest is time in which no client wanted the lock, or only clients that a fault affected. A darker background \
         means more frequent faults. Cases end when all their orders are resolved. Later times count only cases still \
         running, and are omitted if these are less than a tenth."
            .to_owned(),
    ];
    let longer = cells.iter().filter(|(_, result)| end(result.spans()) > spans);
    let longer: Vec<String> = longer.map(|(header, _)| clipped(&header.lock, 24)).collect();
    if !longer.is_empty() {
        notes.push(format!(
            "The drawing ends at {seconds} s; clients still wanted the lock after that with {}.",
            longer.join(", ")
        ));
    }
    let title = format!("Availability: {}", clipped(scenario, 40));
    figure(format!("availability-{}", at + 1), title, &axes, &panels, &key, &notes)
}

fn block(canvas: &Canvas, (x, y): Point, (right, _): Point, index: usize, opacity: f64) {
    canvas.polygon(&[(x, y - 7.0), (right, y - 7.0), (right, y + 7.0), (x, y + 7.0)], style(index).colour, opacity);
}

fn panel(cell: &Cell, spans: usize) -> Panel<'_> {
    let (header, result) = cell;
    let whole = 1.0 - blocked_share(cell);
    Panel {
        lock: header.lock.clone(),
        note: format!("n {} · not blocked {}", result.cases(), percent(whole)),
        draw: Box::new(move |canvas, frame| {
            let spans_shown = frequent_enough(result.spans());
            areas(canvas, frame, &spans_shown[..spans_shown.len().min(spans)], spans);
        }),
    }
}

/// Cuts off the end, in which less than a tenth of the cases were still running.
fn frequent_enough(spans: &[Span]) -> &[Span] {
    let most = spans.first().map_or(0, |span| span.slices);
    let end = spans.iter().position(|span| span.slices * 10 < most).unwrap_or(spans.len());
    &spans[..end]
}

/// Returns the number of spans up to the last one with visible data.
fn end(spans: &[Span]) -> usize {
    let shown = |span: &Span| span.wanted as f64 > VISIBLE * span.slices as f64;
    frequent_enough(spans).iter().rposition(shown).map_or(0, |last| last + 1)
}

fn areas(canvas: &Canvas, frame: Frame, spans: &[Span], of: usize) {
    let share = |count: u64, span: &Span| if span.slices == 0 { 0.0 } else { count as f64 / span.slices as f64 };
    let served = |span: &Span| share(span.served, span);
    let wanted = |span: &Span| share(span.wanted, span);
    let faulty = |span: &Span| share(span.faulty, span);
    let line = |height: &dyn Fn(&Span) -> f64| -> Vec<Point> {
        let steps = steps(spans, of, height).into_iter();
        steps.flat_map(|(from, to, height)| [frame.point(from, height), frame.point(to, height)]).collect()
    };
    let area = |lower: &dyn Fn(&Span) -> f64, upper: &dyn Fn(&Span) -> f64| -> Vec<Point> {
        line(upper).into_iter().chain(line(lower).into_iter().rev()).collect()
    };
    for (from, to, shade) in steps(spans, of, &|span| libm::round(faulty(span) * SHADES) / SHADES) {
        if shade > 0.0 {
            let corners = [(from, 0.0), (to, 0.0), (to, 1.0), (from, 1.0)].map(|(x, y)| frame.point(x, y));
            canvas.polygon(&corners, MUTED, 0.28 * shade);
        }
    }
    canvas.polygon(&area(&|_| 0.0, &served), style(0).colour, 0.75);
    canvas.polygon(&area(&served, &wanted), style(1).colour, 1.0);
    canvas.line(&line(&faulty), MUTED, FAULTS);
}

/// Returns start and end of each step, as shares of the axis, and its height. Equal neighbours are merged to keep pages
/// small.
fn steps(spans: &[Span], of: usize, height: &dyn Fn(&Span) -> f64) -> Vec<(f64, f64, f64)> {
    let x = |at: usize| at as f64 / of as f64;
    let mut end = 0;
    let step = |alike: &[Span]| {
        let from = end;
        end += alike.len();
        (x(from), x(end), height(&alike[0]))
    };
    spans.chunk_by(|one, next| height(one) == height(next)).map(step).collect()
}
