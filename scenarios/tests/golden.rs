//! What a seed means is pinned: the hash over every event of a case, for each lock. The same numbers come out of debug and
//! release builds, on every machine. If they change on purpose, raise `LAYOUT` and pin the new ones.

use std::sync::Arc;

use fencepost_scenarios::cell::Cell;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::{case, file};
use fencepost_sim::{LAYOUT, TraceHash};

const STORMY: &str = r#"
name = "stormy"
run_for = "60s"

[clients]
think = "exp(100ms)"
hold = "lognormal(100ms, 1.0)"

[lock]
ttl = "5s"

[workload.inventory]
stock = 20
quantity = "1..=2"

[[fault.pause]]
target = "client:any"
every = "exp(5s)"
lasts = "1s..10s"

[[fault.crash]]
target = "server:any"
every = "exp(15s)"
restart_after = "2s"
disk = "unsynced"

[[fault.clock-step]]
target = "server:any"
every = "exp(20s)"
by = "-5s..5s"

[[fault.partition]]
shape = "isolate"
every = "exp(20s)"
lasts = "1s..5s"

[[fault.loss]]
from = "client:all"
to = "store"
every = "exp(20s)"
lasts = "1s..5s"
rate = 0.3
"#;

/// Lock and hash of seed 7.
const GOLDEN: &[(&str, &str)] = &[];

#[test]
fn golden_hashes() {
    assert_eq!(LAYOUT, 1);
    let registry = Registry::standard();
    let scenario = Arc::new(file::scenario(&registry, "stormy", STORMY).expect("the scenario is right"));
    let hashes: Vec<(String, String)> = (registry.locks().iter())
        .map(|lock| {
            let report = case::run(&Cell::new(&scenario, lock, &[]), 7, None);
            (lock.name().into(), TraceHash(report.outcome.trace).to_string())
        })
        .collect();
    let golden: Vec<(String, String)> =
        GOLDEN.iter().map(|(lock, hash)| (lock.to_string(), hash.to_string())).collect();
    assert_eq!(hashes, golden);
}
