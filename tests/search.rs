//! `shrink`, `explore` and `hunt` as a user runs them, and what `run` keeps of failures.

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use support::Place;

const SMALL: [&str; 7] = ["client-pauses", "--lock", "lease-server", "--seeds", "6", "--jobs", "2"];

fn run(place: &Place, more: &[&str]) -> support::Ran {
    place.done(&[&["run"], &SMALL[..], more].concat())
}

#[test]
fn a_case_shrinks_to_a_file_that_replays() {
    let place = Place::new();
    let shrunk = place.done(&[
        "shrink",
        "client-pauses/lease-server/0",
        "--fail-on",
        "belief-exclusion",
        "--budget",
        "80",
        "--out",
        "small.toml",
    ]);
    assert!(shrunk.err.contains("to reproduce: fencepost replay small.toml"), "{}", shrunk.err);
    place.done(&["replay", "small.toml"]);
    assert_eq!(place.run(&["replay", "small.toml", "--fail-on", "belief-exclusion"]).code, Some(100));
    let other = place.read("small.toml").replace("violated", "holds");
    place.write("other.toml", &other);
    assert_eq!(place.run(&["replay", "other.toml"]).code, Some(100), "the violation that is there was to hold");
}

#[test]
fn there_is_nothing_to_shrink_where_nothing_is_violated() {
    let ran = Place::new().run(&["shrink", "quiet/lease-server/0"]);
    assert_eq!(ran.code, Some(4), "{}", ran.err);
    assert!(ran.err.contains("nothing to shrink"), "{}", ran.err);
}

#[test]
fn a_run_keeps_its_first_failures_and_tries_them_first_next_time() {
    let place = Place::new();
    let first = run(&place, &["--out", "one", "--format", "json"]);
    let name = "client-pauses--lease-server.toml";
    let reproducer = place.read(&format!("one/reproducers/{name}"));
    assert_eq!(reproducer, place.read(&format!("fencepost-regressions/{name}")));
    place.done(&["replay", &format!("fencepost-regressions/{name}")]);
    let second = run(&place, &["--out", "two", "--format", "json"]);
    assert!(second.err.contains("regressions: 1 tried first, 1 still"), "{}", second.err);
    assert_eq!(first.out, second.out, "regressions are in no rate");
    assert!(place.read("two/regressions.json").contains("\"violated\": true"));
    assert_eq!(std::fs::read_dir(place.path("fencepost-regressions")).unwrap().count(), 1, "it is kept once");
}

#[test]
fn a_regression_that_breaks_what_is_named_fails_the_run() {
    let place = Place::new();
    run(&place, &["--out", "one"]);
    let none = ["run", "client-pauses", "--lock", "lease-server", "--seeds", "0..1", "--fail-on", "no-lost-update"];
    let ran = place.run(&none);
    assert_eq!(ran.code, Some(100), "{}", ran.err);
    assert!(ran.err.contains("failed: regression fencepost-regressions/"), "{}", ran.err);
    let other = none.map(|word| if word == "no-lost-update" { "belief-exclusion" } else { word });
    let ran = place.run(&other);
    assert!(!ran.err.contains("failed: regression"), "it violates that too, but is not about it: {}", ran.err);
}

#[test]
fn nothing_is_shrunk_where_nobody_wants_it() {
    let place = Place::new();
    run(&place, &["--out", "one", "--no-shrink"]);
    assert!(!place.path("one/reproducers").exists());
    assert!(!place.path("fencepost-regressions").exists());
}

#[test]
fn merged_shards_have_the_reproducers_of_the_whole_run() {
    let place = Place::new();
    run(&place, &["--out", "whole"]);
    run(&place, &["--out", "a", "--shard", "1/2"]);
    run(&place, &["--out", "b", "--shard", "2/2"]);
    place.done(&["merge", "b", "a", "--out", "merged"]);
    for file in ["reproducers.json", "reproducers/client-pauses--lease-server.toml"] {
        assert_eq!(place.read(&format!("merged/{file}")), place.read(&format!("whole/{file}")));
    }
}

#[test]
fn explore_says_how_many_placements_there_are_and_exits_by_what_it_found() {
    let place = Place::new();
    let clean = place.done(&["explore", "explore-fence-reads", "--lock", "lease-server", "--format", "json"]);
    let value = clean.json();
    assert_eq!(value["cells"][0]["counterexample"], serde_json::Value::Null);
    let row = "| `lease-server` | 954 |";
    assert!(include_str!("../docs/explore.md").contains(row), "the book has another number");
    assert_eq!(value["cells"][0]["placements"], 954);
    let found = place.run(&["explore", "explore-fence-writes", "--lock", "lease-server", "--out", "found"]);
    assert_eq!(found.code, Some(100), "{}", found.err);
    assert!(found.out.contains("no-lost-update is violated with 1 fault, found among"), "{}", found.out);
    place.done(&["replay", "found/explore-fence-writes--lease-server.toml"]);
}

