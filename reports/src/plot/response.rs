//! Plots the rate of violations against one parameter: the length of pauses over the effective expiry, or the number
//! of clients.

use std::collections::BTreeMap;

use fencepost_scenarios::property::Property;
use fencepost_scenarios::run::results::CellHeader;
use fencepost_scenarios::run::stats::wilson;

use super::Figure;
use super::canvas::{Canvas, Point, Side};
use super::frame::{Frame, Tick, percent_ticks};
use super::palette::{MUTED, Style, style};
use super::panels::{Axes, KeyEntry, Panel, figure};
use crate::grid::{Cell, Grid};
use crate::pool::is_unguarded;
use crate::text::grouped;

/// (value of the parameter, violated, decided).
type Counts = Vec<(f64, u64, u64)>;

/// Plots the rate of violations of effect exclusion against the length of pauses.
pub fn dose_response(cells: &[Cell]) -> Option<Figure> {
    let dose = |header: &CellHeader| header.dose.filter(|dose| dose.is_finite() && *dose > 0.0);
    let curves = curves(cells, Property::EffectExclusion, dose);
    let scale = Scale::of(&curves, Some(1.0));
    let notes = [
        "The line at 1 marks a pause as long as the lock’s own effective expiry. Bands are 95 % Wilson intervals."
            .into(),
        without(cells, &curves, "no expiry", |header| header.dose.is_none()),
    ];
    let axes = Axes {
        x: "pause / effective expiry (log scale)".into(),
        y: "cases violating effect-exclusion".into(),
        x_ticks: scale.ticks(),
        y_ticks: percent_ticks(),
    };
    draw("dose-response", "Violations against the length of a pause", &axes, &curves, &scale, true, &notes)
}

/// Plots the rate of lost updates against the number of clients, in scenarios that are otherwise equal.
pub fn contention(cells: &[Cell]) -> Option<Figure> {
    let setting = busiest_setting(cells)?;
    let clients =
        |header: &CellHeader| (header.setting == setting && is_target(header)).then(|| f64::from(header.clients));
    let curves = curves(cells, Property::NoLostUpdate, clients);
    let scale = Scale::of(&curves, None);
    let notes = ["All else is equal, including the faults. Bands are 95 % Wilson intervals.".to_owned()];
    let axes = Axes {
        x: "clients (log scale)".into(),
        y: "cases that lost an update".into(),
        x_ticks: scale.ticks(),
        y_ticks: percent_ticks(),
    };
    draw("contention", "Lost updates against contention", &axes, &curves, &scale, false, &notes)
}

/// Returns the setting that was run with the most different numbers of clients, if at least two.
fn busiest_setting(cells: &[Cell]) -> Option<&str> {
    let mut tried: BTreeMap<&str, Vec<u16>> = BTreeMap::new();
    for (header, _) in cells.iter().filter(|(header, _)| is_target(header) && !header.setting.is_empty()) {
        let counts = tried.entry(&header.setting).or_default();
        if !counts.contains(&header.clients) {
            counts.push(header.clients);
        }
    }
    let most = tried.iter().filter(|(_, counts)| counts.len() > 1).max_by_key(|(_, counts)| counts.len());
    most.map(|(setting, _)| *setting)
}

fn is_target(header: &CellHeader) -> bool {
    is_unguarded(header) && header.update.as_deref() == Some("target")
}

fn curves<'a>(
    cells: &'a [Cell],
    property: Property,
    parameter: impl Fn(&CellHeader) -> Option<f64>,
) -> Vec<(&'a str, Counts)> {
    let of_lock = |lock: &'a str| {
        let mut by_value: BTreeMap<u64, (f64, u64, u64)> = BTreeMap::new();
        for (header, result) in cells.iter().filter(|(header, _)| header.lock == lock && header.applicable) {
            let count = result.property(property);
            if let (Some(at), 1..) = (parameter(header), count.decided()) {
                // The bits of positive floats have the order of their values.
                let sum = by_value.entry(at.to_bits()).or_insert((at, 0, 0));
                sum.1 += count.violated;
                sum.2 += count.decided();
            }
        }
        (lock, by_value.into_values().collect::<Counts>())
    };
    Grid::new(cells).locks.into_iter().map(of_lock).filter(|(_, counts)| !counts.is_empty()).collect()
}

/// Lists the locks without a curve, with the reason.
fn without(cells: &[Cell], curves: &[(&str, Counts)], why: &str, lacks: impl Fn(&CellHeader) -> bool) -> String {
    let lacking: Vec<String> = (Grid::new(cells).locks.into_iter())
        .filter(|lock| !curves.iter().any(|(known, _)| known == lock))
        .filter(|lock| cells.iter().any(|(header, _)| header.lock == *lock && header.applicable && lacks(header)))
        .map(|lock| crate::text::clipped(lock, 24))
        .collect();
    if lacking.is_empty() { String::new() } else { format!("Not shown ({why}): {}.", lacking.join(", ")) }
}

