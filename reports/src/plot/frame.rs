//! Axes.

use super::canvas::{Canvas, Point, Side};
use super::palette::{GRID, INK, MUTED};

/// Size of the text in plots. Plots shrink to some two thirds on a phone.
pub const TEXT: f64 = 14.0;
/// Size of titles.
pub const TITLE: f64 = 16.0;

/// A mark on an axis.
#[derive(Clone, Debug)]
pub struct Tick {
    /// Where, as a share of the axis.
    pub share: f64,
    /// What it says.
    pub label: String,
}

/// The part of a plot that data is drawn in; its sides are shares from 0 to 1.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// Left end.
    pub left: f64,
    /// Upper end.
    pub top: f64,
    /// Right end.
    pub right: f64,
    /// Lower end.
    pub bottom: f64,
}

impl Frame {
    /// The point of two shares, the second counted upwards.
    pub fn point(&self, x: f64, y: f64) -> Point {
        (self.left + x * (self.right - self.left), self.bottom - y * (self.bottom - self.top))
    }

    /// Draws axes with their marks, and what each of them is about.
    pub fn axes(&self, canvas: &Canvas, x: (&str, &[Tick]), y: (&str, &[Tick])) {
        for tick in y.1 {
            let at = self.point(0.0, tick.share);
            canvas.line(&[at, self.point(1.0, tick.share)], GRID, 1.0);
            canvas.text(&tick.label, (at.0 - 7.0, at.1), Side::Left, TEXT, MUTED);
        }
        for tick in x.1 {
            let at = self.point(tick.share, 0.0);
            canvas.line(&[at, (at.0, at.1 + 5.0)], MUTED, 1.0);
            canvas.text(&tick.label, (at.0, at.1 + 16.0), Side::Middle, TEXT, MUTED);
        }
        canvas.line(&[self.point(0.0, 0.0), self.point(1.0, 0.0)], INK, 1.2);
        let middle = self.point(0.5, 0.0);
        canvas.text(x.0, (middle.0, self.bottom + 38.0), Side::Middle, TEXT, INK);
        canvas.text(y.0, (8.0, 46.0), Side::Right, TEXT, INK);
    }
}

/// Shares of 1 as marks in percent.
pub fn percent_ticks() -> Vec<Tick> {
    (0..=4).map(|quarter| Tick { share: f64::from(quarter) / 4.0, label: format!("{} %", quarter * 25) }).collect()
}

/// Marks at round whole numbers for an axis from 0 to `max`.
pub fn whole_ticks(max: u64) -> Vec<Tick> {
    let max = max.max(1);
    let decade = (0..20).map(|power| 10_u64.saturating_pow(power));
    let steps = decade.flat_map(|ten| [1, 2, 5].map(|digit| ten.saturating_mul(digit)));
    let step = steps.into_iter().find(|step| max / step <= 5).unwrap_or(max);
    let marks = (0..=max / step).map(|mark| mark * step);
    marks.map(|mark| Tick { share: mark as f64 / max as f64, label: mark.to_string() }).collect()
}

/// Heights, in the order given, moved apart until each is `gap` from the next, within `from..=to` as far as that goes.
pub fn spread(wanted: &[f64], gap: f64, from: f64, to: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    let mut placed = vec![0.0; wanted.len()];
    let mut lowest = from;
    for (rank, &at) in order.iter().enumerate() {
        // Leave room for those that still have to fit below.
        let highest = to - gap * (order.len() - 1 - rank) as f64;
        placed[at] = wanted[at].max(lowest).min(highest.max(lowest));
        lowest = placed[at] + gap;
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_moved_apart_and_stay_inside() {
        assert_eq!(spread(&[10.0, 10.0, 50.0], 5.0, 0.0, 100.0), [10.0, 15.0, 50.0]);
        assert_eq!(spread(&[99.0, 100.0, 100.0], 5.0, 0.0, 100.0), [90.0, 95.0, 100.0]);
    }

    #[test]
    fn marks_are_round_and_few() {
        let labels = |max| whole_ticks(max).into_iter().map(|tick| tick.label).collect::<Vec<_>>();
        assert_eq!(labels(3), ["0", "1", "2", "3"]);
        assert_eq!(labels(23), ["0", "5", "10", "15", "20"]);
        assert_eq!(labels(0), ["0", "1"]);
        assert!(labels(u64::MAX).len() <= 7);
    }
}
