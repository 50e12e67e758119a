//! Frames and axis ticks.

use super::canvas::Point;

/// Font size in plots. Plots shrink to about two thirds on a phone.
pub const TEXT: f64 = 14.0;
/// Font size of titles.
pub const TITLE: f64 = 16.0;

/// A mark on an axis.
#[derive(Clone, Debug)]
pub struct Tick {
    /// The position, as a share of the axis.
    pub share: f64,
    /// The label.
    pub label: String,
}

/// The data area of a plot. Positions in it are shares from 0 to 1.
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
    /// Converts two shares to a point; `y` counts upwards.
    pub fn point(&self, x: f64, y: f64) -> Point {
        (self.left + x * (self.right - self.left), self.bottom - y * (self.bottom - self.top))
    }
}

/// Returns ticks from 0 % to 100 %.
pub fn percent_ticks() -> Vec<Tick> {
    (0..=4).map(|quarter| Tick { share: f64::from(quarter) / 4.0, label: format!("{} %", quarter * 25) }).collect()
}

/// Returns ticks at round whole numbers for an axis from 0 to `max`.
pub fn whole_ticks(max: u64) -> Vec<Tick> {
    let max = max.max(1);
    let decade = (0..20).map(|power| 10_u64.saturating_pow(power));
    let steps = decade.flat_map(|ten| [1, 2, 5].map(|digit| ten.saturating_mul(digit)));
    let step = steps.into_iter().find(|step| max / step <= 5).unwrap_or(max);
    let marks = (0..=max / step).map(|mark| mark * step);
    marks.map(|mark| Tick { share: mark as f64 / max as f64, label: mark.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        let labels = |max| whole_ticks(max).into_iter().map(|tick| tick.label).collect::<Vec<_>>();
        assert_eq!(labels(3), ["0", "1", "2", "3"]);
        assert_eq!(labels(23), ["0", "5", "10", "15", "20"]);
        assert_eq!(labels(0), ["0", "1"]);
        assert!(labels(u64::MAX).len() <= 7);
    }
}
