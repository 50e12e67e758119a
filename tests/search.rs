//! `shrink`, `explore` and `hunt`, and the reproducers and regressions of `run`.

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use support::Sandbox;

const SMALL: [&str; 7] = ["client-pauses", "--lock", "lease-server", "--seeds", "6", "--jobs", "2"];

fn run(sandbox: &Sandbox, more: &[&str]) -> support::Finished {
    sandbox.succeed(&[&["run"], &SMALL[..], more].concat())
}

#[test]
fn shrink_writes_a_reproducer_that_replays() {
    let sandbox = Sandbox::new();
    let shrunk = sandbox.succeed(&[
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
    sandbox.succeed(&["replay", "small.toml"]);
    assert_eq!(sandbox.run(&["replay", "small.toml", "--fail-on", "belief-exclusion"]).code, Some(100));
    let other = sandbox.read("small.toml").replace("violated", "holds");
    sandbox.write("other.toml", &other);
    assert_eq!(sandbox.run(&["replay", "other.toml"]).code, Some(100), "the violated property is expected to hold");
}

#[test]
fn a_case_without_violation_is_not_shrunk() {
    let ran = Sandbox::new().run(&["shrink", "quiet/lease-server/0"]);
    assert_eq!(ran.code, Some(4), "{}", ran.err);
    assert!(ran.err.contains("nothing to shrink"), "{}", ran.err);
}

#[test]
fn a_run_saves_regressions_and_the_next_run_runs_them_first() {
    let sandbox = Sandbox::new();
    let first = run(&sandbox, &["--out", "one", "--format", "json"]);
    let name = "client-pauses--lease-server.toml";
    let reproducer = sandbox.read(&format!("one/reproducers/{name}"));
    assert_eq!(reproducer, sandbox.read(&format!("fencepost-regressions/{name}")));
    sandbox.succeed(&["replay", &format!("fencepost-regressions/{name}")]);
    let second = run(&sandbox, &["--out", "two", "--format", "json"]);
    assert!(second.err.contains("regressions: 1 run first, 1 still violated"), "{}", second.err);
    assert_eq!(first.out, second.out, "regressions do not enter rates");
    assert!(sandbox.read("two/regressions.json").contains("\"violated\": true"));
    assert_eq!(std::fs::read_dir(sandbox.path("fencepost-regressions")).unwrap().count(), 1, "saved once");
}

#[test]
fn a_regression_that_violates_a_named_property_fails_the_run() {
    let sandbox = Sandbox::new();
    run(&sandbox, &["--out", "one"]);
    let none = ["run", "client-pauses", "--lock", "lease-server", "--seeds", "0..1", "--fail-on", "no-lost-update"];
    let ran = sandbox.run(&none);
    assert_eq!(ran.code, Some(100), "{}", ran.err);
    assert!(ran.err.contains("failed: regression fencepost-regressions/"), "{}", ran.err);
    let other = none.map(|word| if word == "no-lost-update" { "belief-exclusion" } else { word });
    let ran = sandbox.run(&other);
    assert!(!ran.err.contains("failed: regression"), "violations that are not pinned do not count: {}", ran.err);
}

#[test]
fn no_shrink_writes_neither_reproducers_nor_regressions() {
    let sandbox = Sandbox::new();
    run(&sandbox, &["--out", "one", "--no-shrink"]);
    assert!(!sandbox.path("one/reproducers").exists());
    assert!(!sandbox.path("fencepost-regressions").exists());
}

#[test]
fn merge_keeps_the_reproducers_of_the_whole_run() {
    let sandbox = Sandbox::new();
    run(&sandbox, &["--out", "whole"]);
    run(&sandbox, &["--out", "a", "--shard", "1/2"]);
    run(&sandbox, &["--out", "b", "--shard", "2/2"]);
    sandbox.succeed(&["merge", "b", "a", "--out", "merged"]);
    for file in ["reproducers.json", "reproducers/client-pauses--lease-server.toml"] {
        assert_eq!(sandbox.read(&format!("merged/{file}")), sandbox.read(&format!("whole/{file}")));
    }
}

#[test]
fn explore_counts_placements_and_exits_with_100_on_a_counterexample() {
    let sandbox = Sandbox::new();
    let clean = sandbox.succeed(&["explore", "explore-fence-reads", "--lock", "lease-server", "--format", "json"]);
    let value = clean.json();
    assert_eq!(value["cells"][0]["counterexample"], serde_json::Value::Null);
    let row = "| `lease-server` | 954 |";
    assert!(include_str!("../docs/explore.md").contains(row), "docs/explore.md has another number");
    assert_eq!(value["cells"][0]["placements"], 954);
    let found = sandbox.run(&["explore", "explore-fence-writes", "--lock", "lease-server", "--out", "found"]);
    assert_eq!(found.code, Some(100), "{}", found.err);
    assert!(found.out.contains("no-lost-update is violated with 1 fault, found in"), "{}", found.out);
    sandbox.succeed(&["replay", "found/explore-fence-writes--lease-server.toml"]);
}

#[test]
fn hunt_stops_at_the_first_violation_and_writes_a_reproducer() {
    let sandbox = Sandbox::new();
    let found = sandbox.run(&["hunt", "--lock", "lease-server", "--out", "found"]);
    assert_eq!(found.code, Some(100), "{}", found.err);
    sandbox.succeed(&["replay", "found/hunt--lease-server.toml"]);
    let clean = sandbox.succeed(&["hunt", "--lock", "sql-version", "--cases", "20"]);
    assert!(clean.err.contains("no violation in 20 cases"), "{}", clean.err);
}

#[test]
fn properties_that_are_not_applicable_are_not_reported_as_clean() {
    let sandbox = Sandbox::new();
    let explored = ["explore", "explore-unguarded", "--lock", "redis-set-px", "--fail-on", "fencing"];
    let ran = sandbox.run(&explored);
    assert_eq!(ran.code, Some(4), "{}", ran.err);
    assert!(ran.out.contains("no property was checked; not applicable: fencing"), "{}", ran.out);
    let ran = sandbox.run(&["hunt", "quiet", "--lock", "redis-set-px", "--fail-on", "fifo", "--cases", "5"]);
    assert_eq!(ran.code, Some(4), "{}", ran.err);
    for words in ["not applicable: fifo", "nothing to check", "has no faults to aim"] {
        assert!(ran.err.contains(words), "{words}: {}", ran.err);
    }
    let both = "fifo,no-oversell";
    let clean = sandbox.succeed(&["hunt", "quiet", "--lock", "redis-set-px", "--fail-on", both, "--cases", "5"]);
    assert!(
        clean.err.contains("no violation in 5 cases") && clean.err.contains("not applicable: fifo"),
        "{}",
        clean.err
    );
}

#[test]
fn an_interrupted_hunt_prints_the_case_before_shrinking() {
    let sandbox = Sandbox::new();
    let mut hunt =
        sandbox.command(&["hunt", "disk-lies", "--lock", "sql-lease-row", "--fail-on", "progress", "--aim", "uniform"]);
    let mut hunt = hunt.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts");
    let mut lines = BufReader::new(hunt.stderr.take().expect("stderr is piped")).lines();
    lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("is violated in case")));
    interrupt(&hunt);
    let out = hunt.wait_with_output().expect("the program exits");
    assert_eq!(out.status.code(), Some(130));
    sandbox.write("found.toml", &String::from_utf8_lossy(&out.stdout));
    sandbox.succeed(&["replay", "found.toml"]);
}

