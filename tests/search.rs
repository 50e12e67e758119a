//! `shrink`, `explore` and `hunt` as a user runs them, and what `run` keeps of failures.

mod support;

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
    assert!(value["cells"][0]["placements"].as_u64() > Some(100));
    let found = place.run(&["explore", "explore-fence-writes", "--lock", "lease-server", "--out", "found"]);
    assert_eq!(found.code, Some(100), "{}", found.err);
    assert!(found.out.contains("no-lost-update is violated with 1 faults"), "{}", found.out);
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
