//! Which fault is to blame: violated cases run again with each fault taken out.

use fencepost_scenarios::property::Property;
use fencepost_scenarios::run::case;
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::run::results::{CellResult, DECISIVE_CASES, Decisive, ResultsWriter, read_cells};
use fencepost_scenarios::search::ablation;

/// One pause outlives the lease; one is too short for that; one never comes.
const SCENARIO: &str = r#"
name = "suspects"
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

fn ran(cell: &Cell, seeds: impl Iterator<Item = u64>) -> CellResult {
    let mut result = CellResult::default();
    seeds.for_each(|seed| result.add(seed, &case::run(cell, seed, None).result));
    result
}

fn settled(cell: &Cell, mut result: CellResult) -> CellResult {
    for sample in result.samples().to_vec() {
        let changed = ablation::without_each(cell, &sample);
        result.decide(sample.seed, changed);
    }
    result
}

#[test]
fn the_fault_to_blame_is_decisive_and_the_others_are_not() {
    let cell = cell();
    let result = settled(&cell, ran(&cell, 0..30));
    let sampled = DECISIVE_CASES as u64;
    assert!(result.property(Property::EffectExclusion).violated > sampled, "{result:?}");
    let seen: Vec<Decisive> = (0..3).map(|fault| result.decisive(fault)).collect();
    let decisive = |sampled, changed| Decisive { sampled, changed };
    assert_eq!(seen, [decisive(sampled, sampled), decisive(sampled, 0), decisive(0, 0)]);
}

#[test]
fn shards_come_to_what_the_whole_run_does() {
    let cell = cell();
    let whole = settled(&cell, ran(&cell, 0..30));
    let mut parts: Vec<CellResult> = (0..3).map(|n| settled(&cell, ran(&cell, (n..30).step_by(3)))).collect();
    let mut merged = parts.pop().expect("three parts");
    parts.iter().for_each(|part| merged.merge(part));
    assert_eq!(merged, whole);
}

#[test]
fn what_was_found_survives_being_written_and_read() {
    let cell = cell();
    let result = settled(&cell, ran(&cell, 0..10));
    let mut writer = ResultsWriter::new(Vec::new());
    writer.cell(&cell.header).expect("memory takes it");
    for seed in 0..10 {
        writer.case(seed, &case::run(&cell, seed, None).result).expect("memory takes it");
    }
    for sample in result.samples() {
        writer.decisive(sample.seed, sample.changed.as_deref().expect("decided")).expect("memory takes it");
    }
    let read = read_cells(writer.into_inner().as_slice()).expect("what was written can be read");
    assert_eq!(read, [(cell.header.clone(), result)]);
}
