//! Pins the hash over every event of a case, for each lock. Debug and release builds give the same hashes on every
//! machine. If a change is intended, raise `LAYOUT` and pin the new hashes.

use std::sync::Arc;

use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::{file, run::case};
use fencepost_sim::{LAYOUT, TraceHash};

const STORMY: &str = r#"
name = "stormy"
run_for = "60s"

[clients]
think = "exp(100ms)"
hold = "lognormal(500ms, 1.0)"

[lock]
ttl = "5s"

[workload.inventory]
stock = 60
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

/// Each lock and its hash for seed 7.
const GOLDEN: &[(&str, &str)] = &[
    ("lease-server", "xxh3:f875b623e5a38dedd58dff35b56dd328"),
    ("sql-for-update", "xxh3:72ad4dfa5893ac0fec408e6fac49dd27"),
    ("sql-lease-row", "xxh3:715871b7d1712d1b53965bec8eb0bf8c"),
    ("sql-version", "xxh3:d8ccf14707bea4d9f415a9fe887575c0"),
    ("pg-advisory", "xxh3:bfd207b4e3a5c059325d930b8faa8ca1"),
    ("mysql-get-lock", "xxh3:411a5eae9cd36b34e04d1e043d80af4d"),
    ("redis-setnx", "xxh3:738d484b281ffbe0c218d82494000a03"),
    ("redis-setnx-expire", "xxh3:61d91bbb6376eda3d7e67c90dcef3849"),
    ("redis-set-px-del", "xxh3:489c461dafe5709c19862bd224bc685e"),
    ("redis-set-px", "xxh3:3fec9dfd16e59093063c79fd10a483a4"),
    ("redisson", "xxh3:da9791542e11298e6175f08f94ab7f61"),
    ("redisson-fenced", "xxh3:9dffbe76ad1ac3edb6d5a972db8d3f9a"),
    ("redis-sentinel", "xxh3:5ed66d404884ad786f236307248908a4"),
    ("redlock", "xxh3:605c8c0f35666edde79b6d164f5c0c7c"),
    ("zookeeper", "xxh3:688e13aa5cc9d3ac4e3b3a761499ee5b"),
    ("etcd", "xxh3:d3fc0ca608b853130c581c6686b8d911"),
    ("consul", "xxh3:ea254ceecab76604dd0e106e7f5bc8e5"),
    ("chubby", "xxh3:3138755c3e1ca272cc272d1f381900a7"),
    ("hazelcast", "xxh3:726d63675ffed7f0cdaf04b016ee5296"),
    ("dynamodb", "xxh3:bddfcf3a4eedfd60d2efc85d1d68ae84"),
    ("k8s-lease", "xxh3:8f894d73008d284fbb9832a13805503b"),
];

#[test]
fn golden_hashes() {
    assert_eq!(LAYOUT, 2);
    let registry = Registry::standard();
    let scenario = Arc::new(file::scenario(&registry, "stormy", STORMY).expect("the scenario is valid"));
    let cells = Cell::all(&registry, &scenario, None, &[]).into_iter().filter(|cell| cell.header.applicable);
    let mut hashes: Vec<(String, String)> = cells
        .map(|cell| {
            let report = case::run(&cell, 7, None);
            (cell.header.lock, TraceHash(report.result.trace).to_string())
        })
        .collect();
    let mut golden: Vec<(String, String)> =
        GOLDEN.iter().map(|(lock, hash)| (lock.to_string(), hash.to_string())).collect();
    hashes.sort();
    golden.sort();
    assert_eq!(hashes, golden);
}
