//! `run`: its files, output and exit codes.

mod support;

use std::fs;

use support::{PAUSES, Sandbox, run};

#[test]
fn json_has_the_documented_keys() {
    let sandbox = Sandbox::new();
    let ran = sandbox.succeed(&run(&PAUSES, &["--format", "json", "--out", "my-own-run"]));
    let json = ran.json();
    assert_eq!((&json["schema_version"], &json["suite"]), (&1.into(), &"client-pauses".into()));
    let cells = json["cells"].as_array().expect("cells is an array");
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
    assert!(!ran.out.contains("my-own-run") && !ran.out.contains(".toml"), "JSON contains no path");
    assert!(ran.err.contains("report: my-own-run/report.html\n"), "{}", ran.err);
    assert!(ran.err.ends_with("2 written, 2 of them new in fencepost-regressions\n"), "{}", ran.err);
}

#[test]
fn a_run_writes_its_inputs_its_results_and_a_report() {
    let sandbox = Sandbox::new();
    sandbox.succeed(&run(&PAUSES, &["--out", "out"]));
    let run: serde_json::Value = serde_json::from_str(&sandbox.read("out/run.json")).expect("run.json is valid JSON");
    for key in ["command", "version", "layout", "suite", "seeds", "bugs", "locks", "started", "duration_s"] {
        assert!(!run[key].is_null(), "{key}");
    }
    assert_eq!(run["command"], "fencepost run client-pauses --seeds 0..24 --lock redis-set-px,none");
    assert!(sandbox.read("out/report.html").contains("client-pauses"));
    let rows = sandbox.read("out/results.jsonl");
    let with = |key: &str| rows.lines().filter(|line| line.starts_with(&format!("{{\"{key}\":"))).count();
    assert_eq!((with("cell"), with("seed")), (2, 2 * 24));
}

#[test]
fn lock_takes_classes_and_exclusions() {
    let sandbox = Sandbox::new();
    sandbox.succeed(&["run", "quiet", "--lock", "none,@consensus,!etcd,!hazelcast-cp", "--seeds", "1", "--out", "out"]);
    let run: serde_json::Value = serde_json::from_str(&sandbox.read("out/run.json")).expect("run.json is valid JSON");
    assert_eq!(run["locks"], serde_json::json!(["none", "zookeeper", "consul", "chubby"]));
    let command = "fencepost run quiet --seeds 0..1 --lock 'none,@consensus,!etcd,!hazelcast-cp'";
    assert_eq!(run["command"], command);
}

#[test]
fn without_out_each_run_gets_its_own_directory() {
    let sandbox = Sandbox::new();
    let ran = sandbox.succeed(&["run", "quiet", "--lock", "none", "--seeds", "2"]);
    let latest = sandbox.path("fencepost-out/latest");
    assert!(latest.join("run.json").exists());
    let target = fs::read_link(latest).expect("latest is a link");
    assert!(ran.out.trim_end().ends_with(&format!("fencepost-out/{}/report.html", target.display())), "{}", ran.out);
}

#[test]
fn the_number_of_threads_does_not_change_the_results() {
    let sandbox = Sandbox::new();
    let one = sandbox.succeed(&run(&PAUSES, &["--jobs", "1", "--out", "one", "--format", "json"]));
    let two = sandbox.succeed(&run(&PAUSES, &["--jobs", "2", "--out", "two", "--format", "json"]));
    assert_eq!(one.out, two.out);
    assert_eq!(sandbox.read("one/results.jsonl"), sandbox.read("two/results.jsonl"));
    assert_eq!(sandbox.read("one/report.html"), sandbox.read("two/report.html"));
}

#[test]
fn an_interrupted_run_resumes_after_its_last_row() {
    let sandbox = Sandbox::new();
    let resume = run(&PAUSES, &["--out", "out", "--resume", "--format", "json"]);
    let whole = sandbox.succeed(&resume);
    let rows = sandbox.read("out/results.jsonl");
    for cut in [0, 100, rows.len() / 2, rows.len() - 1, rows.len()] {
        fs::write(sandbox.path("out/results.jsonl"), &rows.as_bytes()[..cut]).expect("a file can be written");
        let resumed = sandbox.succeed(&resume);
        assert_eq!(sandbox.read("out/results.jsonl"), rows, "cut at {cut}");
        assert_eq!(resumed.out, whole.out, "cut at {cut}");
    }
    let other = sandbox.run(&["run", "client-pauses", "--seeds", "25", "--out", "out", "--resume"]);
    assert_eq!(other.code, Some(2));
    assert!(other.err.contains("`seeds`"), "{}", other.err);
    let without_resume = sandbox.run(&run(&PAUSES, &["--out", "out"]));
    assert_eq!((without_resume.code, without_resume.err.contains("not empty")), (Some(2), true));
}

