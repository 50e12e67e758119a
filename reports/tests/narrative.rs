//! A telling leads to the violated rule, in the order in which things went wrong, and fits on a screen or two.

use std::sync::Arc;

use fencepost_reports::case_json::case_json;
use fencepost_reports::narrative::{Narrative, Told, tell};
use fencepost_scenarios::file;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::cell::Cell;

const PAUSED: &str = r#"
name = "paused-holder"
about = "The first holder stands still for three times its lease."
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

/// The other client has work left when the paused one wakes up.
const STILL_BUSY: &str = "think = \"4s\"\norders = 16";

fn cell(text: &str, lock: &str) -> Cell {
    let registry = Registry::standard();
    let scenario = file::scenario(&registry, "paused.toml", text).expect("a scenario");
    Cell::new(&Arc::new(scenario), registry.lock(lock).expect("a lock"), &[])
}

fn told(how: Narrative) -> Told {
    tell(&cell(&PAUSED.replace("orders = 8", STILL_BUSY), "redis-set-px"), 1, how)
}

/// Where each of the texts first stands after the one before it.
fn assert_in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let Some(place) = rest.find(part) else { panic!("`{part}` is missing, or not in its place, in\n{text}") };
        rest = &rest[place + part.len()..];
    }
}

#[test]
fn a_stale_write_is_told_from_the_pause_to_the_rule_that_it_broke() {
    let Told { text, .. } = told(Narrative::default());
    let story = [
        "client-1  acquires the lock",
        "client-1  paused (gc)",
        "expires client-1's grant",
        "client-2  acquires the lock",
        "client-1  resumed after 15.0 s (gc)",
        "accepts client-1's write",
        "effect-exclusion is violated",
        "healing",
        "VIOLATED effect-exclusion: client-1's write",
        "holds: ",
        "trace xxh3:",
    ];
    assert_in_order(&text, &story);
    assert!(text.lines().count() < 60, "{text}");
    assert!(text.lines().any(|line| line.starts_with('▶') && line.contains("accepts client-1's write")), "{text}");
}

#[test]
fn a_second_telling_has_the_same_bytes() {
    for how in [Narrative::default(), Narrative { full: true, whole: true, colour: true, width: Some(80) }] {
        assert_eq!(told(how).text, told(how).text);
    }
}

#[test]
fn a_full_telling_shows_messages_and_timers() {
    let Told { text, .. } = told(Narrative { full: true, ..Narrative::default() });
    assert_in_order(&text, &["client-1 → redis-1 SET lock", "redis-1 → client-1 OK", "a timer runs out"]);
}

#[test]
fn colour_says_nothing_that_words_do_not() {
    let coloured = told(Narrative { colour: true, ..Narrative::default() }).text;
    let bare = ["\u{1b}[1m", "\u{1b}[2m", "\u{1b}[1;31m", "\u{1b}[0m"];
    assert_eq!(bare.iter().fold(coloured, |text, code| text.replace(code, "")), told(Narrative::default()).text);
}

#[test]
fn a_case_that_breaks_nothing_tells_of_its_faults_alone() {
    let Told { text, report } = tell(&cell(PAUSED, "sql-for-update"), 1, Narrative::default());
    assert!(report.evidence.is_empty());
    assert_in_order(&text, &["paused (gc)", "resumed after", "healing", "holds: "]);
    assert!(!text.contains("VIOLATED") && text.lines().count() < 25, "{text}");
}

#[test]
fn the_json_of_a_case_tells_each_violation() {
    let cell = cell(&PAUSED.replace("orders = 8", STILL_BUSY), "redis-set-px");
    let report = tell(&cell, 1, Narrative::default()).report;
    let json = case_json(&cell, 1, &report);
    assert_eq!(json["verdicts"]["effect-exclusion"], "violated");
    assert_eq!(json["faults"]["gc"]["fired"], 1);
    let violations = json["violations"].as_array().unwrap();
    assert_eq!(violations.len(), report.evidence.len());
    assert!(violations.iter().all(|violation| violation["sentence"].as_str().unwrap().contains("client-1")));
}
