//! replay, verify, merge, report, list, schema, completions and new.

mod support;

use support::{PAUSES, Place, run};

#[test]
fn a_case_replays_the_same_and_a_reproducer_says_if_not() {
    let place = Place::new();
    let json = place.done(&["replay", "quiet/redis-set-px/17", "--format", "json", "--trace", "t.jsonl"]).json();
    for key in ["scenario", "lock", "seed", "layout", "trace", "verdicts", "violations", "metrics", "faults"] {
        assert!(!json[key].is_null(), "{key}");
    }
    let trace = json["trace"].as_str().expect("there is a hash");
    let lines: Vec<serde_json::Value> =
        place.read("t.jsonl").lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    assert_eq!(Some(lines.len() as u64 - 1), json["events"].as_u64(), "a line for the nodes, then one for each event");
    let times: Vec<u64> = lines.iter().filter_map(|line| line["t_ns"].as_u64()).collect();
    assert!(times.len() == lines.len() && times.is_sorted());
    assert!(place.done(&["replay", "quiet/redis-set-px/17"]).out.contains(trace));

    let quiet = fencepost::shipped::scenario("quiet").expect("it is shipped");
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
        ("mended.toml", pinned(trace, layout, "violated"), 5),
    ] {
        place.write(name, &text);
        let ran = place.run(&["replay", name]);
        assert_eq!(ran.code, Some(code), "{name}: {}", ran.err);
        assert_eq!(ran.err.contains(&format!("to reproduce: fencepost replay {name}")), code != 0, "{}", ran.err);
    }
}

#[test]
fn replay_judges_what_it_is_told_to() {
    let place = Place::new();
    assert_eq!(place.run(&["replay", "client-pauses/none/1"]).code, Some(0));
    let ran = place.run(&["replay", "client-pauses/none/1", "--fail-on", "any"]);
    assert_eq!(ran.code, Some(100), "{}", ran.err);
    assert!(ran.err.ends_with("to reproduce: fencepost replay client-pauses/none/1\n"), "{}", ran.err);
}

#[test]
fn what_a_case_of_a_swarm_drew_is_told_with_it() {
    let place = Place::new();
    let case = "swarm-inventory/redis-set-px/3";
    let json = place.done(&["replay", case, "--format", "json", "--trace", "t.jsonl"]).json();
    let choice = json["swarm"].as_str().expect("it says what it drew");
    assert!(choice.contains("clients") && choice.contains("; "), "{choice}");
    let all = json["faults"].as_object().expect("it has faults");
    assert!(all.len() > 10 && all.values().any(|fault| fault["planned"] == 0), "not all were drawn");
    let told = place.done(&["replay", case]).out;
    assert!(told.contains("This case of the swarm drew"), "{told}");
    assert!(told.contains(json["trace"].as_str().expect("there is a hash")), "it is the same case");
    let ran = place.done(&["run", "swarm-inventory", "--lock", "redis-set-px", "--seeds", "3", "--format", "json"]);
    assert_eq!(ran.json()["cells"][0]["swarm"], true);
    assert!(ran.err.contains("its rates stand apart"), "{}", ran.err);
    assert!(place.done(&["replay", "quiet/none/1", "--format", "json"]).json()["swarm"].is_null());
}

#[test]
fn cases_come_out_the_same_in_two_processes() {
    let place = Place::new();
    let ran = place.done(&["verify", "--seeds", "2"]);
    assert!(ran.out.contains("came out the same in both processes"), "{}", ran.out);
    assert!(place.done(&["verify", "client-pauses/redlock/3"]).out.starts_with("all 1 cases"));
}

#[test]
fn merged_shards_are_the_whole_run() {
    let place = Place::new();
    place.done(&run(&PAUSES, &["--out", "whole"]));
    for shard in ["1/3", "2/3", "3/3"] {
        place.done(&run(&PAUSES, &["--out", &format!("s{}", &shard[..1]), "--shard", shard]));
    }
    place.done(&["merge", "s2", "s3", "s1", "--out", "merged"]);
    for file in ["results.jsonl", "report.html"] {
        assert_eq!(place.read(&format!("merged/{file}")), place.read(&format!("whole/{file}")), "{file}");
    }
    for (dirs, word) in [
        (vec!["s1", "s3"], "shard 2/3 is missing"),
        (vec!["s1", "s2", "s3", "s1"], "shard 1/3 is there more than once: s1, s1"),
        (vec!["s1", "whole"], "`shard` differs"),
    ] {
        let ran = place.run(&[&["merge"], dirs.as_slice(), &["--out", "no"]].concat());
        assert_eq!(ran.code, Some(2), "{dirs:?}: {}", ran.err);
        assert!(ran.err.contains(word) && !place.path("no").exists(), "{}", ran.err);
    }
}

#[test]
fn a_report_can_be_written_again() {
    let place = Place::new();
    place.done(&run(&PAUSES, &["--out", "out"]));
    let page = place.read("out/report.html");
    place.done(&["report", "out", "--out", "elsewhere"]);
    assert_eq!(place.read("elsewhere/report.html"), page);
}

#[test]
fn lists_say_what_there_is() {
    let place = Place::new();
    for what in ["locks", "scenarios", "suites", "faults", "workloads", "properties", "bugs"] {
        let json = place.done(&["list", what, "--format", "json"]).json();
        let entries = json.as_array().expect("a list is an array");
        let human = place.done(&["list", what]).out;
        assert!(!entries.is_empty(), "{what}");
        for entry in entries {
            let name = entry["name"].as_str().expect("an entry has a name");
            assert!(human.contains(name) && entry["about"].is_string(), "{what}: {name}");
        }
    }
}

#[test]
fn presets_stand_with_their_kinds_in_the_list_and_in_the_schema() {
    let place = Place::new();
    let (listed, human) =
        (place.done(&["list", "faults", "--format", "json"]).json(), place.done(&["list", "faults"]).out);
    let schema = place.done(&["schema"]).json();
    for kind in listed.as_array().expect("a list is an array") {
        let presets = kind["presets"].as_array().expect("each kind says its presets");
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
fn schema_and_completions_print() {
    let place = Place::new();
    assert_eq!(place.done(&["schema"]).json()["title"], "A fencepost scenario");
    assert_eq!(place.done(&["schema", "--suite"]).json()["title"], "A fencepost suite");
    assert!(place.done(&["completions", "bash"]).out.contains("fencepost"));
}

#[test]
fn new_writes_what_runs() {
    let place = Place::new();
    let said = place.done(&["new", "mine"]).out;
    assert!(said.contains("fencepost run mine/my-scenario.toml"), "{said}");
    let locks = ["--lock", "sql-for-update,redis-set-px", "--seeds", "3"];
    place.done(&[&["run", "mine/my-suite.toml", "--out", "a"], &locks[..]].concat());
    place.done(&[&["run", "mine/my-scenario.toml", "--out", "b"], &locks[..]].concat());
    let again = place.run(&["new", "mine"]);
    assert_eq!(again.code, Some(2), "{}", again.err);
}

#[test]
fn help_and_version_are_no_failures() {
    let place = Place::new();
    assert_eq!(place.run(&["--version"]).code, Some(0));
    assert_eq!(place.run(&["help"]).code, Some(0));
    assert_eq!(place.run(&["run", "--help"]).code, Some(0));
}
