//! Confidence intervals and tests for rates.

use statrs::distribution::{Beta, Binomial, ContinuousCDF, DiscreteCDF};

/// The probability in each tail of a two-sided 95 % interval: 2.5 %.
const TAIL: f64 = 0.025;
/// The 97.5 % quantile of the standard normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// An interval for a probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end, at least 0.
    pub lower: f64,
    /// The upper end, at most 1.
    pub upper: f64,
}

impl Interval {
    /// The interval without data: from 0 to 1.
    pub const ANYTHING: Interval = Interval { lower: 0.0, upper: 1.0 };
}

/// Returns the Clopper–Pearson interval at 95 % for `hits` of `trials`. Its coverage is never below 95 %.
pub fn clopper_pearson(hits: u64, trials: u64) -> Interval {
    assert!(hits <= trials, "{hits} hits of {trials} trials");
    Interval { lower: lower_end(hits, trials), upper: upper_end(hits, trials) }
}

/// Returns the Clopper–Pearson interval at 95 % for violations. Its upper end counts unknown cases as violated.
pub fn violation_interval(violated: u64, unknown: u64, holds: u64) -> Interval {
    Interval {
        lower: lower_end(violated, violated + holds),
        upper: upper_end(violated + unknown, violated + unknown + holds),
    }
}

/// Returns the Wilson interval at 95 %: narrower, with 95 % coverage only on average. Used for bands in plots.
pub fn wilson(hits: u64, trials: u64) -> Interval {
    assert!(hits <= trials, "{hits} hits of {trials} trials");
    if trials == 0 {
        return Interval::ANYTHING;
    }
    let (n, p) = (trials as f64, hits as f64 / trials as f64);
    let spread = 1.0 + Z * Z / n;
    let centre = (p + Z * Z / (2.0 * n)) / spread;
    let half = Z * libm::sqrt(p * (1.0 - p) / n + Z * Z / (4.0 * n * n)) / spread;
    // At 0 of n and n of n, rounding would move the end slightly away from 0 or 1.
    let lower = if hits == 0 { 0.0 } else { (centre - half).max(0.0) };
    let upper = if hits == trials { 1.0 } else { (centre + half).min(1.0) };
    Interval { lower, upper }
}

fn lower_end(hits: u64, trials: u64) -> f64 {
    if hits == 0 {
        return 0.0;
    }
    beta_quantile(TAIL, hits as f64, (trials - hits + 1) as f64)
}

fn upper_end(hits: u64, trials: u64) -> f64 {
    if hits == trials {
        return 1.0;
    }
    beta_quantile(1.0 - TAIL, (hits + 1) as f64, (trials - hits) as f64)
}

fn beta_quantile(probability: f64, a: f64, b: f64) -> f64 {
    Beta::new(a, b).expect("both shapes are at least 1").inverse_cdf(probability)
}

/// Returns the p-value of the exact two-sided sign test: the probability of a split at least this uneven if both sides
/// are equally likely. For pairs of verdicts this is McNemar’s exact test. The p-value is 1 if no pair differs.
pub fn paired_sign_test(one: u64, other: u64) -> f64 {
    let pairs = one + other;
    if pairs == 0 {
        return 1.0;
    }
    let binomial = Binomial::new(0.5, pairs).expect("one half is a probability");
    (2.0 * binomial.cdf(one.min(other))).min(1.0)
}

/// Corrects p-values so that the probability of any false alarm stays below the level (Holm 1979).
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut corrected = vec![1.0; p.len()];
    let mut largest: f64 = 0.0;
    for (rank, at) in ranked(p).into_iter().enumerate() {
        largest = largest.max((p[at] * (p.len() - rank) as f64).min(1.0));
        corrected[at] = largest;
    }
    corrected
}

/// Corrects p-values so that the expected share of false alarms stays below the level (Benjamini and Hochberg 1995).
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let mut corrected = vec![1.0; p.len()];
    let mut smallest: f64 = 1.0;
    for (rank, at) in ranked(p).into_iter().enumerate().rev() {
        smallest = smallest.min(p[at] * p.len() as f64 / (rank + 1) as f64);
        corrected[at] = smallest;
    }
    corrected
}

