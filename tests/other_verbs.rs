//! replay, verify, merge, report, list, schema, completions and new.

mod support;

use support::{PAUSES, Sandbox, run};

#[test]
fn replay_compares_a_case_with_its_reproducer() {
    let sandbox = Sandbox::new();
    let json = sandbox.succeed(&["replay", "quiet/redis-set-px/17", "--format", "json", "--trace", "t.jsonl"]).json();
    for key in ["scenario", "lock", "seed", "layout", "trace", "verdicts", "violations", "metrics", "faults"] {
        assert!(!json[key].is_null(), "{key}");
    }
    let trace = json["trace"].as_str().expect("trace is a string");
    let lines: Vec<serde_json::Value> =
        sandbox.read("t.jsonl").lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
    assert_eq!(Some(lines.len() as u64 - 1), json["events"].as_u64(), "a header line, then one line for each event");
    let times: Vec<u64> = lines.iter().filter_map(|line| line["t_ns"].as_u64()).collect();
    assert!(times.len() == lines.len() && times.is_sorted());
    assert!(sandbox.succeed(&["replay", "quiet/redis-set-px/17"]).out.contains(trace));

    let quiet = fencepost::shipped::scenario("quiet").expect("a shipped scenario");
    let pinned = |trace: &str, layout: u32, verdict: &str| {
        format!(
            "{quiet}\n[case]\nlock = \"redis-set-px\"\nseed = 17\nbugs = []\nlayout = {layout}\ntrace = \"{trace}\"\n\
             [case.expect]\nno-lost-update = \"{verdict}\"\n"
        )
    };
    let layout = fencepost::sim::LAYOUT;
    let other = "xxh3:00000000000000000000000000000000";
    for (name, text, code) in [
        ("same.toml", pinned(trace, layout, "holds"), 0),
        ("other.toml", pinned(other, layout, "holds"), 5),
        ("old.toml", pinned(other, layout + 1, "holds"), 0),
        ("fixed.toml", pinned(trace, layout, "violated"), 5),
    ] {
        sandbox.write(name, &text);
        let ran = sandbox.run(&["replay", name]);
        assert_eq!(ran.code, Some(code), "{name}: {}", ran.err);
        assert_eq!(ran.err.contains(&format!("to reproduce: fencepost replay {name}")), code != 0, "{}", ran.err);
    }
}

#[test]
fn replay_fails_only_on_named_violations() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["replay", "client-pauses/none/1"]).code, Some(0));
    let ran = sandbox.run(&["replay", "client-pauses/none/1", "--fail-on", "any"]);
    assert_eq!(ran.code, Some(100), "{}", ran.err);
    assert!(ran.err.ends_with("to reproduce: fencepost replay client-pauses/none/1\n"), "{}", ran.err);
}

#[test]
fn replay_prints_the_settings_of_a_swarm_case() {
    let sandbox = Sandbox::new();
    let case = "swarm-inventory/redis-set-px/3";
    let json = sandbox.succeed(&["replay", case, "--format", "json", "--trace", "t.jsonl"]).json();
    let choice = json["swarm"].as_str().expect("swarm is a string");
    assert!(choice.contains("clients") && choice.contains("; "), "{choice}");
    let all = json["faults"].as_object().expect("faults is an object");
    assert!(all.len() > 10 && all.values().any(|fault| fault["planned"] == 0), "some faults were not drawn");
    let log = sandbox.succeed(&["replay", case]).out;
    assert!(log.contains("This case of the swarm drew"), "{log}");
    assert!(log.contains(json["trace"].as_str().expect("trace is a string")), "the log shows the same case");
    let ran =
        sandbox.succeed(&["run", "swarm-inventory", "--lock", "redis-set-px", "--seeds", "3", "--format", "json"]);
    assert_eq!(ran.json()["cells"][0]["swarm"], true);
    assert!(ran.err.contains("its rates are listed separately"), "{}", ran.err);
    assert!(sandbox.succeed(&["replay", "quiet/none/1", "--format", "json"]).json()["swarm"].is_null());
}

#[test]
fn verify_compares_two_processes() {
    let sandbox = Sandbox::new();
    let ran = sandbox.succeed(&["verify", "smoke", "--seeds", "2"]);
    assert!(ran.out.starts_with("same hashes in both processes: "), "{}", ran.out);
    assert!(sandbox.succeed(&["verify", "client-pauses/redlock/3"]).out.ends_with(": 1 case\n"));
}

