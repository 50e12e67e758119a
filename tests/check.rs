//! `check`, and the histories that `replay` writes for it.

mod support;

use std::process::Stdio;

use support::Place;

const HELD_TWICE: &str = r#"{"process":"a","type":"invoke","f":"acquire"}
{"process":"a","type":"ok","f":"acquire","token":33}
{"process":"b","type":"invoke","f":"acquire"}
{"process":"b","type":"ok","f":"acquire","token":34}
"#;

#[test]
fn a_history_without_a_legal_order_exits_with_100_and_says_where() {
    let place = Place::new();
    place.write("h.jsonl", HELD_TWICE);
    let ran = place.run(&["check", "h.jsonl", "--spec", "fenced"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(100), ""));
    for words in ["not linearizable", "no place for  lines 3–4     b acquires, token 34", "a holds the lock"] {
        assert!(ran.out.contains(words), "{words}: {}", ran.out);
    }
    let json = place.run(&["check", "h.jsonl", "--spec", "fenced", "--format", "json"]);
    assert_eq!((json.code, json.json()["verdict"].as_str()), (Some(100), Some("violated")));
    assert!(!json.out.contains("h.jsonl"), "no path goes to stdout as JSON");
}

#[test]
fn a_history_with_one_exits_with_0() {
    let place = Place::new();
    place.write("h.jsonl", HELD_TWICE);
    assert!(place.done(&["check", "h.jsonl", "--spec", "semaphore", "--permits", "2"]).out.starts_with("linearizable"));
    let expires = HELD_TWICE.replacen(
        "{\"process\":\"b\"",
        "{\"process\":0,\"type\":\"invoke\",\"f\":\"expire\",\"owner\":\"a\"}\n{\"process\":\"b\"",
        1,
    );
    place.write("h.jsonl", &expires);
    for spec in ["mutex", "owner", "reentrant", "fenced", "reentrant-fenced"] {
        assert!(place.done(&["check", "h.jsonl", "--spec", spec]).out.starts_with("linearizable: 3 operations"));
    }
}

#[test]
fn what_was_not_found_out_is_said_plainly() {
    let place = Place::new();
    place.write("h.jsonl", HELD_TWICE);
    let ran = place.done(&["check", "h.jsonl", "--spec", "owner", "--budget", "1"]);
    assert!(ran.out.starts_with("unknown") && ran.err.contains("raise --budget"), "{}{}", ran.out, ran.err);
}

#[test]
fn mistakes_are_shown_in_their_lines_with_a_remedy() {
    let place = Place::new();
    place.write("h.jsonl", &HELD_TWICE.replace("\"f\":\"acquire\",\"token\":34", "\"f\":\"aquire\""));
    let ran = place.run(&["check", "h.jsonl", "--spec", "fenced"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
    for words in ["h.jsonl:4:", "`aquire` is no `f`", "`acquire`, `release` or `expire`"] {
        assert!(ran.err.contains(words), "{words}: {}", ran.err);
    }
    let ran = place.run(&["check", "none.jsonl", "--spec", "fenced"]);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    let ran = place.run(&["check", "h.jsonl", "--spec", "fence"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("reentrant-fenced, semaphore"), "{}", ran.err);
}

#[test]
fn what_jepsen_writes_is_read_by_its_ending() {
    let place = Place::new();
    place.write(
        "history.edn",
        "{:type :invoke, :f :acquire, :process 0}\n{:type :info, :f :kill, :process :nemesis}\n\
         {:type :ok, :f :acquire, :process 0, :value 7}\n",
    );
    place.done(&["check", "history.edn", "--spec", "fenced"]);
}

/// Pauses break what clients of a lease may rely on, and not what its service does.
#[test]
fn a_case_writes_its_own_history() {
    let place = Place::new();
    place.done(&["replay", "client-pauses/etcd/3", "--format", "json", "--history", "etcd.jsonl"]);
    place.done(&["check", "etcd.jsonl", "--spec", "owner"]);
    let expiries = |line: &&str| line.contains("expire");
    let text = place.read("etcd.jsonl");
    assert!(text.lines().any(|line| expiries(&line)), "no lease ran out");
    let without: Vec<&str> = text.lines().filter(|line| !expiries(line)).collect();
    place.write("without.jsonl", &without.join("\n"));
    assert_eq!(place.run(&["check", "without.jsonl", "--spec", "owner"]).code, Some(100));
}

#[test]
fn names_that_are_no_text_are_a_mistake_and_not_one_name() {
    let place = Place::new();
    let history = HELD_TWICE.replace("\"b\"", "\"o?\"");
    let bytes: Vec<u8> = history.bytes().map(|byte| if byte == b'?' { 0xff } else { byte }).collect();
    std::fs::write(place.path("h.jsonl"), bytes).expect("there is room for a file");
    let ran = place.run(&["check", "h.jsonl", "--spec", "owner"]);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    assert!(ran.err.contains("h.jsonl:3:") && ran.err.contains("not UTF-8"), "{}", ran.err);
}

#[test]
fn of_a_long_line_only_the_place_is_shown() {
    let place = Place::new();
    place.write("h.jsonl", &format!("{{\"process\":1,\"type\":\"invoke\",\"f\":\"{}\"}}\n", "x".repeat(1_000_000)));
    let ran = place.run(&["check", "h.jsonl", "--spec", "owner"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.len() < 5_000 && ran.err.contains("is no `f`"), "{} bytes", ran.err.len());
}

#[test]
fn a_reader_who_has_seen_enough_changes_no_exit_code() {
    let place = Place::new();
    place.write("h.jsonl", "[]\n{}\n");
    let mut check = place.command(&["check", "h.jsonl", "--spec", "owner"]);
    let mut check = check.stderr(Stdio::piped()).spawn().expect("the program starts");
    drop(check.stderr.take());
    assert_eq!(check.wait().expect("it ends").code(), Some(2));
}

/// The recipe of docs/histories.md, with a process for each expiry.
#[test]
fn leases_that_may_have_ended_at_any_time_are_checked() {
    let place = Place::new();
    let lease = |n: u32| {
        let owner = n % 3;
        format!(
            "{{\"process\":{owner},\"type\":\"invoke\",\"f\":\"acquire\"}}\n\
             {{\"process\":{owner},\"type\":\"ok\",\"f\":\"acquire\"}}\n\
             {{\"process\":\"lease-{n}\",\"type\":\"invoke\",\"f\":\"expire\",\"owner\":{owner}}}\n"
        )
    };
    place.write("h.jsonl", &(0..20_000).map(lease).collect::<String>());
    assert!(place.done(&["check", "h.jsonl", "--spec", "owner"]).out.starts_with("linearizable"));
}
