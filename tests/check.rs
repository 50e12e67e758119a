//! `check`, and the histories that `replay` writes for it.

mod support;

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
    for words in ["h.jsonl:4:", "unknown variant `aquire`", "`acquire`, `release` or `expire`"] {
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
