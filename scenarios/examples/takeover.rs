//! Measures how long waiters wait after a holder's host crashes, for every lock at its documented defaults, and
//! compares the result with the bound that the lock states. Prints `docs/takeover.md`:
//!
//! ```sh
//! cargo run --release -p fencepost-scenarios --example takeover > docs/takeover.md
//! ```

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use fencepost_models::Family;
use fencepost_scenarios::file;
use fencepost_scenarios::file::shipped;
use fencepost_scenarios::registry::{LockEntry, Registry};
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::run::job::Job;

const SCENARIO: &str = "crash-takeover";
const SEEDS: u64 = 50;

#[cfg_attr(test, expect(dead_code, reason = "the test calls `page` alone"))]
fn main() -> io::Result<()> {
    io::stdout().write_all(page().as_bytes())
}

/// Measures the takeover times and returns the page.
pub fn page() -> String {
    let registry = Registry::standard();
    let rows: String =
        registry.locks().iter().filter(|lock| records_grants(lock)).map(|lock| row(&registry, lock)).collect();
    HEAD.replace("{seeds}", &SEEDS.to_string()) + &rows
}

/// Returns whether the lock has a server that records grants.
fn records_grants(lock: &LockEntry) -> bool {
    lock.info.grants && lock.info.family != Family::None
}

const HEAD: &str = "\
# Takeover after a crash

This page measures the time until a waiter gets the lock after its holder's host crashed. Every lock has its documented
defaults. The table compares the bound that the lock states (`takeover_bound` in its folder in `models/src/locks/`) with
{seeds} cases of the scenario `crash-takeover`. Cases without a holder at the time of the crash are not counted.

`cargo run --release -p fencepost-scenarios --example takeover > docs/takeover.md` writes this page, and a test checks it.

| lock | stated bound | cases | minimum | median | maximum |
|---|---|---|---|---|---|
";

fn row(registry: &Registry, lock: &LockEntry) -> String {
    let mut measured = measure(registry, lock);
    measured.sort_unstable();
    let bound = (lock.takeover_bound)(&(lock.parse)(None).expect("the defaults are valid"));
    let shown =
        |nanos: Option<&i64>| nanos.map_or("never".into(), |nanos| seconds(Duration::from_nanos(*nanos as u64)));
    format!(
        "| `{}` | {} | {} | {} | {} | {} |\n",
        lock.name(),
        seconds(bound),
        measured.len(),
        shown(measured.first()),
        shown(measured.get(measured.len() / 2)),
        shown(measured.last()),
    )
}

/// Returns the takeover times of all cases that have one, in nanoseconds.
fn measure(registry: &Registry, lock: &LockEntry) -> Vec<i64> {
    let (_, text) = shipped::SCENARIOS.iter().find(|(name, _)| *name == SCENARIO).expect("the scenario is shipped");
    let scenario = file::scenario(registry, SCENARIO, text).expect("a shipped scenario is valid");
    let cells = vec![Cell::new(&Arc::new(scenario), lock, &[])];
    let mut measured = Vec::new();
    let job = Job { cells, seeds: 0..SEEDS, threads: 2, ..Job::default() };
    job.run(|_, _, result| {
        measured.extend(result.metric("takeover_ns"));
        ControlFlow::Continue(())
    })
    .expect("no case panics");
    measured
}

fn seconds(time: Duration) -> String {
    let millis = (time + Duration::from_micros(500)).as_millis();
    format!("{}.{:03} s", millis / 1_000, millis % 1_000)
}
