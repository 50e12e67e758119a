//! Decisive faults: violated cases run again without each of their faults.

use fencepost_scenarios::property::Property;
use fencepost_scenarios::run::case;
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::run::results::{CellResult, DECISIVE_CASES, Decisive, ResultsWriter, read_cells};
use fencepost_scenarios::search::ablation;

/// One pause outlasts the lease, one is shorter, and one never happens.
const SCENARIO: &str = r#"
name = "three-pauses"
run_for = "60s"
clients = { think = "exp(200ms)", hold = "500ms", wait_at_most = "60s" }
lock.ttl = "5s"
workload.inventory.stock = 20

[[fault.pause]]
name = "long"
target = "client-1"
on = { client = "client-1", event = "read", nth = 2 }
lasts = "20s"

[[fault.pause]]
name = "short"
target = "client-2"
at = "1s"
lasts = "10ms"

[[fault.pause]]
name = "never"
target = "client-2"
on = { client = "client-2", event = "read", nth = 1000 }
lasts = "20s"
"#;

fn cell() -> Cell {
    fencepost_testkit::cell(SCENARIO, "redis-set-px", &[])
}

fn run_seeds(cell: &Cell, seeds: impl Iterator<Item = u64>) -> CellResult {
    let mut result = CellResult::default();
    seeds.for_each(|seed| result.add(seed, &case::run(cell, seed, None).result));
    result
}

fn ablated(cell: &Cell, mut result: CellResult) -> CellResult {
    for sample in result.samples().to_vec() {
        let changed = ablation::without_each(cell, &sample);
        result.decide(sample.seed, changed);
    }
    result
}

#[test]
fn only_the_fault_that_causes_the_violation_is_decisive() {
    let cell = cell();
    let result = ablated(&cell, run_seeds(&cell, 0..30));
    let sampled = DECISIVE_CASES as u64;
    assert!(result.property(Property::EffectExclusion).violated > sampled, "{result:?}");
    let seen: Vec<Decisive> = (0..3).map(|fault| result.decisive(fault)).collect();
    let decisive = |sampled, changed| Decisive { sampled, changed };
    assert_eq!(seen, [decisive(sampled, sampled), decisive(sampled, 0), decisive(0, 0)]);
}

#[test]
fn merged_shards_equal_the_whole_run() {
    let cell = cell();
    let whole = ablated(&cell, run_seeds(&cell, 0..30));
    let mut parts: Vec<CellResult> = (0..3).map(|n| ablated(&cell, run_seeds(&cell, (n..30).step_by(3)))).collect();
    let mut merged = parts.pop().expect("three parts");
    parts.iter().for_each(|part| merged.merge(part));
    assert_eq!(merged, whole);
}

#[test]
fn decisive_faults_survive_a_round_trip() {
    let cell = cell();
    let result = ablated(&cell, run_seeds(&cell, 0..10));
    let mut writer = ResultsWriter::new(Vec::new());
    writer.cell(&cell.header).expect("writing to memory succeeds");
    for seed in 0..10 {
        writer.case(seed, &case::run(&cell, seed, None).result).expect("writing to memory succeeds");
    }
    for sample in result.samples() {
        writer.decisive(sample.seed, sample.changed.as_deref().expect("decided")).expect("writing to memory succeeds");
    }
    let read = read_cells(writer.into_inner().as_slice()).expect("the written results are readable");
    assert_eq!(read, [(cell.header.clone(), result)]);
}
