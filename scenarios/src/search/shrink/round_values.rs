//! Round values, and the search for the smallest of them that reproduces the violation.

use std::time::Duration;

use super::draft::Draft;
use super::shrinker::Shrinker;

/// Round durations in milliseconds.
const LENGTHS_MS: [u64; 34] = [
    1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 300, 500, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 8_000, 10_000, 12_000,
    15_000, 20_000, 25_000, 30_000, 40_000, 60_000, 90_000, 120_000, 180_000, 240_000, 300_000, 600_000, 1_200_000,
];

/// Units for rounding durations, in milliseconds, coarsest first.
const UNITS_MS: [u64; 6] = [10_000, 1_000, 500, 100, 10, 1];

/// Round numbers.
const COUNTS: [u32; 22] = [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200, 300, 500, 1_000];

/// Returns the round durations below this one.
pub(crate) fn lengths_below(length: Duration) -> Vec<Duration> {
    LENGTHS_MS.into_iter().map(Duration::from_millis).take_while(|round| *round < length).collect()
}

/// Returns the round durations above this one.
pub(crate) fn lengths_above(length: Duration) -> Vec<Duration> {
    LENGTHS_MS.into_iter().map(Duration::from_millis).filter(|round| *round > length).collect()
}

/// Returns the round numbers below this one.
pub(crate) fn counts_below(count: u32) -> Vec<u32> {
    COUNTS.into_iter().take_while(|round| *round < count).collect()
}

/// Returns the duration rounded down and up, coarsest unit first, using only units coarser than its own.
pub(crate) fn rounded(length: Duration) -> Vec<Duration> {
    let ns = length.as_nanos() as u64;
    let mut round = Vec::new();
    for unit in UNITS_MS.map(|ms| ms * 1_000_000) {
        if ns.is_multiple_of(unit) {
            break;
        }
        let down = ns / unit * unit;
        round.extend([down, down + unit].into_iter().filter(|ns| *ns > 0).map(Duration::from_nanos));
    }
    round
}

/// Finds the smallest accepted value by bisection of the sorted `values`. Returns whether a value was accepted.
pub(crate) fn lower<T: Clone>(shrinker: &mut Shrinker<'_>, values: &[T], with: impl Fn(&Draft, T) -> Draft) -> bool {
    let (mut low, mut high, mut taken) = (0, values.len(), false);
    while low < high {
        let middle = (low + high) / 2;
        let candidate = with(shrinker.best(), values[middle].clone());
        if shrinker.offer(candidate) {
            (high, taken) = (middle, true);
        } else {
            low = middle + 1;
        }
    }
    taken
}

/// Offers candidates in order until one is accepted. Returns whether one was accepted.
pub(crate) fn first_of(shrinker: &mut Shrinker<'_>, candidates: impl IntoIterator<Item = Draft>) -> bool {
    candidates.into_iter().any(|candidate| shrinker.offer(candidate))
}
