//! Runs one case and prints its history, to debug a seed from code:
//!
//! ```sh
//! cargo run -p fencepost-scenarios --example debug_case -- dose-150 redis-set-px 0
//! ```
//!
//! Set a breakpoint in `record`, or add prints there. The watcher sees every event and cannot change the run.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use fencepost_scenarios::file::{self, shipped};
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::case;
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::run::recorder::{TraceEvent, Watcher};

/// Prints each entry of the history with its true time.
struct Printer;

impl Watcher for Printer {
    fn record(&mut self, event: &TraceEvent<'_>) {
        if let Some(entry) = event.event() {
            println!("{:>15} ns  {entry:?}", event.at.0);
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [scenario, lock, seed] = arguments.as_slice() else { panic!("usage: debug_case SCENARIO LOCK SEED") };
    let registry = Registry::standard();
    let text = shipped::scenario(scenario).expect("the name of a shipped scenario");
    let scenario = file::scenario(&registry, scenario, text).expect("a valid scenario");
    let lock = registry.lock(lock).expect("the name of a lock");
    let cell = Cell::new(&Arc::new(scenario), lock, &[]);
    let report = case::run(&cell, seed.parse().expect("a number"), Some(Rc::new(RefCell::new(Printer))));
    println!("{:#?}", report.result.verdicts);
}
