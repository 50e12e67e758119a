//! Property-based tests: invariants of the simulator and the locks under generated schedules, and checkers compared
//! with slower, simpler ones. A failure prints the case to replay.

mod brute;
mod invariants;
mod linearizability;
mod simple_checkers;

use proptest::test_runner::Config;

/// Returns a configuration of `number` cases. Each run draws new ones unless `PROPTEST_RNG_SEED` is set.
fn cases(number: u32) -> Config {
    Config { cases: number, failure_persistence: None, max_shrink_iters: 200, ..Config::default() }
}
