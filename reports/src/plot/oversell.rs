//! How many units were sold beyond the stock: the distribution over cases, one curve for each lock.

use fencepost_scenarios::results::{CellHeader, Tally};

use super::canvas::{Canvas, Point, Side, text_width};
use super::frame::{Frame, TEXT, TITLE, percent_ticks, whole_ticks};
use super::palette::{INK, MUTED, style};
use super::{Figure, dealt, part};
use crate::grid::{Cell, Grid};
use crate::text::{clipped, short};

const WIDTH: f64 = 520.0;
const PLOT_HEIGHT: f64 = 250.0;
const TOP: f64 = 66.0;
const LEGEND_ROW: f64 = 20.0;
const NOTE_ROW: f64 = 17.0;

/// The curve of one lock, from the cases that used up the demand.
#[derive(Clone)]
struct Curve {
    lock: String,
    place: usize,
    sold: Tally,
    censored: u64,
}

/// The plots for one way to update, without the scenarios that turn the dial of a pause: they would count six times.
/// The same locks share a plot whatever the way, so that plots can stand side by side.
pub fn draw(cells: &[Cell], update: &str) -> Vec<Figure> {
    let curves = curves(cells, update);
    let case = match update {
        "target" => "Case 1: the new count is written",
        "decrement" => "Case 2: the count is lowered",
        other => other,
    };
    let max = curves.iter().map(|curve| curve.sold.max()).max();
    let Some(max) = max else { return Vec::new() };
    let silent: Vec<Curve> = curves.iter().filter(|curve| curve.sold.max() == 0).cloned().collect();
    let plots = dealt(&selling_places(cells));
    let count = plots.len();
    let figures = plots.into_iter().enumerate().map(|(at, places)| {
        let (suffix, number) = part(at, count);
        let sells = |curve: &&Curve| curve.sold.max() > 0 && places.contains(&curve.place);
        let mut shown: Vec<Curve> = curves.iter().filter(sells).cloned().collect();
        shown.sort_by(|a, b| b.sold.mean().unwrap_or(0.0).total_cmp(&a.sold.mean().unwrap_or(0.0)));
        let notes = notes(&shown, if at + 1 == count { &silent } else { &[] });
        let title = format!("{case}{number}");
        Figure { name: format!("oversell-{update}{suffix}"), svg: plot(&title, &shown, &notes, max), title }
    });
    figures.collect()
}

/// The places of the locks that oversold, whatever the way to update.
fn selling_places(cells: &[Cell]) -> Vec<usize> {
    let sells = |lock: &str| {
        cells
            .iter()
            .any(|(header, result)| header.lock == lock && is_counted(header) && result.oversold_uncensored().max() > 0)
    };
    let locks = Grid::new(cells).locks;
    (0..locks.len()).filter(|place| sells(locks[*place])).collect()
}

fn is_counted(header: &CellHeader) -> bool {
    header.applicable && header.dose.is_none()
}

fn curves(cells: &[Cell], update: &str) -> Vec<Curve> {
    let places = Grid::new(cells).locks;
    let of = |place: usize, lock: &str| {
        let mine = cells.iter().filter(|(header, _)| {
            header.lock == lock
                && header.applicable
                && header.dose.is_none()
                && header.update.as_deref() == Some(update)
        });
        let mut curve = Curve { lock: clipped(lock, 24), place, sold: Tally::default(), censored: 0 };
        let mut any = false;
        for (_, result) in mine.filter(|(_, result)| result.metric("oversold_units").is_some()) {
            curve.sold.merge(result.oversold_uncensored());
            curve.censored += result.censored();
            any = true;
        }
        any.then_some(curve)
    };
    places.iter().enumerate().filter_map(|(place, lock)| of(place, lock)).collect()
}

fn notes(shown: &[Curve], silent: &[Curve]) -> Vec<String> {
    let names = |curves: Vec<&Curve>| curves.iter().map(|c| label(c)).collect::<Vec<_>>().join(", ");
    let (censored, clean): (Vec<&Curve>, Vec<&Curve>) = silent.iter().partition(|curve| curve.sold.samples() == 0);
    let mut notes = Vec::new();
    if !clean.is_empty() {
        notes.extend(wrapped(&format!("No unit too many in the cases run: {}", names(clean))));
    }
    if !censored.is_empty() {
        notes.extend(wrapped(&format!("Not comparable, stock never used up: {}", names(censored))));
    }
    if shown.iter().chain(silent).any(|curve| curve.censored > 0) {
        notes.extend(wrapped("† some cases ended before the stock was gone (censored) and are left out"));
    }
    notes
}

fn label(curve: &Curve) -> String {
    if curve.censored > 0 { format!("{} †", curve.lock) } else { curve.lock.clone() }
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always a last one");
        if !line.is_empty() && text_width(line, TEXT - 1.0) + text_width(word, TEXT - 1.0) > WIDTH - 24.0 {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

fn plot(title: &str, curves: &[Curve], notes: &[String], max: u64) -> String {
    let bottom = TOP + PLOT_HEIGHT;
    let legend_top = bottom + 66.0;
    let notes_top = legend_top + curves.len() as f64 * LEGEND_ROW + 4.0;
    let height = notes_top + notes.len() as f64 * NOTE_ROW + 4.0;
    Canvas::draw(WIDTH, height, |canvas| {
        canvas.text(title, (8.0, 18.0), Side::Right, TITLE, INK);
        let frame = Frame { left: 62.0, top: TOP, right: WIDTH - 22.0, bottom };
        let x = whole_ticks(max);
        frame.axes(canvas, ("oversold units in a case", &x), ("share of cases with at most x", &percent_ticks()));
        for curve in curves.iter().rev() {
            canvas.patterned(&steps(&curve.sold, frame, max), style(curve.place));
        }
        for (row, curve) in curves.iter().enumerate() {
            legend(canvas, curve, legend_top + row as f64 * LEGEND_ROW);
        }
        for (row, note) in notes.iter().enumerate() {
            canvas.text(note, (8.0, notes_top + row as f64 * NOTE_ROW), Side::Right, TEXT - 1.0, MUTED);
        }
    })
}

fn steps(sold: &Tally, frame: Frame, max: u64) -> Vec<Point> {
    let point = |value: u64, share: f64| frame.point(value as f64 / max.max(1) as f64, share);
    let mut points = vec![point(0, 0.0)];
    let mut share = 0.0;
    for (value, up_to) in sold.cumulative() {
        points.push(point(value, share));
        share = up_to as f64 / sold.samples() as f64;
        points.push(point(value, share));
    }
    points.push(point(max, share));
    points
}

fn legend(canvas: &Canvas, curve: &Curve, y: f64) {
    canvas.patterned(&[(8.0, y), (44.0, y)], style(curve.place));
    canvas.text(&label(curve), (52.0, y), Side::Right, TEXT, INK);
    let mean = short(curve.sold.mean().unwrap_or(0.0));
    let figures = format!("mean {mean}, 95 % ≤ {}, max {}", curve.sold.percentile(95), curve.sold.max());
    canvas.text(&figures, (WIDTH - 22.0, y), Side::Left, TEXT - 1.0, MUTED);
}
