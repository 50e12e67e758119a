//! Lock × scenario as a picture: colour for the rate, and always the number.

use fencepost_scenarios::property::Property;

use super::Figure;
use super::canvas::{Canvas, Point, Side, text_width};
use super::frame::{TEXT, TITLE};
use super::palette::{GRID, INK, MUTED, SURFACE, rate_colours, rate_step};
use crate::grid::{Cell, Finding, Grid};
use crate::text::{clipped, percent};

const CELL: (f64, f64) = (84.0, 38.0);

/// The heatmap for effect exclusion, without the scenarios that the dose plots show.
pub fn draw(cells: &[Cell]) -> Option<Figure> {
    let property = Property::EffectExclusion;
    let grid = Grid::new(cells.iter().filter(|(header, _)| header.dose.is_none()));
    if !grid.is_judged(property) {
        return None;
    }
    let title = format!("{}: violated cases", property.name());
    let svg = plot(&grid, property, &title);
    Some(Figure { name: format!("heatmap-{}", property.name()), title, svg })
}

fn plot(grid: &Grid, property: Property, title: &str) -> String {
    let widest = |names: &[&str], longest| {
        names.iter().map(|name| text_width(&clipped(name, longest), TEXT)).fold(0.0, f64::max)
    };
    let left = widest(&grid.locks, 24) + 20.0;
    let top = widest(&grid.scenarios, 30) + 56.0;
    let width = (left + grid.scenarios.len() as f64 * CELL.0 + 12.0).max(340.0);
    let height = top + grid.locks.len() as f64 * CELL.1 + 34.0;
    Canvas::draw(width, height, |canvas| {
        canvas.text(title, (10.0, 20.0), Side::Right, TITLE, INK);
        for (column, scenario) in grid.scenarios.iter().enumerate() {
            let x = left + (column as f64 + 0.5) * CELL.0;
            canvas.upward_text(&clipped(scenario, 30), (x, top - 8.0), Side::Right, TEXT, INK);
        }
        for (row, lock) in grid.locks.iter().enumerate() {
            let y = top + row as f64 * CELL.1;
            canvas.text(&clipped(lock, 24), (left - 8.0, y + CELL.1 / 2.0), Side::Left, TEXT, INK);
            for (column, scenario) in grid.scenarios.iter().enumerate() {
                field(canvas, grid.finding(lock, scenario, property), (left + column as f64 * CELL.0, y));
            }
        }
        let note = "k of n, with the upper 95 % bound";
        canvas.text(note, (10.0, height - 16.0), Side::Right, TEXT - 2.0, MUTED);
    })
}

fn field(canvas: &Canvas, finding: Finding, (x, y): Point) {
    let inner = ((x + 1.0, y + 1.0), (x + CELL.0 - 1.0, y + CELL.1 - 1.0));
    let middle = x + CELL.0 / 2.0;
    let Finding::Judged(_, count) = finding else {
        return canvas.text("n/a", (middle, y + CELL.1 / 2.0), Side::Middle, TEXT - 2.0, MUTED);
    };
    let (fill, text) = match count.rate() {
        Some(rate) if rate > 0.0 => rate_colours(rate_step(rate)),
        _ => (SURFACE, INK),
    };
    canvas.rectangle(inner.0, inner.1, if fill == SURFACE { GRID } else { fill });
    if fill == SURFACE {
        canvas.rectangle((inner.0.0 + 1.0, inner.0.1 + 1.0), (inner.1.0 - 1.0, inner.1.1 - 1.0), SURFACE);
    }
    let number = format!("{} of {}", count.violated, count.judged());
    let size = if number.len() > 11 { TEXT - 4.0 } else { TEXT - 2.0 };
    canvas.text(&number, (middle, y + 13.0), Side::Middle, size, text);
    canvas.text(&format!("≤ {}", percent(count.ci95().upper)), (middle, y + 27.0), Side::Middle, TEXT - 3.0, text);
}