#[test]
fn hunt_stops_at_the_first_violation_and_writes_it_down() {
    let place = Place::new();
    let found = place.run(&["hunt", "--lock", "lease-server", "--out", "found"]);
    assert_eq!(found.code, Some(100), "{}", found.err);
    place.done(&["replay", "found/hunt--lease-server.toml"]);
    let clean = place.done(&["hunt", "--lock", "sql-version", "--cases", "20"]);
    assert!(clean.err.contains("nothing in 20 cases"), "{}", clean.err);
}

#[test]
fn nothing_is_called_clean_that_does_not_apply() {
    let place = Place::new();
    let explored = ["explore", "explore-unguarded", "--lock", "redis-set-px", "--fail-on", "fencing"];
    let ran = place.run(&explored);
    assert_eq!(ran.code, Some(4), "{}", ran.err);
    assert!(ran.out.contains("nothing is judged; not applicable: fencing"), "{}", ran.out);
    let ran = place.run(&["hunt", "quiet", "--lock", "redis-set-px", "--fail-on", "fifo", "--cases", "5"]);
    assert_eq!(ran.code, Some(4), "{}", ran.err);
    for words in ["not applicable: fifo", "nothing to judge", "has no faults to aim"] {
        assert!(ran.err.contains(words), "{words}: {}", ran.err);
    }
    let both = "fifo,no-oversell";
    let clean = place.done(&["hunt", "quiet", "--lock", "redis-set-px", "--fail-on", both, "--cases", "5"]);
    assert!(clean.err.contains("nothing in 5 cases") && clean.err.contains("not applicable: fifo"), "{}", clean.err);
}

#[test]
fn a_hunt_keeps_what_it_found_before_it_shrinks() {
    let place = Place::new();
    let mut hunt =
        place.command(&["hunt", "disk-lies", "--lock", "sql-lease-row", "--fail-on", "progress", "--aim", "uniform"]);
    let mut hunt = hunt.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts");
    let mut told = BufReader::new(hunt.stderr.take().expect("it is piped")).lines();
    told.find(|line| line.as_ref().is_ok_and(|line| line.contains("is violated in case")));
    interrupt(&hunt);
    let out = hunt.wait_with_output().expect("it ends");
    assert_eq!(out.status.code(), Some(130));
    place.write("found.toml", &String::from_utf8_lossy(&out.stdout));
    place.done(&["replay", "found.toml"]);
}

#[test]
fn a_run_that_is_interrupted_says_how_to_go_on() {
    let place = Place::new();
    let mut run = place.command(&["run", "client-pauses", "--seeds", "1000000", "--out", "one"]);
    let run = run.stderr(Stdio::piped()).spawn().expect("the program starts");
    while !place.path("one/results.jsonl").exists() {
        sleep(Duration::from_millis(20));
    }
    interrupt(&run);
    let ran: support::Ran = run.wait_with_output().expect("it ends").into();
    assert_eq!(ran.code, Some(130));
    assert!(ran.err.contains("fencepost run client-pauses --seeds 0..1000000 --out one --resume"), "{}", ran.err);
}

fn interrupt(child: &Child) {
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("there is `kill`");
}

#[test]
fn a_run_is_reported_and_judged_where_regressions_cannot_be_kept() {
    let place = Place::new();
    place.write("fencepost-regressions", "a file of that name");
    let ran = place.run(&[&["run"], &SMALL[..], &["--out", "one", "--fail-on", "no-lost-update"]].concat());
    assert_eq!(ran.code, Some(100), "{}", ran.err);
    assert!(ran.err.contains("warning: cannot make fencepost-regressions"), "{}", ran.err);
    assert!(ran.out.contains("report: one/"), "{}", ran.out);
}

#[test]
fn a_path_that_cannot_be_written_is_refused_before_anything_runs() {
    let place = Place::new();
    for out in ["none/x.toml", "."] {
        let ran = place.run(&["shrink", "client-pauses/lease-server/0", "--out", out]);
        assert_eq!(ran.code, Some(2), "{}", ran.err);
        assert!(ran.err.contains("cannot write") && !ran.err.contains("shrinking"), "{}", ran.err);
    }
}

#[test]
fn a_name_that_is_odd_is_quoted_for_the_shell() {
    let place = Place::new();
    let case = "client-pauses/lease-server/0";
    let shrunk =
        place.done(&["shrink", case, "--fail-on", "belief-exclusion", "--budget", "5", "--out", "my case.toml"]);
    assert!(shrunk.err.contains("to reproduce: fencepost replay 'my case.toml'"), "{}", shrunk.err);
}
