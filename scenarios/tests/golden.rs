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

/// Lock and hash of seed 7.
const GOLDEN: &[(&str, &str)] = &[
    ("lease-server", "xxh3:2a751b5c3e5b46638706d2adadf9b636"),
    ("sql-for-update", "xxh3:fbee30de260f23e2c2f6f4064ed70338"),
    ("sql-lease-row", "xxh3:02ab12cdbc7214d2abb7357cba268acc"),
    ("sql-version", "xxh3:ff70dd8d9bc290935a8ac7a55cde9302"),
    ("pg-advisory", "xxh3:e5903280aa50232b9846fd46d58e6db8"),
    ("mysql-get-lock", "xxh3:7ae69903d5d4a0c4d30af5c575f2b7af"),
    ("redis-setnx", "xxh3:13c8500ba3aaffe206e35cac82c4c14d"),
    ("redis-setnx-expire", "xxh3:3d49338685a33cc5c44bdf78e85ac631"),
    ("redis-set-px-del", "xxh3:a94bd836eb7846b845b7b56a5c7abb17"),
    ("redis-set-px", "xxh3:d087ac474e84db020a41d314bf117c0c"),
    ("redisson", "xxh3:d2f8b1fa94d656443f476986ef9e2d42"),
    ("redisson-fenced", "xxh3:070c97c2d8c685811b64cc1ef5b6b630"),
    ("redis-sentinel", "xxh3:a16a643c9963289cd60751d757e31d8c"),
    ("redlock", "xxh3:a712ac40211a364360fe5b047025874c"),
    ("zookeeper", "xxh3:b27ee32e4fd3c03b926887bbe8afe821"),
    ("etcd", "xxh3:9bcfa33f3eb96a78ed1eca3ca1408744"),
    ("consul", "xxh3:8289e6630f79ccfd63f2389ff6ed5bd4"),
    ("chubby", "xxh3:8250b4410a69f9bd5a0f92fab099fa81"),
    ("hazelcast", "xxh3:f8ed5f98ec96777c9e13fbde89b0cd0c"),
    ("dynamodb", "xxh3:4128d375384fbbb1d32ecf54d66c8a37"),
    ("k8s-lease", "xxh3:03b2462791c12aa5eefecfa8559e9388"),
];

#[test]
fn golden_hashes() {
    assert_eq!(LAYOUT, 1);
    let registry = Registry::standard();
    let scenario = Arc::new(file::scenario(&registry, "stormy", STORMY).expect("the scenario is right"));
    let cells = Cell::all(&registry, &scenario, None, &[]).into_iter().filter(|cell| cell.header.applicable);
    let mut hashes: Vec<(String, String)> = cells
        .map(|cell| {
            let report = case::run(&cell, 7, None);
            (cell.header.lock, TraceHash(report.outcome.trace).to_string())
        })
        .collect();
    let mut golden: Vec<(String, String)> =
        GOLDEN.iter().map(|(lock, hash)| (lock.to_string(), hash.to_string())).collect();
    hashes.sort();
    golden.sort();
    assert_eq!(hashes, golden);
}