#[test]
fn merged_shards_equal_the_whole_run() {
    let sandbox = Sandbox::new();
    sandbox.succeed(&run(&PAUSES, &["--out", "whole"]));
    for shard in ["1/3", "2/3", "3/3"] {
        sandbox.succeed(&run(&PAUSES, &["--out", &format!("s{}", &shard[..1]), "--shard", shard]));
    }
    sandbox.succeed(&["merge", "s2", "s3", "s1", "--out", "merged"]);
    for file in ["results.jsonl", "report.html"] {
        assert_eq!(sandbox.read(&format!("merged/{file}")), sandbox.read(&format!("whole/{file}")), "{file}");
    }
    for (dirs, word) in [
        (vec!["s1", "s3"], "shard 2/3 is missing"),
        (vec!["s1", "s2", "s3", "s1"], "shard 1/3 is given more than once: s1, s1"),
        (vec!["s1", "whole"], "`shard` differs"),
    ] {
        let ran = sandbox.run(&[&["merge"], dirs.as_slice(), &["--out", "no"]].concat());
        assert_eq!(ran.code, Some(2), "{dirs:?}: {}", ran.err);
        assert!(ran.err.contains(word) && !sandbox.path("no").exists(), "{}", ran.err);
    }
}

#[test]
fn a_report_can_be_written_again() {
    let sandbox = Sandbox::new();
    sandbox.succeed(&run(&PAUSES, &["--out", "out"]));
    let page = sandbox.read("out/report.html");
    sandbox.succeed(&["report", "out", "--out", "elsewhere"]);
    assert_eq!(sandbox.read("elsewhere/report.html"), page);
}

#[test]
fn lists_contain_every_entry_with_name_and_description() {
    let sandbox = Sandbox::new();
    for what in ["locks", "scenarios", "suites", "faults", "workloads", "properties", "bugs", "classes"] {
        let json = sandbox.succeed(&["list", what, "--format", "json"]).json();
        let entries = json.as_array().expect("a list is an array");
        let human = sandbox.succeed(&["list", what]).out;
        assert!(!entries.is_empty(), "{what}");
        for entry in entries {
            let name = entry["name"].as_str().expect("an entry has a name");
            assert!(human.contains(name) && entry["about"].is_string(), "{what}: {name}");
        }
    }
}

#[test]
fn presets_are_listed_with_their_kinds_as_in_the_schema() {
    let sandbox = Sandbox::new();
    let (listed, human) =
        (sandbox.succeed(&["list", "faults", "--format", "json"]).json(), sandbox.succeed(&["list", "faults"]).out);
    let schema = sandbox.succeed(&["schema"]).json();
    for kind in listed.as_array().expect("a list is an array") {
        let presets = kind["presets"].as_array().expect("presets is an array");
        let known = schema.pointer(&format!(
            "/properties/fault/properties/{}/items/properties/preset/enum",
            kind["name"].as_str().expect("a name")
        ));
        let known: Vec<&serde_json::Value> = known.and_then(|names| names.as_array()).into_iter().flatten().collect();
        assert_eq!(presets.iter().map(|preset| &preset["name"]).collect::<Vec<_>>(), known, "{}", kind["name"]);
        for preset in presets {
            assert!(human.contains(preset["name"].as_str().expect("a name")) && preset["keys"].is_object());
            assert!(preset["source"].as_str().is_some_and(|source| !source.is_empty()), "{preset}");
        }
    }
}

#[test]
fn schema_and_completions_are_printed() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.succeed(&["schema"]).json()["title"], "A fencepost scenario");
    assert_eq!(sandbox.succeed(&["schema", "--suite"]).json()["title"], "A fencepost suite");
    assert!(sandbox.succeed(&["completions", "bash"]).out.contains("fencepost"));
}

#[test]
fn new_writes_files_that_run() {
    let sandbox = Sandbox::new();
    let out = sandbox.succeed(&["new", "mine"]).out;
    assert!(out.contains("fencepost run mine/my-scenario.toml"), "{out}");
    let locks = ["--lock", "sql-for-update,redis-set-px", "--seeds", "3"];
    sandbox.succeed(&[&["run", "mine/my-suite.toml", "--out", "a"], &locks[..]].concat());
    sandbox.succeed(&[&["run", "mine/my-scenario.toml", "--out", "b"], &locks[..]].concat());
    let again = sandbox.run(&["new", "mine"]);
    assert_eq!(again.code, Some(2), "{}", again.err);
}

#[test]
fn help_and_version_exit_with_0() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["--version"]).code, Some(0));
    assert_eq!(sandbox.run(&["help"]).code, Some(0));
    assert_eq!(sandbox.run(&["run", "--help"]).code, Some(0));
}
