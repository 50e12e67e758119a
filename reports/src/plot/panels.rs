//! Small multiples: one small plot for each lock, all with the same axes, so even twenty-two locks stay legible.

use super::Figure;
use super::canvas::{Canvas, Point, Side, text_width};
use super::frame::{Frame, Tick};
use super::palette::{GRID, INK, MUTED};
use crate::text::clipped;

/// The size of a panel.
pub const PANEL: (f64, f64) = (226.0, 172.0);
const COLUMNS: usize = 5;
const HEAD: f64 = 62.0;
const TEXT: f64 = 12.0;

/// The axes that all panels share.
#[derive(Clone, Debug)]
pub struct Axes {
    /// The label of the x axis, with its unit.
    pub x: String,
    /// The label of the y axis, with its unit.
    pub y: String,
    /// The ticks of the x axis.
    pub x_ticks: Vec<Tick>,
    /// The ticks of the y axis.
    pub y_ticks: Vec<Tick>,
}

/// A function that draws data in a frame of a canvas.
pub type Draw<'a> = Box<dyn Fn(&Canvas, Frame) + 'a>;

/// One panel: the name of a lock, a note and the data.
pub struct Panel<'a> {
    /// The lock.
    pub lock: String,
    /// The note below the name, such as `n 200`.
    pub note: String,
    /// Draws the data.
    pub draw: Draw<'a>,
}

/// Creates a figure: all panels in one SVG for the file, and each panel as an SVG for the page.
pub fn figure(
    name: String,
    title: String,
    axes: &Axes,
    panels: &[Panel],
    key: &[KeyEntry],
    notes: &[String],
) -> Figure {
    let svg = whole(&title, axes, panels, key, notes);
    let single = |panel: &Panel| {
        let svg = Canvas::draw(PANEL.0, PANEL.1, |canvas| draw_panel(canvas, axes, panel, (0.0, 0.0)));
        (format!("{title}: {}", panel.lock), svg)
    };
    let key_svg =
        (!key.is_empty()).then(|| Canvas::draw(key_width(key), 26.0, |canvas| draw_key(canvas, key, (4.0, 13.0))));
    Figure {
        name,
        caption: format!("{} against {}. {}", axes.y, axes.x, notes.join(" ")),
        panels: panels.iter().map(single).collect(),
        key: key_svg,
        title,
        svg,
    }
}

/// An entry of the key: a sample and its label.
pub struct KeyEntry {
    /// Draws a sample between two points.
    pub sample: fn(&Canvas, Point, Point),
    /// The meaning of the sample.
    pub label: String,
}

fn key_width(key: &[KeyEntry]) -> f64 {
    key.iter().map(|entry| 52.0 + text_width(&entry.label, TEXT)).sum::<f64>() + 8.0
}

fn draw_key(canvas: &Canvas, key: &[KeyEntry], (mut x, y): Point) {
    for entry in key {
        (entry.sample)(canvas, (x, y), (x + 28.0, y));
        canvas.text(&entry.label, (x + 35.0, y), Side::Right, TEXT, INK);
        x += 52.0 + text_width(&entry.label, TEXT);
    }
}

fn whole(title: &str, axes: &Axes, panels: &[Panel], key: &[KeyEntry], notes: &[String]) -> String {
    let columns = panels.len().clamp(1, COLUMNS);
    let rows = panels.len().div_ceil(columns);
    let width = (columns as f64 * PANEL.0 + 16.0).max(560.0).max(key_width(key) + 16.0);
    let head = if key.is_empty() { HEAD } else { HEAD + 24.0 };
    let lines: Vec<String> = notes.iter().flat_map(|note| super::wrapped(note, TEXT, width - 24.0)).collect();
    let height = head + rows as f64 * PANEL.1 + 14.0 + lines.len() as f64 * 17.0 + 6.0;
    Canvas::draw(width, height, |canvas| {
        canvas.text(title, (10.0, 20.0), Side::Right, 17.0, INK);
        canvas.text(&format!("{} · {}", axes.y, axes.x), (10.0, 44.0), Side::Right, TEXT + 1.0, MUTED);
        draw_key(canvas, key, (10.0, 68.0));
        for (at, panel) in panels.iter().enumerate() {
            let corner = (8.0 + (at % columns) as f64 * PANEL.0, head + (at / columns) as f64 * PANEL.1);
            draw_panel(canvas, axes, panel, corner);
        }
        let below = head + rows as f64 * PANEL.1 + 14.0;
        for (at, line) in lines.iter().enumerate() {
            canvas.text(line, (10.0, below + at as f64 * 17.0), Side::Right, TEXT, MUTED);
        }
    })
}

fn draw_panel(canvas: &Canvas, axes: &Axes, panel: &Panel, (x, y): Point) {
    canvas.text(&clipped(&panel.lock, 24), (x + 6.0, y + 11.0), Side::Right, TEXT + 1.0, INK);
    canvas.text(&panel.note, (x + 6.0, y + 28.0), Side::Right, TEXT - 1.5, MUTED);
    let frame = Frame { left: x + 40.0, top: y + 42.0, right: x + PANEL.0 - 16.0, bottom: y + PANEL.1 - 26.0 };
    for tick in &axes.y_ticks {
        let at = frame.point(0.0, tick.share);
        canvas.line(&[at, frame.point(1.0, tick.share)], GRID, 1.0);
        canvas.text(&tick.label, (at.0 - 5.0, at.1), Side::Left, TEXT - 1.5, MUTED);
    }
    for tick in &axes.x_ticks {
        let at = frame.point(tick.share, 0.0);
        canvas.line(&[at, (at.0, at.1 + 4.0)], MUTED, 1.0);
        canvas.text(&tick.label, (at.0, at.1 + 13.0), Side::Middle, TEXT - 1.5, MUTED);
    }
    (panel.draw)(canvas, frame);
    canvas.line(&[frame.point(0.0, 0.0), frame.point(1.0, 0.0)], INK, 1.0);
}
