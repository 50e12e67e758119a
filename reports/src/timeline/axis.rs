//! Maps time to horizontal positions. The scale is not linear: each gap between two relevant times gets a width by the
//! logarithm of its length, so a message of 2 ms and a pause of 20 s are both visible.

use fencepost_sim::SimTime;

/// A gap longer than this is marked as a break.
const BREAK_NS: u64 = 1_000_000_000;

pub(super) struct Axis {
    /// Times with their positions, in order.
    points: Vec<(SimTime, f64)>,
}

impl Axis {
    pub fn new(moments: &[SimTime], left: f64, right: f64) -> Axis {
        let gaps = moments.windows(2).map(|pair| gap_width(pair[1].0 - pair[0].0));
        let positions: Vec<f64> = std::iter::once(0.0)
            .chain(gaps.scan(0.0, |sum, gap| {
                *sum += gap;
                Some(*sum)
            }))
            .collect();
        let whole = positions.last().copied().unwrap_or(0.0).max(1e-9);
        let scale = (right - left) / whole;
        Axis { points: moments.iter().zip(positions).map(|(at, x)| (*at, left + x * scale)).collect() }
    }

    pub fn x(&self, at: SimTime) -> f64 {
        let after = self.points.partition_point(|(moment, _)| *moment < at);
        match (after.checked_sub(1).and_then(|before| self.points.get(before)), self.points.get(after)) {
            (_, Some((moment, x))) if *moment == at => *x,
            (Some((a, x)), Some((b, y))) => x + (y - x) * (at.0 - a.0) as f64 / (b.0 - a.0) as f64,
            (None, Some((_, x))) | (Some((_, x)), None) => *x,
            (None, None) => 0.0,
        }
    }

    /// Returns the centre, the width and the duration in nanoseconds of each long gap.
    pub fn breaks(&self) -> impl Iterator<Item = (f64, f64, u64)> + '_ {
        self.points.windows(2).filter_map(|pair| {
            let ns = pair[1].0.0 - pair[0].0.0;
            (ns >= BREAK_NS).then_some(((pair[0].1 + pair[1].1) / 2.0, pair[1].1 - pair[0].1, ns))
        })
    }
}

/// Returns the unscaled width of a gap.
fn gap_width(ns: u64) -> f64 {
    let ms = ns as f64 / 1e6;
    1.0 + 18.0 * libm::log10(1.0 + 4.0 * ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_is_further_right_and_gaps_are_compressed() {
        let moments = [0, 2_000_000, 10_000_000_000, 10_003_000_000].map(SimTime);
        let axis = Axis::new(&moments, 100.0, 1100.0);
        let positions = moments.map(|at| axis.x(at));
        assert!(positions.is_sorted() && positions[0] == 100.0 && (positions[3] - 1100.0).abs() < 1e-6);
        assert!(positions[1] - positions[0] > 100.0 && positions[2] - positions[1] < 800.0);
        assert_eq!(axis.breaks().count(), 1);
        assert!((positions[1]..positions[2]).contains(&axis.x(SimTime(5_000_000_000))));
    }
}
