//! Histories of the consensus stores' locks are linearizable under all faults, except with a bug that reports a grant
//! to a client after its end.

use fencepost_scenarios::property::Property::{GrantExclusion, Linearizable};
use fencepost_testkit::{run, run_with_bugs, shipped};

const STORES: [&str; 5] = ["zookeeper", "etcd", "consul", "chubby", "hazelcast-cp"];

const SCENARIO: &str = r#"
name = "linearizable"
about = "A test."
run_for = "60s"

[clients]
count = 4
think = "exp(200ms)"
hold = "0ms..2s"

[lock]
ttl = "5s"

[workload.inventory]
stock = 40
"#;

fn faults(kinds: &[(&str, &str, &str)]) -> String {
    let fault = |(kind, target, keys): &(&str, &str, &str)| format!("\n[[fault.{kind}]]\n{target}\n{keys}\n");
    SCENARIO.to_owned() + &kinds.iter().map(fault).collect::<String>()
}

#[test]
fn without_faults() {
    for lock in STORES {
        assert_eq!(run(&shipped("quiet"), lock, 5).never_violates(&[Linearizable]).decided(Linearizable), 5, "{lock}");
    }
}

#[test]
fn under_pauses_of_clients_and_servers() {
    let lasts = "every = \"exp(8s)\"\nlasts = \"2s..10s\"";
    let text = faults(&[
        ("pause", "name = \"c\"\ntarget = \"client:any\"", lasts),
        ("pause", "name = \"s\"\ntarget = \"server:leader\"", lasts),
    ]);
    for lock in STORES {
        assert_eq!(run(&text, lock, 20).never_violates(&[Linearizable]).decided(Linearizable), 20, "{lock}");
    }
}

#[test]
fn under_crashes_and_partitions() {
    let text = faults(&[
        ("crash", "name = \"c\"\ntarget = \"client:any\"", "every = \"exp(10s)\"\nrestart_after = \"3s\""),
        ("crash", "name = \"s\"\ntarget = \"server:any\"", "every = \"exp(15s)\"\nrestart_after = \"3s\""),
        ("partition", "shape = \"minority\"", "every = \"exp(15s)\"\nlasts = \"1s..10s\""),
    ]);
    for lock in STORES {
        run(&text, lock, 20).never_violates(&[Linearizable]);
    }
}

/// The service never has two holders, but it reports a grant to a client after the grant has ended.
#[test]
fn a_grant_reported_after_its_end_is_not_linearizable() {
    let pauses = [("pause", "target = \"client:any\"", "every = \"exp(10s)\"\nlasts = \"6s..15s\"")];
    let text = faults(&pauses);
    run_with_bugs(&text, "etcd", &["etcd-stale-grant"], 30).violates(&[Linearizable]).never_violates(&[GrantExclusion]);
    run(&text, "etcd", 30).never_violates(&[Linearizable]);
}

#[test]
fn other_locks_do_not_promise_linearizability() {
    for lock in ["none", "lease-server", "redis-set-px", "redlock", "pg-advisory", "sql-version"] {
        assert_eq!(run(&shipped("quiet"), lock, 1).never_violates(&[Linearizable]).decided(Linearizable), 0, "{lock}");
    }
}
