//! Bad input exits with 2 and prints the location and a fix. An empty selection exits with 4.

mod support;

use support::Sandbox;

#[track_caller]
fn rejects(arguments: &[&str], code: i32, words: &[&str]) {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(arguments);
    assert_eq!(ran.code, Some(code), "{arguments:?}: {}", ran.err);
    assert_eq!(ran.out, "", "{arguments:?}");
    for word in words {
        assert!(ran.err.contains(word), "{arguments:?} does not print {word}: {}", ran.err);
    }
    assert!(!sandbox.path("fencepost-out").exists(), "{arguments:?} writes no files");
}

#[test]
fn errors_in_a_scenario_show_the_location_and_a_fix() {
    let sandbox = Sandbox::new();
    sandbox.write("bad.toml", "run_for = \"60s\"\n[[fault.puase]]\ntarget = \"client:any\"\n[clients]\ncuont = 3\n");
    let ran = sandbox.run(&["run", "bad.toml"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{}", ran.err);
    for word in ["bad.toml:2:9", "did you mean `pause`?", "bad.toml:5:1", "`count`", "2 problems", "[[fault.puase]]"] {
        assert!(ran.err.contains(word), "{word}: {}", ran.err);
    }
}

#[test]
fn a_missing_scenario_is_located_in_its_suite() {
    let sandbox = Sandbox::new();
    sandbox.write("mine.toml", "name = \"mine\"\nscenarios = [\"quiet\", \"queit\", \"no.toml\"]\n");
    let ran = sandbox.run(&["run", "mine.toml"]);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    for word in ["mine.toml:2:23", "did you mean `quiet`?", "no.toml"] {
        assert!(ran.err.contains(word), "{word}: {}", ran.err);
    }
}

#[test]
fn unknown_names_suggest_the_most_similar_known_one() {
    rejects(&["run", "standrad"], 2, &["no suite or scenario is named `standrad`", "did you mean `standard`?"]);
    rejects(&["run", "--lock", "redlok"], 2, &["no lock is named `redlok`", "did you mean `redlock`?"]);
    rejects(&["run", "--lock", "@leese"], 2, &["no class of locks is named `@leese`", "did you mean `@lease`?"]);
    rejects(&["hunt", "--lock", "@all,!etdc"], 2, &["no lock is named `etdc`", "did you mean `etcd`?"]);
    rejects(&["explore", "quiet", "--lock", "@lease,!none"], 2, &["`!none` excludes no lock"]);
    rejects(&["run", "--lock", "etcd,!@consensus"], 2, &["`etcd` selects no lock"]);
    rejects(&["run", "--fail-on", "no-oversel"], 2, &["no property is named", "did you mean `no-oversell`?"]);
    rejects(&["run", "--bug", "x"], 2, &["no bug is named `x`"]);
    rejects(&["replay", "queit/none/1"], 2, &["no scenario is named", "did you mean `quiet`?"]);
    rejects(&["replay", "quiet/none1/1"], 2, &["no lock is named", "did you mean `none`?"]);
    rejects(&["verify", "standrad"], 2, &["did you mean `standard`?"]);
    rejects(&["list", "lokcs"], 2, &["'locks'"]);
    rejects(&["rnu"], 2, &["unrecognized subcommand"]);
}

#[test]
fn bad_values_are_usage_errors() {
    rejects(&["run", "--seeds", "9..5"], 2, &["did you mean `5..9`?"]);
    rejects(&["run", "--seeds", "many"], 2, &["not a whole number"]);
    rejects(&["run", "--shard", "0/4"], 2, &["`1/4`"]);
    rejects(&["run", "--jobs", "0"], 2, &["--jobs"]);
    rejects(&["run", "--resume"], 2, &["--out"]);
    rejects(&["run", "--until-interval", "2"], 2, &["between 0 and 1"]);
    rejects(&["run", "--until-interval", "0.1", "--until-violation"], 2, &["cannot be used with"]);
    rejects(&["run", "--shard", "1/2", "--until-violation"], 2, &["--shard cannot be used with"]);
    rejects(&["run", "missing.toml"], 2, &["missing.toml", "no such file"]);
    rejects(&["replay", "quiet/none"], 2, &["SCENARIO/LOCK/SEED"]);
    rejects(&["report", "missing"], 2, &["missing/run.json"]);
    rejects(&["merge", "missing", "--out", "x"], 2, &["missing/run.json"]);
    let bug = "counts-without-second-read";
    rejects(&["run", "--bug", bug, "--lock", "none"], 2, &["bug"]);
    rejects(&[], 2, &["Usage"]);
}

#[test]
fn nothing_selected_exits_with_4() {
    rejects(&["run", "--seeds", "0"], 4, &["nothing is selected"]);
    rejects(&["run", "--seeds", "5..5"], 4, &["nothing is selected"]);
    let sandbox = Sandbox::new();
    sandbox.write("mine.toml", "run_for = \"1s\"\nlocks = [\"redlock\"]\n");
    assert_eq!(sandbox.run(&["run", "mine.toml", "--lock", "none"]).code, Some(4));
    assert_eq!(sandbox.run(&["replay", "mine.toml/none/1"]).code, Some(4));
}

#[test]
fn flags_can_be_set_in_the_environment() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(&["run", "quiet"]);
    command.env("FENCEPOST_SEEDS", "3").env("FENCEPOST_LOCK", "none,redlock").env("FENCEPOST_FORMAT", "json");
    let ran: support::Finished = command.env("FENCEPOST_OUT", "here").output().expect("the program starts").into();
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!((ran.json()["cells"][1]["cases"].as_u64(), sandbox.path("here/run.json").exists()), (Some(3), true));
}

#[test]
fn seeds_that_are_too_large_are_rejected_by_every_verb() {
    let large = "18446744073709551615";
    rejects(&["explore", "explore-unguarded", "--seed", large], 2, &["is too large", "below 2^53"]);
    rejects(&["replay", "client-pauses/redis-set-px/9007199254740993"], 2, &["is too large"]);
    rejects(&["shrink", "client-pauses/redis-set-px/x"], 2, &["`x` is not a seed"]);
}

#[test]
fn each_bug_is_suggested_once() {
    let ran = Sandbox::new().run(&["run", "quiet", "--bug", "nope"]);
    assert_eq!(ran.err.matches("redisson-renewal-stops").count(), 1, "{}", ran.err);
}
