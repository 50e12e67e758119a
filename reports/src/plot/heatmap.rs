//! Plots heatmaps: locks against scenarios, families of faults or guards. Each field shows a colour and the counts.

use fencepost_scenarios::property::Property;

use super::Figure;
use super::canvas::{Canvas, Point, Side, text_width};
use super::frame::{TEXT, TITLE};
use super::palette::{GRID, INK, MUTED, SURFACE, rate_colours, rate_step};
use crate::grid::{Cell, Finding, Grid};
use crate::guards::Guards;
use crate::pool::{FaultGroup, Measure, Pooled, unguarded_cells, without_sweeps};
use crate::text::{bound, clipped};

const CELL: (f64, f64) = (84.0, 38.0);
/// Longer names are clipped.
const LONGEST_NAME: usize = 44;

/// The content of a field: a count, or the reason for its absence.
type Field = Result<Count, &'static str>;

const NOT_APPLICABLE: &str = "n/a";
const NOT_RUN: &str = "–";

struct Count {
    violated: u64,
    decided: u64,
    upper: f64,
}

impl Count {
    fn of(pooled: &Pooled) -> Self {
        Count { violated: pooled.count.violated, decided: pooled.count.decided(), upper: pooled.count.ci95().upper }
    }
}

/// Plots scenario × lock for effect exclusion, without parameter sweeps. Scenarios are the rows, since there are more of
/// them.
pub fn heatmap(cells: &[Cell]) -> Option<Figure> {
    let property = Property::EffectExclusion;
    let grid = Grid::new(without_sweeps(cells));
    let field = |scenario: &str, lock: &str| match grid.finding(lock, scenario, property) {
        Finding::Checked(_, count) => {
            Ok(Count { violated: count.violated, decided: count.decided(), upper: count.ci95().upper })
        }
        Finding::NotApplicable(_) => Err(NOT_APPLICABLE),
        Finding::Missing => Err(NOT_RUN),
    };
    let title = format!("{}: violated cases by lock and scenario", property.name());
    grid.is_checked(property).then(|| figure("heatmap-effect-exclusion", &title, &grid.scenarios, &grid.locks, field))
}

/// Plots lock × family of faults for cases with any harm.
pub fn families(cells: &[Cell]) -> Option<Figure> {
    let unguarded = unguarded_cells(cells);
    let grid = Grid::new(unguarded.iter().copied());
    let groups = FaultGroup::among(unguarded.iter().copied());
    let columns: Vec<&str> = groups.iter().map(|group| group.name()).collect();
    let field = |lock: &str, family: &str| {
        let mine =
            unguarded.iter().filter(|(header, _)| header.lock == lock && FaultGroup::of_cell(header).name() == family);
        Pooled::of(mine.copied(), Measure::Harm).map(|pooled| Count::of(&pooled)).ok_or(NOT_APPLICABLE)
    };
    let title = "Cases with harm by lock and family of faults";
    (!columns.is_empty()).then(|| figure("heatmap-families", title, &grid.locks, &columns, field))
}

/// Plots lock × guard for lost updates, all else being equal.
pub fn guards(cells: &[Cell]) -> Option<Figure> {
    let guards = Guards::of(cells)?;
    let columns: Vec<&str> = guards.columns.iter().map(String::as_str).collect();
    let field = |lock: &str, guard: &str| {
        let pooled = guards.pooled(lock, guard, Property::NoLostUpdate);
        pooled.map(|pooled| Count::of(&pooled)).ok_or(NOT_APPLICABLE)
    };
    let title = "Cases that lost an update, by what the store checks";
    Some(figure("guards", title, &guards.locks, &columns, field))
}

fn figure(name: &str, title: &str, rows: &[&str], columns: &[&str], field: impl Fn(&str, &str) -> Field) -> Figure {
    Figure {
        name: name.into(),
        title: title.into(),
        caption: NOTE.into(),
        svg: plot(title, rows, columns, field),
        panels: Vec::new(),
        key: None,
    }
}

const NOTE: &str = "k of n cases, with the 95 % bound; n/a: not applicable, –: not run";

fn plot(title: &str, rows: &[&str], columns: &[&str], count: impl Fn(&str, &str) -> Field) -> String {
    let widest =
        |names: &[&str]| names.iter().map(|name| text_width(&clipped(name, LONGEST_NAME), TEXT)).fold(0.0, f64::max);
    let left = widest(rows) + 20.0;
    let top = widest(columns) + 56.0;
    let width = (left + columns.len() as f64 * CELL.0 + 12.0).max(text_width(title, TITLE) + 20.0);
    let height = top + rows.len() as f64 * CELL.1 + 34.0;
    Canvas::draw(width, height, |canvas| {
        canvas.text(title, (10.0, 20.0), Side::Right, TITLE, INK);
        for (at, column) in columns.iter().enumerate() {
            let x = left + (at as f64 + 0.5) * CELL.0;
            canvas.upward_text(&clipped(column, LONGEST_NAME), (x, top - 8.0), Side::Right, TEXT, INK);
        }
        for (index, row) in rows.iter().enumerate() {
            let y = top + index as f64 * CELL.1;
            canvas.text(&clipped(row, LONGEST_NAME), (left - 8.0, y + CELL.1 / 2.0), Side::Left, TEXT, INK);
            for (at, column) in columns.iter().enumerate() {
                field(canvas, count(row, column), (left + at as f64 * CELL.0, y));
            }
        }
        canvas.text(NOTE, (10.0, height - 16.0), Side::Right, TEXT - 2.0, MUTED);
    })
}

fn field(canvas: &Canvas, field: Field, (x, y): Point) {
    let inner = ((x + 1.0, y + 1.0), (x + CELL.0 - 1.0, y + CELL.1 - 1.0));
    let middle = x + CELL.0 / 2.0;
    let count = match field {
        Ok(count) => count,
        Err(word) => return canvas.text(word, (middle, y + CELL.1 / 2.0), Side::Middle, TEXT - 2.0, MUTED),
    };
    let (fill, text) = match count.violated {
        0 => (SURFACE, INK),
        violated => rate_colours(rate_step(violated as f64 / count.decided as f64)),
    };
    canvas.rectangle(inner.0, inner.1, if fill == SURFACE { GRID } else { fill });
    if fill == SURFACE {
        canvas.rectangle((inner.0.0 + 1.0, inner.0.1 + 1.0), (inner.1.0 - 1.0, inner.1.1 - 1.0), SURFACE);
    }
    let number = format!("{} of {}", count.violated, count.decided);
    let size = if number.len() > 11 { TEXT - 4.0 } else { TEXT - 2.0 };
    canvas.text(&number, (middle, y + 13.0), Side::Middle, size, text);
    canvas.text(&bound(count.violated, count.decided, count.upper), (middle, y + 27.0), Side::Middle, TEXT - 3.0, text);
}
