//! `check`, and the histories that `replay --history` writes.

mod support;

use std::process::Stdio;

use support::Sandbox;

const HELD_TWICE: &str = r#"{"process":"a","type":"invoke","f":"acquire"}
{"process":"a","type":"ok","f":"acquire","token":33}
{"process":"b","type":"invoke","f":"acquire"}
{"process":"b","type":"ok","f":"acquire","token":34}
"#;

#[test]
fn a_history_that_is_not_linearizable_exits_with_100_and_names_the_operation() {
    let sandbox = Sandbox::new();
    sandbox.write("h.jsonl", HELD_TWICE);
    let ran = sandbox.run(&["check", "h.jsonl", "--spec", "fenced"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(100), ""));
    for words in ["not linearizable", "stuck at      lines 3–4     b acquires, token 34", "a holds the lock"] {
        assert!(ran.out.contains(words), "{words}: {}", ran.out);
    }
    let json = sandbox.run(&["check", "h.jsonl", "--spec", "fenced", "--format", "json"]);
    assert_eq!((json.code, json.json()["verdict"].as_str()), (Some(100), Some("violated")));
    assert!(!json.out.contains("h.jsonl"), "JSON contains no path");
}

#[test]
fn a_linearizable_history_exits_with_0() {
    let sandbox = Sandbox::new();
    sandbox.write("h.jsonl", HELD_TWICE);
    assert!(
        sandbox.succeed(&["check", "h.jsonl", "--spec", "semaphore", "--permits", "2"]).out.starts_with("linearizable")
    );
    let expires = HELD_TWICE.replacen(
        "{\"process\":\"b\"",
        "{\"process\":0,\"type\":\"invoke\",\"f\":\"expire\",\"owner\":\"a\"}\n{\"process\":\"b\"",
        1,
    );
    sandbox.write("h.jsonl", &expires);
    for spec in ["mutex", "owner", "reentrant", "fenced", "reentrant-fenced"] {
        let checked = sandbox.succeed(&["check", "h.jsonl", "--spec", spec]);
        assert!(checked.out.starts_with("linearizable: ") && checked.out.contains("3 operations"), "{}", checked.out);
    }
}

#[test]
fn an_exhausted_budget_gives_unknown_and_a_warning() {
    let sandbox = Sandbox::new();
    sandbox.write("h.jsonl", HELD_TWICE);
    let ran = sandbox.succeed(&["check", "h.jsonl", "--spec", "owner", "--budget", "1"]);
    assert!(ran.out.starts_with("unknown") && ran.err.contains("raise --budget"), "{}{}", ran.out, ran.err);
}

#[test]
fn errors_show_the_line_and_a_fix() {
    let sandbox = Sandbox::new();
    sandbox.write("h.jsonl", &HELD_TWICE.replace("\"f\":\"acquire\",\"token\":34", "\"f\":\"aquire\""));
    let ran = sandbox.run(&["check", "h.jsonl", "--spec", "fenced"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
    for words in ["h.jsonl:4:", "`aquire` is not an `f`", "`acquire`, `release` or `expire`"] {
        assert!(ran.err.contains(words), "{words}: {}", ran.err);
    }
    let ran = sandbox.run(&["check", "none.jsonl", "--spec", "fenced"]);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    let ran = sandbox.run(&["check", "h.jsonl", "--spec", "fence"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("reentrant-fenced, semaphore"), "{}", ran.err);
}

#[test]
fn edn_files_are_read_in_the_format_of_jepsen() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "history.edn",
        "{:type :invoke, :f :acquire, :process 0}\n{:type :info, :f :kill, :process :nemesis}\n\
         {:type :ok, :f :acquire, :process 0, :value 7}\n",
    );
    sandbox.succeed(&["check", "history.edn", "--spec", "fenced"]);
}

/// Pauses can outlast a client's lease, but the service still behaves as a lock.
#[test]
fn replay_writes_the_history_of_a_case() {
    let sandbox = Sandbox::new();
    sandbox.succeed(&["replay", "client-pauses/etcd/3", "--format", "json", "--history", "etcd.jsonl"]);
    sandbox.succeed(&["check", "etcd.jsonl", "--spec", "owner"]);
    let expiries = |line: &&str| line.contains("expire");
    let text = sandbox.read("etcd.jsonl");
    assert!(text.lines().any(|line| expiries(&line)), "no lease expired");
    let without: Vec<&str> = text.lines().filter(|line| !expiries(line)).collect();
    sandbox.write("without.jsonl", &without.join("\n"));
    assert_eq!(sandbox.run(&["check", "without.jsonl", "--spec", "owner"]).code, Some(100));
}

#[test]
fn names_that_are_not_utf8_are_rejected() {
    let sandbox = Sandbox::new();
    let history = HELD_TWICE.replace("\"b\"", "\"o?\"");
    let bytes: Vec<u8> = history.bytes().map(|byte| if byte == b'?' { 0xff } else { byte }).collect();
    std::fs::write(sandbox.path("h.jsonl"), bytes).expect("a file can be written");
    let ran = sandbox.run(&["check", "h.jsonl", "--spec", "owner"]);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    assert!(ran.err.contains("h.jsonl:3:") && ran.err.contains("not UTF-8"), "{}", ran.err);
}

#[test]
fn only_the_surroundings_of_a_mistake_in_a_long_line_are_shown() {
    let sandbox = Sandbox::new();
    sandbox.write("h.jsonl", &format!("{{\"process\":1,\"type\":\"invoke\",\"f\":\"{}\"}}\n", "x".repeat(1_000_000)));
    let ran = sandbox.run(&["check", "h.jsonl", "--spec", "owner"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.len() < 5_000 && ran.err.contains("is not an `f`"), "{} bytes", ran.err.len());
}

#[test]
fn a_closed_stderr_does_not_change_the_exit_code() {
    let sandbox = Sandbox::new();
    sandbox.write("h.jsonl", "[]\n{}\n");
    let mut check = sandbox.command(&["check", "h.jsonl", "--spec", "owner"]);
    let mut check = check.stderr(Stdio::piped()).spawn().expect("the program starts");
    drop(check.stderr.take());
    assert_eq!(check.wait().expect("the program exits").code(), Some(2));
}

/// Follows the recipe in docs/histories.md: a process for each expiry.
#[test]
fn leases_that_may_expire_at_any_time_are_checked() {
    let sandbox = Sandbox::new();
    let lease = |n: u32| {
        let owner = n % 3;
        format!(
            "{{\"process\":{owner},\"type\":\"invoke\",\"f\":\"acquire\"}}\n\
             {{\"process\":{owner},\"type\":\"ok\",\"f\":\"acquire\"}}\n\
             {{\"process\":\"lease-{n}\",\"type\":\"invoke\",\"f\":\"expire\",\"owner\":{owner}}}\n"
        )
    };
    sandbox.write("h.jsonl", &(0..20_000).map(lease).collect::<String>());
    assert!(sandbox.succeed(&["check", "h.jsonl", "--spec", "owner"]).out.starts_with("linearizable"));
}
