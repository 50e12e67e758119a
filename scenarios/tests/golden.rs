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
    ("pg-advisory", "xxh3:8d018eb958b2596b806218d74800d6c9"),
    ("mysql-get-lock", "xxh3:411a5eae9cd36b34e04d1e043d80af4d"),
    ("redis-setnx", "xxh3:738d484b281ffbe0c218d82494000a03"),
    ("redis-setnx-expire", "xxh3:61d91bbb6376eda3d7e67c90dcef3849"),
    ("redis-set-px-del", "xxh3:489c461dafe5709c19862bd224bc685e"),
    ("redis-set-px", "xxh3:1a61ad901e7c80c3e415a72e63a4cfe8"),
    ("redisson", "xxh3:1c245fbd7f237b917440a2f5436121dd"),
    ("redisson-fenced", "xxh3:86af412685bc976678d7737ae8fef25f"),
    ("redis-sentinel", "xxh3:ce077a83c4e7b4d8774c6ba41a6a5717"),
    ("redlock", "xxh3:fc8f349a976f978fbae10501f454fd28"),
    ("zookeeper", "xxh3:8341b3079808772bace4b56a9b5707f2"),
    ("etcd", "xxh3:dafaaab0d35342a8c93faa168ab77e1f"),
    ("consul", "xxh3:c2000e6e3c9578a798f8e822cea9d06c"),
    ("chubby", "xxh3:4b85018e82ad58f719bc87a154d72a06"),
    ("hazelcast-cp", "xxh3:6e6203391f52764658dc238fcbbfe2b9"),
    ("hazelcast", "xxh3:e161d652b5acc9fcb9079d0b5a9d3c9b"),
    ("dynamodb", "xxh3:bddfcf3a4eedfd60d2efc85d1d68ae84"),
    ("k8s-lease", "xxh3:d9a1db86b6c43ff9b4f42a0822e6e48a"),
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
