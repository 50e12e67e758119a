//! Plots with one row for each lock and one mark for each value.

use super::Figure;
use super::canvas::{Canvas, Point, Side, text_width};
use super::frame::Frame;
use super::palette::{GRID, INK, MUTED, Style, style};
use crate::text::{clipped, grouped, short};

const WIDTH: f64 = 640.0;
const ROW: f64 = 24.0;
/// The distance between the lines of a lock's marks.
const LANE: f64 = 8.0;
const TEXT: f64 = 13.0;
/// The font size of the column with the number of cases.
const COUNTS: f64 = 10.5;

/// The marks of one lock.
pub struct Row {
    /// The lock.
    pub lock: String,
    /// One mark for each series, if there is data.
    pub marks: Vec<Option<Mark>>,
    /// The bound that the lock declares.
    pub bound: Option<f64>,
    /// A remark beside the values.
    pub aside: Option<String>,
}

/// A value with an optional range.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    /// The position of the marker.
    pub value: f64,
    /// The ends of the line through the marker.
    pub reach: Option<(f64, f64)>,
    /// The number of cases behind the value.
    pub cases: u64,
}

impl Row {
    /// Returns the number of cases of each mark. Equal neighbours are merged.
    fn cases(&self) -> String {
        let shown = |cases: Option<u64>| cases.map_or_else(|| "–".into(), |cases| grouped(cases.into()));
        let mut cases: Vec<String> = self.marks.iter().map(|mark| shown(mark.map(|mark| mark.cases))).collect();
        cases.dedup();
        cases.join(" | ")
    }
}

impl Row {
    /// Returns the values and the remark, if there are any.
    fn words(&self) -> Option<String> {
        let values: Vec<String> = self.marks.iter().flatten().map(Mark::words).collect();
        let values = (!values.is_empty()).then(|| values.join(" | "));
        let words: Vec<String> = values.into_iter().chain(self.aside.clone()).collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}

impl Mark {
    /// Returns the value and the upper end of its range.
    fn words(&self) -> String {
        match self.reach {
            Some((_, to)) => format!("{}–{}", plain(self.value), plain(to)),
            None => plain(self.value),
        }
    }
}

/// A plot of rows.
pub struct Rows<'a> {
    /// The file name, without extension.
    pub name: &'a str,
    /// The title.
    pub title: &'a str,
    /// The label of the axis, with its unit.
    pub axis: &'a str,
    /// The name and style index of each series.
    pub series: &'a [(&'a str, usize)],
    /// The label of the bound, if there is one.
    pub bound: Option<&'a str>,
    /// Whether the axis is logarithmic.
    pub log: bool,
    /// Notes below the plot.
    pub notes: &'a [String],
    /// The rows.
    pub rows: Vec<Row>,
}

