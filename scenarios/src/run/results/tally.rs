//! A distribution of whole numbers in bounded memory.

use std::collections::BTreeMap;

/// The number of leading bits kept of each value.
const EXACT_BITS: u32 = 10;

/// Counts how often each value occurs. Values below 1024 are exact, larger ones are rounded by at most 0.2 %, so there
/// are at most about 28,000 distinct ones. The order of adding and merging does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    counts: BTreeMap<u64, u64>,
    samples: u64,
    total: u128,
    min: Option<u64>,
    max: u64,
}

impl Tally {
    /// Counts one value.
    pub fn add(&mut self, value: u64) {
        *self.counts.entry(rounded(value)).or_default() += 1;
        self.samples += 1;
        self.total += u128::from(value);
        self.min = Some(self.min.map_or(value, |min| min.min(value)));
        self.max = self.max.max(value);
    }

    /// Adds the values of another tally.
    pub fn merge(&mut self, other: &Tally) {
        for (value, count) in &other.counts {
            *self.counts.entry(*value).or_default() += count;
        }
        self.samples += other.samples;
        self.total += other.total;
        self.min = self.min.into_iter().chain(other.min).min();
        self.max = self.max.max(other.max);
    }

    /// Returns the number of added values.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Returns the exact sum of the values.
    pub fn total(&self) -> u128 {
        self.total
    }

    /// Returns the exact maximum, or 0 if there are no values.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// Returns the mean, or `None` if there are no values.
    pub fn mean(&self) -> Option<f64> {
        (self.samples > 0).then(|| self.total as f64 / self.samples as f64)
    }

    /// Returns the smallest value that at least `percent` % of the values do not exceed, within 0.2 % and never outside
    /// the minimum and maximum. Returns 0 if there are no values.
    pub fn percentile(&self, percent: u64) -> u64 {
        let wanted = (u128::from(self.samples) * u128::from(percent)).div_ceil(100);
        self.cumulative()
            .find(|(_, up_to)| u128::from(*up_to) >= wanted)
            .map_or(self.max, |(value, _)| value.clamp(self.min.unwrap_or(0), self.max))
    }

    /// Returns the distinct values in ascending order, each with the number of values that do not exceed it.
    pub fn cumulative(&self) -> impl Iterator<Item = (u64, u64)> {
        self.counts.iter().scan(0, |up_to, (value, count)| {
            *up_to += count;
            Some((*value, *up_to))
        })
    }
}

fn rounded(value: u64) -> u64 {
    let surplus = (u64::BITS - value.leading_zeros()).saturating_sub(EXACT_BITS);
    value >> surplus << surplus
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tally(values: &[u64]) -> Tally {
        let mut tally = Tally::default();
        values.iter().for_each(|value| tally.add(*value));
        tally
    }

    #[test]
    fn percentiles_of_small_values_are_exact() {
        let all: Vec<u64> = (1..=1000).collect();
        let tally = tally(&all);
        assert_eq!((tally.percentile(50), tally.percentile(95), tally.max()), (500, 950, 1000));
        assert_eq!(tally.mean(), Some(500.5));
    }

    #[test]
    fn an_empty_tally_has_no_mean() {
        let tally = Tally::default();
        assert_eq!((tally.mean(), tally.percentile(50), tally.max(), tally.total()), (None, 0, 0, 0));
    }

    #[test]
    fn one_value_is_every_percentile() {
        let tally = tally(&[7]);
        assert_eq!((tally.percentile(0), tally.percentile(50), tally.percentile(100)), (7, 7, 7));
    }

    #[test]
    fn memory_does_not_grow_with_the_values() {
        let mut tally = Tally::default();
        let mut value = 1_u64;
        for _ in 0..200_000 {
            value = value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            tally.add(value >> (value % 64));
        }
        assert!(tally.counts.len() < 29_000, "{}", tally.counts.len());
    }

    proptest! {
        #[test]
        fn merging_equals_adding(left in prop::collection::vec(any::<u64>(), 0..50),
                             right in prop::collection::vec(any::<u64>(), 0..50)) {
            let mut merged = tally(&left);
            merged.merge(&tally(&right));
            let together: Vec<u64> = right.iter().chain(&left).copied().collect();
            prop_assert_eq!(merged, tally(&together));
        }

        #[test]
        fn rounding_stays_within_a_fifth_of_a_percent(value in any::<u64>()) {
            let off = value - rounded(value);
            prop_assert!(off as f64 <= value as f64 * 0.002);
        }
    }
}
