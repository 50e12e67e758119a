//! A log shows the events that lead to the violation, in order, on one or two screens.

use std::sync::Arc;

use fencepost_reports::case_json::case_json;
use fencepost_reports::case_log::{LogOptions, render_log};
use fencepost_reports::case_record::{CaseRecord, Detail};
use fencepost_scenarios::file;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::cell::Cell;

const PAUSED: &str = r#"
name = "paused-holder"
about = "The first holder is paused for three times its lease."
run_for = "30s"
[clients]
count = 2
orders = 8
hold = "100ms"
[lock]
ttl = "5s"
[workload.inventory]
stock = 20
guard = "none"
[[fault.pause]]
name = "gc"
target = "client-1"
on = { client = "client-1", event = "acquired", nth = 1 }
lasts = "15s"
"#;

/// The other client has work left when the paused one resumes.
const STILL_BUSY: &str = "think = \"4s\"\norders = 16";

fn cell(text: &str, lock: &str) -> Cell {
    let registry = Registry::standard();
    let scenario = file::scenario(&registry, "paused.toml", text).expect("a scenario");
    Cell::new(&Arc::new(scenario), registry.lock(lock).expect("a lock"), &[])
}

fn log(options: LogOptions) -> String {
    let cell = cell(&PAUSED.replace("orders = 8", STILL_BUSY), "redis-set-px");
    let detail = if options.full { Detail::Full } else { Detail::Normal };
    render_log(&CaseRecord::watch_with(&cell, 1, detail), options)
}

/// Asserts that the text contains these parts, in this order.
fn assert_in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let Some(start) = rest.find(part) else { panic!("`{part}` is missing or out of order in\n{text}") };
        rest = &rest[start + part.len()..];
    }
}

#[test]
fn the_log_of_a_stale_write_leads_from_the_pause_to_the_violation() {
    let text = log(LogOptions::default());
    let lines = [
        "redis-1   grant to client-1",
        "client-1  acquired (grant",
        "client-1  paused",
        "redis-1   lease expired: client-1",
        "client-2  acquired (grant",
        "client-1  resumed after 15.0 s (gc)",
        "store     write accepted from client-1",
        "◀ effect-exclusion violated",
        "healed",
        "VIOLATED effect-exclusion: client-1's write",
        "holds: ",
        "trace xxh3:",
    ];
    assert_in_order(&text, &lines);
    assert!(text.lines().count() < 60, "{text}");
    let marked = |line: &str| line.starts_with('▶') && line.contains("write accepted from client-1");
    assert!(text.lines().any(marked), "{text}");
}

#[test]
fn the_same_case_has_the_same_log() {
    for options in [LogOptions::default(), LogOptions { full: true, whole: true, colour: true, width: Some(80) }] {
        assert_eq!(log(options), log(options));
    }
}

#[test]
fn a_full_log_shows_requests_messages_timers_and_steps() {
    let text = log(LogOptions { full: true, whole: true, ..LogOptions::default() });
    let lines = [
        "client-1  acquire (grant",
        "client-1 → redis-1 SetNxPx {",
        "redis-1 → client-1 Done",
        "client-1  acquired (grant",
        "client-1  step: acquired",
        "acquire failed: busy",
        "timer expired",
    ];
    assert_in_order(&text, &lines);
}

#[test]
fn colours_do_not_change_the_text() {
    let coloured = log(LogOptions { colour: true, ..LogOptions::default() });
    let codes = ["\u{1b}[1m", "\u{1b}[2m", "\u{1b}[1;31m", "\u{1b}[0m"];
    assert_eq!(codes.iter().fold(coloured, |text, code| text.replace(code, "")), log(LogOptions::default()));
}

#[test]
fn the_log_of_a_case_without_violations_shows_its_faults() {
    let record = CaseRecord::watch(&cell(PAUSED, "sql-for-update"), 1);
    let text = render_log(&record, LogOptions::default());
    assert!(record.report.evidence.is_empty());
    assert_in_order(&text, &["paused", "resumed after", "healed", "holds: "]);
    assert!(!text.contains("VIOLATED") && text.lines().count() < 25, "{text}");
}

#[test]
fn the_json_of_a_case_has_each_violation() {
    let cell = cell(&PAUSED.replace("orders = 8", STILL_BUSY), "redis-set-px");
    let report = CaseRecord::watch(&cell, 1).report;
    let json = case_json(&cell, 1, &report);
    assert_eq!(json["verdicts"]["effect-exclusion"], "violated");
    assert_eq!(json["faults"]["gc"]["fired"], 1);
    let violations = json["violations"].as_array().unwrap();
    assert_eq!(violations.len(), report.evidence.len());
    assert!(violations.iter().all(|violation| violation["sentence"].as_str().unwrap().contains("client-1")));
}