impl Rows<'_> {
    /// Draws the figure, if there is any data.
    pub fn figure(self) -> Option<Figure> {
        self.rows.iter().any(|row| row.marks.iter().any(Option::is_some)).then(|| Figure {
            name: self.name.into(),
            title: self.title.into(),
            caption: format!("{}. {}", self.axis, self.notes.join(" ")),
            svg: self.draw(),
            panels: Vec::new(),
            key: None,
        })
    }

    fn draw(&self) -> String {
        let lines: Vec<String> = self.notes.iter().flat_map(|note| super::wrapped(note, 12.0, WIDTH - 20.0)).collect();
        let top = 78.0;
        let row_height = ROW.max(self.series.len() as f64 * LANE + 8.0);
        let bottom = top + self.rows.len() as f64 * row_height + 4.0;
        let height = bottom + 56.0 + lines.len() as f64 * 16.0;
        let longest = self.rows.iter().map(|row| text_width(&clipped(&row.lock, 22), TEXT)).fold(0.0, f64::max);
        let label_length = |row: &Row| row.words().map_or(0, |words| words.chars().count());
        let room = self.rows.iter().map(label_length).max().unwrap_or(0) as f64 * (TEXT - 2.5) * 0.56 + 10.0;
        let counts = self.rows.iter().map(|row| text_width(&row.cases(), COUNTS)).fold(0.0, f64::max);
        let frame = Frame { left: longest + counts + 28.0, top, right: WIDTH - room, bottom };
        let scale = Scale::of(&self.rows, self.log);
        Canvas::draw(WIDTH, height, |canvas| {
            canvas.text(self.title, (8.0, 18.0), Side::Right, 16.0, INK);
            self.key(canvas);
            let mut labelled = 0.0;
            for (value, label) in scale.ticks() {
                let at = frame.point(scale.share(value), 0.0);
                canvas.line(&[at, (at.0, top - 6.0)], GRID, 1.0);
                let half = text_width(&label, TEXT - 1.0) / 2.0;
                // A label that would overlap the previous one is omitted; its line stays.
                if at.0 - half > labelled {
                    canvas.text(&label, (at.0, bottom + 13.0), Side::Middle, TEXT - 1.0, MUTED);
                    labelled = at.0 + half + 6.0;
                }
            }
            canvas.text("n cases", (frame.left - 9.0, top - 8.0), Side::Left, COUNTS, MUTED);
            canvas.text(self.axis, (frame.left, bottom + 33.0), Side::Right, TEXT, INK);
            for (at, row) in self.rows.iter().enumerate() {
                let y = top + (at as f64 + 0.5) * row_height;
                canvas.text(&clipped(&row.lock, 22), (longest + 5.0, y), Side::Left, TEXT, INK);
                canvas.text(&row.cases(), (frame.left - 9.0, y), Side::Left, COUNTS, MUTED);
                self.row(canvas, row, frame, &scale, y);
            }
            for (at, line) in lines.iter().enumerate() {
                canvas.text(line, (8.0, bottom + 54.0 + at as f64 * 16.0), Side::Right, 12.0, MUTED);
            }
        })
    }

    fn key(&self, canvas: &Canvas) {
        let mut x = 14.0;
        for (label, index) in self.series {
            canvas.marker((x, 46.0), style(*index));
            canvas.text(label, (x + 10.0, 46.0), Side::Right, TEXT, INK);
            x += 34.0 + text_width(label, TEXT);
        }
        if let Some(bound) = self.bound {
            bound_mark(canvas, (x, 46.0));
            canvas.text(bound, (x + 8.0, 46.0), Side::Right, TEXT, INK);
        }
    }

    fn row(&self, canvas: &Canvas, row: &Row, frame: Frame, scale: &Scale, y: f64) {
        let x = |value: f64| frame.point(scale.share(value), 0.0).0;
        let lanes = row.marks.len() as f64;
        let mut rightmost: f64 = 0.0;
        for (at, (mark, (_, index))) in row.marks.iter().zip(self.series).enumerate() {
            let Some(mark) = mark else { continue };
            let lane = y + (at as f64 - (lanes - 1.0) / 2.0) * LANE;
            let style: Style = style(*index);
            if let Some((from, to)) = mark.reach {
                canvas.line(&[(x(from), lane), (x(to), lane)], style.colour, 1.6);
                canvas.line(&[(x(to), lane - 3.0), (x(to), lane + 3.0)], style.colour, 1.6);
                rightmost = rightmost.max(x(to));
            }
            canvas.marker((x(mark.value), lane), style);
            rightmost = rightmost.max(x(mark.value));
        }
        if let Some(bound) = row.bound {
            bound_mark(canvas, (x(bound), y));
            rightmost = rightmost.max(x(bound));
        }
        let (label, at) = match row.words() {
            Some(label) => (label, rightmost + 8.0),
            None => ("nothing measured".into(), frame.left + 6.0),
        };
        canvas.text(&label, (at, y), Side::Right, TEXT - 2.5, MUTED);
    }
}

fn bound_mark(canvas: &Canvas, (x, y): Point) {
    canvas.line(&[(x, y - 8.0), (x, y + 8.0)], INK, 2.4);
}

/// Converts values to shares of the axis.
struct Scale {
    from: f64,
    to: f64,
    log: bool,
}

impl Scale {
    fn of(rows: &[Row], log: bool) -> Self {
        let of_row = |row: &Row| {
            let marks = row.marks.iter().flatten();
            let values = marks.flat_map(|mark| [Some(mark.value), mark.reach.map(|r| r.0), mark.reach.map(|r| r.1)]);
            values.chain([row.bound]).flatten().collect::<Vec<f64>>()
        };
        let all: Vec<f64> = rows.iter().flat_map(of_row).filter(|value| value.is_finite() && *value >= 0.0).collect();
        let largest = all.iter().copied().fold(0.0, f64::max);
        if !log {
            return Scale { from: 0.0, to: if largest > 0.0 { largest } else { 1.0 }, log };
        }
        // Zeros are drawn at the left edge.
        let floor = largest * 1e-7;
        let smallest = all.iter().copied().filter(|value| *value > floor).fold(largest, f64::min);
        let (from, to) = (libm::floor(libm::log10(smallest.max(1e-9))), libm::ceil(libm::log10(largest.max(1e-8))));
        Scale { from, to: to.max(from + 1.0), log }
    }

    fn share(&self, value: f64) -> f64 {
        let placed = if self.log { libm::log10(value.max(1e-12)) } else { value };
        ((placed - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        if self.log {
            return (self.from as i32..=self.to as i32)
                .map(|power| libm::pow(10.0, f64::from(power)))
                .map(named)
                .collect();
        }
        let magnitude = libm::pow(10.0, libm::floor(libm::log10(self.to)));
        let step = [0.1, 0.2, 0.5, 1.0, 2.0].into_iter().map(|n| n * magnitude).find(|step| self.to / step <= 6.0);
        let step = step.unwrap_or(magnitude);
        (0..=libm::floor(self.to / step) as u32).map(|n| f64::from(n) * step).map(named).collect()
    }
}

fn named(value: f64) -> (f64, String) {
    (value, plain(value))
}

/// Formats a value without powers of ten if that is readable.
fn plain(value: f64) -> String {
    if (0.0001..1.0).contains(&value) { three_digits(value) } else { short(value) }
}

fn three_digits(value: f64) -> String {
    let factor = libm::pow(10.0, 2.0 - libm::floor(libm::log10(value)));
    format!("{}", libm::round(value * factor) / factor)
}
