//! Units of displayed metrics. Metrics are stored as whole numbers.

use std::borrow::Cow;

/// The divisor that turns a stored whole number into the shown unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale(u32);

impl Scale {
    /// Values are shown as stored.
    pub const ONE: Scale = Scale(1);

    /// Converts a stored value to the shown unit.
    pub fn apply(self, stored: f64) -> f64 {
        stored / f64::from(self.0)
    }

    /// Returns whether values are shown as stored, which keeps whole numbers whole.
    pub fn is_one(self) -> bool {
        self.0 == 1
    }
}

/// The stored name, shown name and divisor of metrics that are stored in a finer unit than shown.
const SUFFIXES: [(&str, &str, u32); 8] = [
    ("harm_cents", "harm", 100),
    ("takeover_ms", "takeover_s", 1_000),
    ("takeover_us", "takeover_s", 1_000_000),
    ("takeover_ns", "takeover_s", 1_000_000_000),
    ("acquire_us", "acquire_ms", 1_000),
    ("acquire_ns", "acquire_ms", 1_000_000),
    ("run_ns", "run_s", 1_000_000_000),
    ("availability_ppm", "availability", 1_000_000),
];

/// Returns the shown name of a stored metric, and its scale.
pub fn shown_metric<'a>(stored: &'a str) -> (Cow<'a, str>, Scale) {
    match SUFFIXES.iter().find(|(name, _, _)| *name == stored) {
        Some((_, shown, divisor)) => (Cow::Borrowed(*shown), Scale(*divisor)),
        None => (Cow::Borrowed(stored), Scale::ONE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_fine_units_are_scaled() {
        let (name, scale) = shown_metric("takeover_ms");
        assert_eq!((name.as_ref(), scale.apply(1_500.0)), ("takeover_s", 1.5));
        let (name, scale) = shown_metric("oversold_units");
        assert_eq!((name.as_ref(), scale.is_one()), ("oversold_units", true));
    }
}