/// A logarithmic scale.
struct Scale {
    from: f64,
    to: f64,
}

impl Scale {
    fn of(curves: &[(&str, Counts)], always: Option<f64>) -> Self {
        let all = curves.iter().flat_map(|(_, counts)| counts).map(|(at, _, _)| *at).chain(always);
        let logs: Vec<f64> = all.map(libm::log2).collect();
        let (from, to) = (
            logs.iter().copied().fold(f64::INFINITY, f64::min),
            logs.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        );
        Scale { from: from - 0.15, to: to + 0.15 }
    }

    fn share(&self, at: f64) -> f64 {
        (libm::log2(at) - self.from) / (self.to - self.from)
    }

    fn ticks(&self) -> Vec<Tick> {
        if !(self.from.is_finite() && self.to.is_finite()) {
            return Vec::new();
        }
        let (first, last) = (libm::ceil(self.from) as i32, libm::floor(self.to) as i32);
        let every = ((last - first) / 5 + 1).max(1);
        let powers = (first..=last).filter(|power| power.rem_euclid(every) == 0);
        let values = powers.map(|power| libm::exp2(f64::from(power)));
        values.map(|value| Tick { share: self.share(value), label: value.to_string() }).collect()
    }
}

fn draw(
    name: &str,
    title: &str,
    axes: &Axes,
    curves: &[(&str, Counts)],
    scale: &Scale,
    line_at_one: bool,
    notes: &[String],
) -> Option<Figure> {
    let panels: Vec<Panel> = curves.iter().map(|(lock, counts)| panel(lock, counts, scale, line_at_one)).collect();
    let key = [
        KeyEntry { sample: |canvas, from, to| sample(canvas, from, to), label: "share of cases".into() },
        KeyEntry {
            sample: |canvas, (x, y), (right, _)| {
                canvas.polygon(
                    &[(x, y - 7.0), (right, y - 7.0), (right, y + 7.0), (x, y + 7.0)],
                    style(0).colour,
                    0.22,
                );
            },
            label: "95 % band".into(),
        },
    ];
    let notes: Vec<String> = notes.iter().filter(|note| !note.is_empty()).cloned().collect();
    (!panels.is_empty()).then(|| figure(name.into(), title.into(), axes, &panels, &key, &notes))
}

fn sample(canvas: &Canvas, from: Point, to: Point) {
    canvas.patterned(&[from, to], style(0));
    canvas.marker(((from.0 + to.0) / 2.0, from.1), style(0));
}

fn panel<'a>(lock: &str, counts: &'a Counts, scale: &'a Scale, line_at_one: bool) -> Panel<'a> {
    let (fewest, most) =
        counts.iter().fold((u64::MAX, 0), |(fewest, most), (_, _, decided)| (fewest.min(*decided), most.max(*decided)));
    let range = if fewest == most { grouped(most.into()) } else { format!("{fewest} to {}", grouped(most.into())) };
    Panel {
        lock: lock.to_owned(),
        note: format!("n {range} cases a point"),
        draw: Box::new(move |canvas, frame| {
            if line_at_one {
                let x = scale.share(1.0);
                canvas.patterned(&[frame.point(x, 0.0), frame.point(x, 1.0)], Style { colour: MUTED, pattern: 1 });
                canvas.text("1", (frame.point(x, 1.0).0, frame.top - 6.0), Side::Middle, 10.0, MUTED);
            }
            curve(canvas, counts, scale, frame);
        }),
    }
}

fn curve(canvas: &Canvas, counts: &Counts, scale: &Scale, frame: Frame) {
    let style = style(0);
    let ends = counts.iter().map(|(at, violated, decided)| (scale.share(*at), wilson(*violated, *decided)));
    let (mut band, mut lower): (Vec<Point>, Vec<Point>) =
        ends.map(|(x, interval)| (frame.point(x, interval.upper), frame.point(x, interval.lower))).unzip();
    if let ([up], [low]) = (band.as_slice(), lower.as_slice()) {
        canvas.line(&[*up, *low], style.colour, 1.4);
    } else {
        lower.reverse();
        band.append(&mut lower);
        canvas.polygon(&band, style.colour, 0.22);
    }
    let rate =
        |(at, violated, decided): &(f64, u64, u64)| frame.point(scale.share(*at), *violated as f64 / *decided as f64);
    let points: Vec<Point> = counts.iter().map(rate).collect();
    canvas.patterned(&points, style);
    points.iter().for_each(|point| canvas.marker(*point, style));
}
