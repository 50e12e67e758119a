//! A trace does not know the future: with one fault taken out, everything before that fault stays as it was.

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

/// A server, a client or any client; the locks of the test have different servers, so that none is named.
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
    for (place, (kind, rest)) in faults.iter().enumerate().filter(|(place, _)| Some(*place) != without) {
        text += &format!("[[fault.{kind}]]\nname = \"fault-{place}\"\n{rest}");
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

/// The lines before the one that matches; in its very nanosecond, other things may come before or after it.
fn before<'a>(lines: &'a [String], end: &str) -> &'a [String] {
    let time = |line: &'a String| line.split(',').next();
    let stop = lines.iter().find(|line| line.contains(end)).and_then(time);
    let place = lines.iter().position(|line| stop.is_some() && time(line) == stop);
    &lines[..place.unwrap_or(lines.len())]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_comes_before_a_fault_does_not_depend_on_it(
        faults in prop::collection::vec(fault(), 2..=3),
        dropped in any::<prop::sample::Index>(),
        lock in prop::sample::select(vec!["redis-set-px", "redlock", "lease-server", "sql-for-update"]),
        seed in 0_u64..1_000,
    ) {
        let dropped = dropped.index(faults.len());
        let with = trace(&scenario(&faults, None), lock, seed);
        let without = trace(&scenario(&faults, Some(dropped)), lock, seed);
        // After healing, the bounds of the probes know all faults that the schedule had.
        let run = before(before(&with, "\"healed\""), &format!("\"fault\":\"fault-{dropped}\""));
        prop_assert!(without.len() >= run.len());
        prop_assert_eq!(run, &without[..run.len()]);
    }
}

#[test]
fn the_first_line_names_the_nodes() {
    let lines = trace(HEAD, "redis-set-px", 1);
    let first = r#"{"t_ns":0,"nodes":["client-1","client-2","client-3","redis-1","store"],"layout":1}"#;
    assert_eq!(lines[0], first);
    assert!(lines[1..].iter().all(|line| line.starts_with("{\"t_ns\":") && line.ends_with("}}")));
}
