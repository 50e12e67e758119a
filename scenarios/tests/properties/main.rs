//! What must hold whatever is tried: the invariants of the simulator and of the locks, over generated schedules, and the
//! checkers against slower ones that are plainly right. A failure prints the case to replay.

mod brute;
mod invariants;
mod linearizability;
mod simple_checkers;

use proptest::test_runner::Config;

/// So many cases, drawn anew by each run but for what `PROPTEST_RNG_SEED` fixes; nothing is written to disk.
fn cases(number: u32) -> Config {
    Config { cases: number, failure_persistence: None, max_shrink_iters: 200, ..Config::default() }
}