#[test]
fn stop_rules_do_not_depend_on_the_number_of_threads() {
    let sandbox = Sandbox::new();
    for (rule, name) in [(&["--until-violation"][..], "violation"), (&["--until-interval", "0.6"], "interval")] {
        let cases = ["1", "2"].map(|jobs| {
            let out = format!("{name}-{jobs}");
            let more = [rule, &["--jobs", jobs, "--out", &out, "--format", "json"]].concat();
            let json = sandbox.succeed(&run(&PAUSES, &more)).json();
            assert!(json["cells"][0]["cases"].as_u64() < Some(24), "{name} stops early");
            sandbox.read(&format!("{out}/results.jsonl"))
        });
        assert_eq!(cases[0], cases[1], "{name}");
    }
}

#[test]
fn a_violation_of_a_named_or_expected_property_exits_with_100() {
    let sandbox = Sandbox::new();
    let named = sandbox.run(&run(&PAUSES, &["--out", "a", "--fail-on", "no-lost-update", "--format", "json"]));
    assert_eq!(named.code, Some(100), "{}", named.err);
    let first = named.json()["cells"][0]["properties"]["no-lost-update"]["first_seed"].clone();
    assert!(named.err.contains("to reproduce: fencepost replay client-pauses/none/"), "{}", named.err);
    assert!(named.err.contains("no-lost-update is violated (named by --fail-on)"), "{} {first}", named.err);

    let text = "run_for = \"20s\"\n[clients]\norders = 20\nhold = \"50ms\"\n[workload.inventory]\nstock = 10\n";
    sandbox.write("mine.toml", &format!("{text}[expect]\nnone = {{ effect-exclusion = \"holds\" }}\n"));
    let expected = sandbox.run(&["run", "mine.toml", "--seeds", "5", "--lock", "none", "--out", "b"]);
    assert_eq!(expected.code, Some(100), "{}", expected.err);
    assert!(expected.err.contains("to reproduce: fencepost replay mine.toml/none/0"), "{}", expected.err);
    let replayed = sandbox.run(&["replay", "mine.toml/none/0"]);
    assert_eq!(replayed.code, Some(100), "{}", replayed.err);

    let unnamed = sandbox.run(&run(&PAUSES, &["--out", "c"]));
    assert_eq!(unnamed.code, Some(0), "violations that are not named do not fail the run");
    assert!(unnamed.out.contains("to reproduce: fencepost replay client-pauses/none/"), "{}", unnamed.out);
}

#[test]
fn idle_faults_cause_a_warning() {
    let sandbox = Sandbox::new();
    let text = "run_for = \"20s\"\n[clients]\norders = 3\n[[fault.pause]]\ntarget = \"client-1\"\nat = \"19s\"\n\
                lasts = \"1ms\"\n";
    sandbox.write("idle.toml", text);
    let ran = sandbox.succeed(&["run", "idle.toml", "--seeds", "5", "--lock", "redis-set-px", "--out", "a"]);
    assert!(ran.err.contains("warning: idle: no fault touched anything in 5 of 5 cases"), "{}", ran.err);
}

#[test]
fn a_lock_with_a_new_meaning_is_noted_once() {
    let sandbox = Sandbox::new();
    let text = "run_for = \"5s\"\n[clients]\norders = 3\n";
    sandbox.write("a.toml", text);
    sandbox.write("b.toml", &format!("locks = [\"hazelcast\"]\n{text}"));
    let notes = |what: &[&str]| {
        let arguments = [&["run", "--seeds", "1", "--out"], what].concat();
        sandbox.succeed(&arguments).err.matches("note: `hazelcast` is now").count()
    };
    assert_eq!(notes(&["1", "a.toml", "--lock", "hazelcast,hazelcast-cp"]), 1);
    assert_eq!(notes(&["2", "b.toml"]), 1);
    assert_eq!(notes(&["3", "a.toml", "--lock", "hazelcast-cp"]), 0);
}
