//! Dose and response: how the rate of violations grows with the length of pauses over the effective expiry.

use std::collections::BTreeMap;

use fencepost_scenarios::property::Property;
use fencepost_scenarios::stats::wilson;

use super::canvas::{Canvas, Point, Side};
use super::frame::{Frame, TEXT, TITLE, Tick, percent_ticks, spread};
use super::palette::{INK, MUTED, Style, style};
use super::{Figure, dealt, part};
use crate::grid::{Cell, Grid};
use crate::text::clipped;

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 412.0;
const LABEL_GAP: f64 = 18.0;

/// The curve of one lock: (violated, judged) by dose.
#[derive(Clone)]
struct Curve {
    lock: String,
    style: Style,
    counts: Vec<(f64, u64, u64)>,
}

/// One set of plots for each family of scenarios.
pub fn draw(cells: &[Cell]) -> Vec<Figure> {
    let mut families: Vec<&str> = Vec::new();
    for (header, _) in cells.iter().filter(|(header, _)| header.dose.is_some()) {
        if !families.contains(&header.family.as_str()) {
            families.push(&header.family);
        }
    }
    families.iter().enumerate().flat_map(|(at, family)| of_family(cells, family, at, families.len())).collect()
}

fn of_family(cells: &[Cell], family: &str, at: usize, families: usize) -> Vec<Figure> {
    let (family_suffix, _) = part(at, families);
    let plots = dealt(&curves(cells, family));
    let count = plots.len();
    let figures = plots.into_iter().enumerate().filter(|(_, curves)| !curves.is_empty()).map(|(at, curves)| {
        let (suffix, number) = part(at, count);
        let named = if family.is_empty() { String::new() } else { format!(": {}", clipped(family, 24)) };
        let title = format!("Effect exclusion and pause length{named}{number}");
        Figure { name: format!("dose-response{family_suffix}{suffix}"), svg: plot(&title, &curves), title }
    });
    figures.collect()
}

fn curves(cells: &[Cell], family: &str) -> Vec<Curve> {
    let places = Grid::new(cells).locks;
    let curves = places.iter().enumerate().map(|(place, lock)| {
        let mut by_dose: BTreeMap<u64, (f64, u64, u64)> = BTreeMap::new();
        for (header, result) in cells.iter().filter(|(header, _)| header.lock == *lock && header.family == family) {
            let count = result.property(Property::EffectExclusion);
            let dose = header.dose.filter(|dose| dose.is_finite() && *dose > 0.0);
            if let (true, Some(dose), 1..) = (header.applicable, dose, count.judged()) {
                // Positive floats sort by their bits.
                let sum = by_dose.entry(dose.to_bits()).or_insert((dose, 0, 0));
                sum.1 += count.violated;
                sum.2 += count.judged();
            }
        }
        Curve { lock: clipped(lock, 18), style: style(place), counts: by_dose.into_values().collect() }
    });
    curves.filter(|curve| !curve.counts.is_empty()).collect()
}

/// Doses on a scale on which doubling always takes the same room.
struct Doses {
    from: f64,
    to: f64,
}

impl Doses {
    fn of(curves: &[Curve]) -> Self {
        let all = || curves.iter().flat_map(|curve| &curve.counts).map(|(dose, _, _)| libm::log2(*dose));
        // 1.0 is always on the axis, since everything is told in relation to it.
        let (from, to) = (all().fold(0.0, f64::min), all().fold(0.0, f64::max));
        Doses { from: from - 0.15, to: to + 0.15 }
    }

    fn share(&self, dose: f64) -> f64 {
        (libm::log2(dose) - self.from) / (self.to - self.from)
    }

    fn ticks(&self) -> Vec<Tick> {
        let (first, last) = (libm::ceil(self.from) as i32, libm::floor(self.to) as i32);
        let every = ((last - first) / 7 + 1).max(1);
        let powers = (first..=last).filter(|power| power.rem_euclid(every) == 0);
        let doses = powers.map(|power| libm::exp2(f64::from(power)));
        doses.map(|dose| Tick { share: self.share(dose), label: dose.to_string() }).collect()
    }
}

fn plot(title: &str, curves: &[Curve]) -> String {
    Canvas::draw(WIDTH, HEIGHT, |canvas| {
        canvas.text(title, (8.0, 18.0), Side::Right, TITLE, INK);
        let longest = curves.iter().map(|curve| curve.lock.chars().count()).max().unwrap_or(0) as f64;
        let frame = Frame { left: 62.0, top: 88.0, right: WIDTH - 30.0 - longest * TEXT * 0.59, bottom: HEIGHT - 56.0 };
        let doses = Doses::of(curves);
        let y = ("violated cases, with 95 % bands", percent_ticks());
        frame.axes(canvas, ("pause / effective expiry", &doses.ticks()), (y.0, &y.1));
        one_expiry(canvas, frame, &doses);
        for curve in curves {
            band(canvas, curve, frame, &doses);
        }
        for curve in curves.iter().rev() {
            let points = rates(curve, frame, &doses);
            canvas.patterned(&points, curve.style);
            points.iter().for_each(|point| canvas.marker(*point, curve.style));
        }
        labels(canvas, curves, frame, &doses);
    })
}

fn one_expiry(canvas: &Canvas, frame: Frame, doses: &Doses) {
    let x = doses.share(1.0);
    canvas.line(&[frame.point(x, 0.0), frame.point(x, 1.0)], MUTED, 1.4);
    canvas.text("as long as the lease", frame.point(x, 1.045), Side::Middle, TEXT - 2.0, MUTED);
}

fn rates(curve: &Curve, frame: Frame, doses: &Doses) -> Vec<Point> {
    let rate =
        |(dose, violated, judged): &(f64, u64, u64)| frame.point(doses.share(*dose), *violated as f64 / *judged as f64);
    curve.counts.iter().map(rate).collect()
}

fn band(canvas: &Canvas, curve: &Curve, frame: Frame, doses: &Doses) {
    let ends = curve.counts.iter().map(|(dose, violated, judged)| (doses.share(*dose), wilson(*violated, *judged)));
    let (mut upper, mut lower): (Vec<Point>, Vec<Point>) =
        ends.map(|(x, interval)| (frame.point(x, interval.upper), frame.point(x, interval.lower))).unzip();
    if let ([up], [low]) = (upper.as_slice(), lower.as_slice()) {
        return canvas.line(&[*up, *low], curve.style.colour, 1.4);
    }
    lower.reverse();
    upper.append(&mut lower);
    canvas.polygon(&upper, curve.style.colour, 0.14);
}

/// Names stand beside the ends of their curves, moved apart where they would overlap.
fn labels(canvas: &Canvas, curves: &[Curve], frame: Frame, doses: &Doses) {
    let ends: Vec<Point> = curves.iter().filter_map(|curve| rates(curve, frame, doses).pop()).collect();
    let heights: Vec<f64> = ends.iter().map(|end| end.1).collect();
    let placed = spread(&heights, LABEL_GAP, frame.top, frame.bottom);
    for ((curve, end), y) in curves.iter().zip(ends).zip(placed) {
        canvas.line(&[(end.0 + 6.0, end.1), (frame.right + 14.0, y)], curve.style.colour, 1.0);
        canvas.text(&curve.lock, (frame.right + 18.0, y), Side::Right, TEXT, INK);
    }
}
