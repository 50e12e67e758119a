//! `fencepost run`: what it writes, prints and answers.

mod support;

use std::fs;

use support::{PAUSES, Place, run};

#[test]
fn json_has_the_keys_of_the_contract() {
    let place = Place::new();
    let ran = place.done(&run(&PAUSES, &["--format", "json", "--out", "my-own-run"]));
    let json = ran.json();
    assert_eq!((&json["schema_version"], &json["suite"]), (&1.into(), &"client-pauses".into()));
    let cells = json["cells"].as_array().expect("there are cells");
    assert_eq!(cells.len(), 2);
    for cell in cells {
        assert_eq!((&cell["scenario"], &cell["cases"]), (&"client-pauses".into(), &24.into()));
        assert_eq!(cell["applicable"], true);
        let property = &cell["properties"]["effect-exclusion"];
        for key in ["holds", "violated", "unknown", "not_applicable", "rate", "ci95", "first_seed"] {
            assert!(!property[key].is_null(), "{key} in {property}");
        }
        for metric in ["oversold_units", "acked_orders", "lost_updates", "availability", "acquire_ms"] {
            for key in ["total", "mean", "p50", "p95", "max"] {
                assert!(cell["metrics"][metric][key].is_number(), "{metric}.{key} in {}", cell["metrics"]);
            }
        }
        let takeover = &cell["metrics"]["takeover_s"];
        assert!(takeover["total"].is_number() && takeover["mean"].is_null(), "no holder crashed: {takeover}");
        for key in ["planned", "fired", "touched"] {
            assert!(cell["faults"]["gc"][key].is_u64(), "{key}");
        }
        assert_eq!(cell["faults"]["gc"]["kind"], "pause");
    }
    assert!(!ran.out.contains("my-own-run") && !ran.out.contains(".toml"), "no path gets into the JSON");
    assert!(ran.err.contains("report: my-own-run/report.html\n"), "{}", ran.err);
    assert!(ran.err.ends_with("2 written, 2 of them new in fencepost-regressions\n"), "{}", ran.err);
}

#[test]
fn a_run_leaves_its_inputs_results_and_report() {
    let place = Place::new();
    place.done(&run(&PAUSES, &["--out", "out"]));
    let run: serde_json::Value = serde_json::from_str(&place.read("out/run.json")).expect("run.json is JSON");
    for key in ["command", "version", "layout", "suite", "seeds", "bugs", "locks", "started", "duration_s"] {
        assert!(!run[key].is_null(), "{key}");
    }
    assert_eq!(run["command"], "fencepost run client-pauses --seeds 0..24 --lock redis-set-px,none");
    assert!(place.read("out/report.html").contains("client-pauses"));
    let rows = place.read("out/results.jsonl");
    let with = |key: &str| rows.lines().filter(|line| line.starts_with(&format!("{{\"{key}\":"))).count();
    assert_eq!((with("cell"), with("seed")), (2, 2 * 24));
}

#[test]
fn without_out_runs_go_beside_each_other() {
    let place = Place::new();
    let ran = place.done(&["run", "quiet", "--lock", "none", "--seeds", "2"]);
    let latest = place.path("fencepost-out/latest");
    assert!(latest.join("run.json").exists());
    let target = fs::read_link(latest).expect("latest is a link");
    assert!(ran.out.trim_end().ends_with(&format!("fencepost-out/{}/report.html", target.display())), "{}", ran.out);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let place = Place::new();
    let one = place.done(&run(&PAUSES, &["--jobs", "1", "--out", "one", "--format", "json"]));
    let two = place.done(&run(&PAUSES, &["--jobs", "2", "--out", "two", "--format", "json"]));
    assert_eq!(one.out, two.out);
    assert_eq!(place.read("one/results.jsonl"), place.read("two/results.jsonl"));
    assert_eq!(place.read("one/report.html"), place.read("two/report.html"));
}

