//! What is wrong with the input is said where it is wrong, with a remedy, and exits with 2; nothing selected with 4.

mod support;

use support::Place;

#[track_caller]
fn refused(arguments: &[&str], code: i32, words: &[&str]) {
    let place = Place::new();
    let ran = place.run(arguments);
    assert_eq!(ran.code, Some(code), "{arguments:?}: {}", ran.err);
    assert_eq!(ran.out, "", "{arguments:?}");
    for word in words {
        assert!(ran.err.contains(word), "{arguments:?} does not say {word}: {}", ran.err);
    }
    assert!(!place.path("fencepost-out").exists(), "{arguments:?} leaves nothing behind");
}

#[test]
fn a_bad_scenario_is_shown_with_position_and_help() {
    let place = Place::new();
    place.write("bad.toml", "run_for = \"60s\"\n[[fault.puase]]\ntarget = \"client:any\"\n[clients]\ncuont = 3\n");
    let ran = place.run(&["run", "bad.toml"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{}", ran.err);
    for word in ["bad.toml:2:9", "did you mean `pause`?", "bad.toml:5:1", "`count`", "2 problems", "[[fault.puase]]"] {
        assert!(ran.err.contains(word), "{word}: {}", ran.err);
    }
}

#[test]
fn a_suite_is_told_which_of_its_scenarios_is_missing() {
    let place = Place::new();
    place.write("mine.toml", "name = \"mine\"\nscenarios = [\"quiet\", \"queit\", \"no.toml\"]\n");
    let ran = place.run(&["run", "mine.toml"]);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    for word in ["mine.toml:2:23", "did you mean `quiet`?", "no.toml"] {
        assert!(ran.err.contains(word), "{word}: {}", ran.err);
    }
}

#[test]
fn unknown_names_get_the_nearest_known_one() {
    refused(&["run", "standrad"], 2, &["no suite or scenario is named `standrad`", "did you mean `standard`?"]);
    refused(&["run", "--lock", "redlok"], 2, &["no lock is named `redlok`", "did you mean `redlock`?"]);
    refused(&["run", "--fail-on", "no-oversel"], 2, &["no property is named", "did you mean `no-oversell`?"]);
    refused(&["run", "--bug", "x"], 2, &["no bug is named `x`"]);
    refused(&["replay", "queit/none/1"], 2, &["no scenario is named", "did you mean `quiet`?"]);
    refused(&["replay", "quiet/none1/1"], 2, &["no lock is named", "did you mean `none`?"]);
    refused(&["verify", "standrad"], 2, &["did you mean `standard`?"]);
    refused(&["list", "lokcs"], 2, &["'locks'"]);
    refused(&["rnu"], 2, &["unrecognized subcommand"]);
}

#[test]
fn bad_values_are_usage_errors() {
    refused(&["run", "--seeds", "9..5"], 2, &["did you mean `5..9`?"]);
    refused(&["run", "--seeds", "many"], 2, &["no whole number"]);
    refused(&["run", "--shard", "0/4"], 2, &["`1/4`"]);
    refused(&["run", "--jobs", "0"], 2, &["--jobs"]);
    refused(&["run", "--resume"], 2, &["--out"]);
    refused(&["run", "--until-interval", "2"], 2, &["between 0 and 1"]);
    refused(&["run", "--until-interval", "0.1", "--until-violation"], 2, &["cannot be used with"]);
    refused(&["run", "--shard", "1/2", "--until-violation"], 2, &["do not go together"]);
    refused(&["run", "missing.toml"], 2, &["missing.toml", "there is none of this name"]);
    refused(&["replay", "quiet/none"], 2, &["SCENARIO/LOCK/SEED"]);
    refused(&["report", "missing"], 2, &["missing/run.json"]);
    refused(&["merge", "missing", "--out", "x"], 2, &["missing/run.json"]);
    let bug = "counts-without-second-read";
    refused(&["run", "--bug", bug, "--lock", "none"], 2, &["bug"]);
    refused(&[], 2, &["Usage"]);
}

#[test]
fn nothing_selected_exits_with_4() {
    refused(&["run", "--seeds", "0"], 4, &["nothing is selected"]);
    refused(&["run", "--seeds", "5..5"], 4, &["nothing is selected"]);
    let place = Place::new();
    place.write("mine.toml", "run_for = \"1s\"\nlocks = [\"redlock\"]\n");
    assert_eq!(place.run(&["run", "mine.toml", "--lock", "none"]).code, Some(4));
    assert_eq!(place.run(&["replay", "mine.toml/none/1"]).code, Some(4));
}

#[test]
fn flags_come_from_the_environment_too() {
    let place = Place::new();
    let mut command = place.command(&["run", "quiet"]);
    command.env("FENCEPOST_SEEDS", "3").env("FENCEPOST_LOCK", "none,redlock").env("FENCEPOST_FORMAT", "json");
    let ran: support::Ran = command.env("FENCEPOST_OUT", "here").output().expect("the program starts").into();
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!((ran.json()["cells"][1]["cases"].as_u64(), place.path("here/run.json").exists()), (Some(3), true));
}

#[test]
fn a_seed_that_is_too_large_is_told_so_wherever_seeds_are_taken() {
    let large = "18446744073709551615";
    refused(&["explore", "explore-unguarded", "--seed", large], 2, &["is too large", "below 2^53"]);
    refused(&["replay", "client-pauses/redis-set-px/9007199254740993"], 2, &["is too large"]);
    refused(&["shrink", "client-pauses/redis-set-px/x"], 2, &["`x` is no seed"]);
}

#[test]
fn each_bug_is_offered_once() {
    let ran = Place::new().run(&["run", "quiet", "--bug", "nope"]);
    assert_eq!(ran.err.matches("redisson-renewal-stops").count(), 1, "{}", ran.err);
}
