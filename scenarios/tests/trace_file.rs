//! A fault does not change the trace before it: without the fault, all earlier lines stay the same.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::run::trace_file::TraceFile;
use fencepost_scenarios::{file, run::case};
use proptest::prelude::*;

const HEAD: &str = r#"
name = "small"
about = "A few orders under a few faults."
run_for = "12s"
[clients]
count = 3
orders = 12
hold = "0ms..800ms"
[lock]
ttl = "2s"
[workload.inventory]
stock = 12
"#;

/// Targets that every lock of the test has: their servers have different names.
const TARGETS: [&str; 3] = ["client-1", "client:any", "server:any"];

fn fault() -> impl Strategy<Value = (String, String)> {
    let trigger = prop_oneof![
        (500_u32..9_000).prop_map(|ms| format!("at = \"{ms}ms\"")),
        (1_000_u32..5_000).prop_map(|ms| format!("every = \"exp({ms}ms)\"")),
        (1_u32..3).prop_map(|nth| format!("on = {{ client = \"client-1\", event = \"acquired\", nth = {nth} }}")),
    ];
    let kind = prop_oneof![
        (200_u32..4_000).prop_map(|ms| ("pause", format!("lasts = \"{ms}ms\""))),
        (200_u32..4_000).prop_map(|ms| ("vm-pause", format!("lasts = \"{ms}ms\""))),
        (-5_i32..5).prop_map(|s| ("clock-step", format!("by = \"{s}s\""))),
        (200_u32..2_000).prop_map(|ms| ("crash", format!("restart_after = \"{ms}ms\""))),
    ];
    (trigger, kind, 0..TARGETS.len()).prop_map(|(trigger, (kind, rest), target)| {
        (kind.to_owned(), format!("target = \"{}\"\n{trigger}\n{rest}\n", TARGETS[target]))
    })
}

fn scenario(faults: &[(String, String)], without: Option<usize>) -> String {
    let mut text = HEAD.to_owned();
    for (index, (kind, rest)) in faults.iter().enumerate().filter(|(index, _)| Some(*index) != without) {
        text += &format!("[[fault.{kind}]]\nname = \"fault-{index}\"\n{rest}");
    }
    text
}

fn trace(text: &str, lock: &str, seed: u64) -> Vec<String> {
    let registry = Registry::standard();
    let scenario = file::scenario(&registry, "small.toml", text).expect("a scenario");
    let cell = Cell::new(&Arc::new(scenario), registry.lock(lock).expect("a lock"), &[]);
    let trace = Rc::new(RefCell::new(TraceFile::new(Vec::new(), cell.nodes())));
    let report = case::run(&cell, seed, Some(trace.clone()));
    assert_eq!(report.nodes, cell.nodes());
    let written = Rc::try_unwrap(trace).ok().expect("the case is over").into_inner().into_inner();
    let lines: Vec<String> = String::from_utf8(written.unwrap()).unwrap().lines().map(String::from).collect();
    assert_eq!(lines.len() as u64, report.result.events + 1);
    lines
}

/// Returns the lines before the nanosecond of the first match: within a nanosecond, the order of lines may differ.
fn before<'a>(lines: &'a [String], end: &str) -> &'a [String] {
    let time = |line: &'a String| line.split(',').next();
    let end_time = lines.iter().find(|line| line.contains(end)).and_then(time);
    let index = lines.iter().position(|line| end_time.is_some() && time(line) == end_time);
    &lines[..index.unwrap_or(lines.len())]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_trace_before_a_fault_does_not_depend_on_it(
        faults in prop::collection::vec(fault(), 2..=3),
        dropped in any::<prop::sample::Index>(),
        lock in prop::sample::select(vec!["redis-set-px", "redlock", "lease-server", "sql-for-update"]),
        seed in 0_u64..1_000,
    ) {
        let dropped = dropped.index(faults.len());
        let with = trace(&scenario(&faults, None), lock, seed);
        let without = trace(&scenario(&faults, Some(dropped)), lock, seed);
        // After healing, the bounds of the probes depend on all faults of the schedule.
        let run = before(before(&with, "\"healed\""), &format!("\"fault\":\"fault-{dropped}\""));
        prop_assert!(without.len() >= run.len());
        prop_assert_eq!(run, &without[..run.len()]);
    }
}

#[test]
fn the_first_line_names_the_nodes() {
    let lines = trace(HEAD, "redis-set-px", 1);
    let first = r#"{"t_ns":0,"nodes":["client-1","client-2","client-3","redis-1","store"],"layout":2}"#;
    assert_eq!(lines[0], first);
    assert!(lines[1..].iter().all(|line| line.starts_with("{\"t_ns\":") && line.ends_with("}}")));
}