#[test]
fn a_run_that_was_cut_off_goes_on_where_it_stopped() {
    let place = Place::new();
    let resume = run(&PAUSES, &["--out", "out", "--resume", "--format", "json"]);
    let whole = place.done(&resume);
    let rows = place.read("out/results.jsonl");
    for cut in [0, 100, rows.len() / 2, rows.len() - 1, rows.len()] {
        fs::write(place.path("out/results.jsonl"), &rows.as_bytes()[..cut]).expect("there is room for a file");
        let resumed = place.done(&resume);
        assert_eq!(place.read("out/results.jsonl"), rows, "cut at {cut}");
        assert_eq!(resumed.out, whole.out, "cut at {cut}");
    }
    let other = place.run(&["run", "client-pauses", "--seeds", "25", "--out", "out", "--resume"]);
    assert_eq!(other.code, Some(2));
    assert!(other.err.contains("`seeds`"), "{}", other.err);
    let afresh = place.run(&run(&PAUSES, &["--out", "out"]));
    assert_eq!((afresh.code, afresh.err.contains("not empty")), (Some(2), true));
}

#[test]
fn rules_stop_at_the_same_seed_with_any_number_of_threads() {
    let place = Place::new();
    for (rule, name) in [(&["--until-violation"][..], "violation"), (&["--until-interval", "0.6"], "interval")] {
        let cases = ["1", "2"].map(|jobs| {
            let out = format!("{name}-{jobs}");
            let more = [rule, &["--jobs", jobs, "--out", &out, "--format", "json"]].concat();
            let json = place.done(&run(&PAUSES, &more)).json();
            assert!(json["cells"][0]["cases"].as_u64() < Some(24), "{name} stops early");
            place.read(&format!("{out}/results.jsonl"))
        });
        assert_eq!(cases[0], cases[1], "{name}");
    }
}

#[test]
fn what_had_to_hold_and_did_not_exits_with_100() {
    let place = Place::new();
    let named = place.run(&run(&PAUSES, &["--out", "a", "--fail-on", "no-lost-update", "--format", "json"]));
    assert_eq!(named.code, Some(100), "{}", named.err);
    let first = named.json()["cells"][0]["properties"]["no-lost-update"]["first_seed"].clone();
    assert!(named.err.contains("to reproduce: fencepost replay client-pauses/none/"), "{}", named.err);
    assert!(named.err.contains("no-lost-update is violated, and --fail-on names it"), "{} {first}", named.err);

    let text = "run_for = \"20s\"\n[clients]\norders = 20\nhold = \"50ms\"\n[workload.inventory]\nstock = 10\n";
    place.write("mine.toml", &format!("{text}[expect]\nnone = {{ effect-exclusion = \"holds\" }}\n"));
    let expected = place.run(&["run", "mine.toml", "--seeds", "5", "--lock", "none", "--out", "b"]);
    assert_eq!(expected.code, Some(100), "{}", expected.err);
    assert!(expected.err.contains("to reproduce: fencepost replay mine.toml/none/0"), "{}", expected.err);
    let replayed = place.run(&["replay", "mine.toml/none/0"]);
    assert_eq!(replayed.code, Some(100), "{}", replayed.err);

    let free = place.run(&run(&PAUSES, &["--out", "c"]));
    assert_eq!(free.code, Some(0), "violations that nobody asked about are no failure");
    assert!(free.out.contains("to reproduce: fencepost replay client-pauses/none/"), "{}", free.out);
}

#[test]
fn idle_faults_are_warned_of() {
    let place = Place::new();
    let text = "run_for = \"20s\"\n[clients]\norders = 3\n[[fault.pause]]\ntarget = \"client-1\"\nat = \"19s\"\n\
                lasts = \"1ms\"\n";
    place.write("idle.toml", text);
    let ran = place.done(&["run", "idle.toml", "--seeds", "5", "--lock", "redis-set-px", "--out", "a"]);
    assert!(ran.err.contains("warning: idle: no fault touched anything in 5 of 5 cases"), "{}", ran.err);
}
