//! What clients and service do to the locks of the consensus stores has a legal order, whatever the faults; and a bug
//! that tells a client of a grant that is over has none.

use fencepost_scenarios::property::Property::{GrantExclusion, Linearizable};
use fencepost_testkit::{run, run_with_bugs, shipped};

const STORES: [&str; 5] = ["zookeeper", "etcd", "consul", "chubby", "hazelcast"];

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

/// The service itself never has two holders, but it tells a client that it is one when it no longer is.
#[test]
fn a_grant_that_is_over_has_no_place_in_any_order() {
    let pauses = [("pause", "target = \"client:any\"", "every = \"exp(10s)\"\nlasts = \"6s..15s\"")];
    let text = faults(&pauses);
    run_with_bugs(&text, "etcd", &["etcd-stale-grant"], 30).violates(&[Linearizable]).never_violates(&[GrantExclusion]);
    run(&text, "etcd", 30).never_violates(&[Linearizable]);
}

#[test]
fn others_do_not_promise_it() {
    for lock in ["none", "lease-server", "redis-set-px", "redlock", "pg-advisory", "sql-version"] {
        assert_eq!(run(&shipped("quiet"), lock, 1).never_violates(&[Linearizable]).decided(Linearizable), 0, "{lock}");
    }
}