#[test]
fn an_interrupted_run_prints_how_to_continue() {
    let sandbox = Sandbox::new();
    let mut run = sandbox.command(&["run", "client-pauses", "--seeds", "1000000", "--out", "one"]);
    let run = run.stderr(Stdio::piped()).spawn().expect("the program starts");
    while !sandbox.path("one/results.jsonl").exists() {
        sleep(Duration::from_millis(20));
    }
    interrupt(&run);
    let ran: support::Finished = run.wait_with_output().expect("the program exits").into();
    assert_eq!(ran.code, Some(130));
    assert!(ran.err.contains("fencepost run client-pauses --seeds 0..1000000 --out one --resume"), "{}", ran.err);
}

fn interrupt(child: &Child) {
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("`kill` exists");
}

#[test]
fn a_run_completes_if_regressions_cannot_be_saved() {
    let sandbox = Sandbox::new();
    sandbox.write("fencepost-regressions", "a file with the directory's name");
    let ran = sandbox.run(&[&["run"], &SMALL[..], &["--out", "one", "--fail-on", "no-lost-update"]].concat());
    assert_eq!(ran.code, Some(100), "{}", ran.err);
    assert!(ran.err.contains("warning: cannot create fencepost-regressions"), "{}", ran.err);
    assert!(ran.out.contains("report: one/"), "{}", ran.out);
}

#[test]
fn a_path_that_cannot_be_written_is_rejected_before_anything_runs() {
    let sandbox = Sandbox::new();
    for out in ["none/x.toml", "."] {
        let ran = sandbox.run(&["shrink", "client-pauses/lease-server/0", "--out", out]);
        assert_eq!(ran.code, Some(2), "{}", ran.err);
        assert!(ran.err.contains("cannot write") && !ran.err.contains("shrinking"), "{}", ran.err);
    }
}

#[test]
fn unusual_file_names_are_quoted_for_the_shell() {
    let sandbox = Sandbox::new();
    let case = "client-pauses/lease-server/0";
    let shrunk =
        sandbox.succeed(&["shrink", case, "--fail-on", "belief-exclusion", "--budget", "5", "--out", "my case.toml"]);
    assert!(shrunk.err.contains("to reproduce: fencepost replay 'my case.toml'"), "{}", shrunk.err);
}