/// Returns the indices of the p-values in ascending order of p.
fn ranked(p: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]).then(a.cmp(b)));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(interval: Interval, lower: f64, upper: f64, tolerance: f64) {
        let off = |got: f64, want: f64| (got - want).abs() > tolerance;
        assert!(!off(interval.lower, lower) && !off(interval.upper, upper), "{interval:?} is not {lower}..{upper}");
    }

    #[test]
    fn clopper_pearson_matches_known_values() {
        assert_close(clopper_pearson(0, 1000), 0.0, 0.003_682, 1e-6);
        assert_close(clopper_pearson(3, 1000), 0.000_619, 0.008_742, 1e-6);
        assert_close(clopper_pearson(13, 1000), 0.006_940, 0.022_122, 1e-5);
        assert_close(clopper_pearson(0, 200), 0.0, 0.018_275, 1e-6);
        assert_close(clopper_pearson(1000, 1000), 1.0 - 0.003_682, 1.0, 1e-6);
        assert_close(clopper_pearson(1, 1), 0.025, 1.0, 1e-9);
        assert_close(clopper_pearson(0, 1), 0.0, 0.975, 1e-9);
    }

    #[test]
    fn the_interval_without_data_is_0_to_1() {
        assert_eq!(clopper_pearson(0, 0), Interval::ANYTHING);
        assert_eq!(wilson(0, 0), Interval::ANYTHING);
        assert_eq!(violation_interval(0, 0, 0), Interval::ANYTHING);
    }

    #[test]
    fn zero_of_n_has_the_closed_form() {
        for n in [1_u64, 2, 10, 200, 1000, 1_000_000] {
            let closed = 1.0 - libm::pow(TAIL, 1.0 / n as f64);
            assert_close(clopper_pearson(0, n), 0.0, closed, 1e-9);
        }
    }

    #[test]
    fn the_interval_contains_the_rate_and_is_symmetric() {
        for n in [1_u64, 7, 50, 333] {
            for k in 0..=n {
                let (there, back) = (clopper_pearson(k, n), clopper_pearson(n - k, n));
                let rate = k as f64 / n as f64;
                assert!(there.lower <= rate && rate <= there.upper, "{k} of {n}: {there:?}");
                assert_close(there, 1.0 - back.upper, 1.0 - back.lower, 1e-9);
            }
        }
    }

    #[test]
    fn intervals_of_large_counts_are_accurate() {
        assert_close(clopper_pearson(500_000, 1_000_000), 0.499_019, 0.500_981, 1e-5);
    }

    #[test]
    fn unknown_cases_count_against_the_upper_end_only() {
        let interval = violation_interval(3, 10, 987);
        assert_close(interval, clopper_pearson(3, 990).lower, clopper_pearson(13, 1000).upper, 1e-12);
        assert_eq!(violation_interval(0, 5, 0), Interval::ANYTHING);
    }

    #[test]
    fn paired_tests_are_exact_at_the_edges_too() {
        let close = |got: f64, want: f64| assert!((got - want).abs() < 1e-9, "{got} is not {want}");
        close(paired_sign_test(0, 0), 1.0);
        close(paired_sign_test(0, 1), 1.0);
        close(paired_sign_test(5, 5), 1.0);
        close(paired_sign_test(0, 5), 0.0625);
        close(paired_sign_test(10, 0), 2.0 / 1024.0);
        close(paired_sign_test(2, 8), 2.0 * (1.0 + 10.0 + 45.0) / 1024.0);
        assert!(paired_sign_test(0, 1_000_000) < 1e-100);
    }

    #[test]
    fn corrections_match_the_textbook() {
        let p = [0.01, 0.04, 0.03, 0.005];
        let close = |got: Vec<f64>, want: [f64; 4]| {
            assert!(got.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-12), "{got:?} is not {want:?}");
        };
        close(holm(&p), [0.03, 0.06, 0.06, 0.02]);
        close(benjamini_hochberg(&p), [0.02, 0.04, 0.04, 0.02]);
        assert!(holm(&[]).is_empty() && benjamini_hochberg(&[]).is_empty());
        assert_eq!((holm(&[0.3]), benjamini_hochberg(&[1.0])), (vec![0.3], vec![1.0]));
    }

    #[test]
    fn wilson_matches_known_values() {
        assert_close(wilson(0, 10), 0.0, 0.277_533, 1e-6);
        assert_close(wilson(5, 10), 0.236_593, 0.763_407, 1e-6);
        assert_close(wilson(10, 10), 0.722_467, 1.0, 1e-6);
    }
}
