//! The whole harness: a scenario's clients, lock and store, with history, checkers and hash.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;

use fencepost_scenarios::file::scenario;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::case;
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::run::job::Job;
use fencepost_scenarios::run::recorder::{TraceEvent, Watcher};
use fencepost_sim::Occurrence;

/// Ten clients contend for one lease, so most events are messages: polls by waiters, and reads, writes and releases by the
/// holder. There are twelve nodes, with the same latency as in the other workloads.
const BUSY: &str = r#"
name = "busy"
run_for = "20s"

[clients]
count = 10
orders = 100000
think = "1ms"
hold = "1ms"

[workload.inventory]
stock = 1000000

[network]
latency = "1ms..10ms"
"#;

/// A typical scenario, for measuring cases per second.
const TYPICAL: &str = r#"
name = "typical"
run_for = "30s"

[clients]
count = 5
think = "exp(200ms)"
hold = "0ms..500ms"

[workload.inventory]
stock = 50

[[fault.pause]]
target = "client:any"
every = "exp(5s)"
lasts = "1s..20s"
"#;

/// Returns the cell for [`run`].
pub fn busy() -> Cell {
    cell(BUSY)
}

fn cell(text: &str) -> Cell {
    let registry = Registry::standard();
    let scenario = scenario(&registry, "bench.toml", text).unwrap_or_else(|problems| panic!("{}", problems[0]));
    let only = ["lease-server".to_string()];
    Cell::all(&registry, &Arc::new(scenario), Some(&only), &[]).remove(0)
}

/// Runs a case and returns the number of events in its trace.
pub fn run(cell: &Cell, seed: u64) -> u64 {
    case::run(cell, seed, None).result.events
}

/// Counts the delivered messages of a case.
pub fn delivered(cell: &Cell, seed: u64) -> u64 {
    struct Count(u64);
    impl Watcher for Count {
        fn record(&mut self, event: &TraceEvent<'_>) {
            self.0 += u64::from(matches!(event.what, Occurrence::Delivered { .. }));
        }
    }
    let count = Rc::new(RefCell::new(Count(0)));
    case::run(cell, seed, Some(count.clone()));
    let messages = count.borrow().0;
    assert!(messages > 0, "no message was counted");
    messages
}

/// Runs `seeds` cases of a typical scenario on `threads` threads.
pub fn cases(seeds: u64, threads: usize) {
    let job = Job { cells: vec![cell(TYPICAL)], seeds: 0..seeds, threads, ..Job::default() };
    let mut done = 0;
    job.run(|_, _, _| {
        done += 1;
        ControlFlow::Continue(())
    })
    .expect("no case panics");
    assert_eq!(done, seeds);
}
