//! The ports of Redlock, each with its own clock, order, timeouts and extension.

use fencepost_scenarios::property::Property::{
    BeliefExclusion, EffectExclusion, GrantExclusion, NoLostUpdate, OwnerRelease, Progress, Reentrancy,
    ValidityExclusion,
};
use fencepost_testkit::{run, run_with_bugs, shipped};

const PORTS: [&str; 4] = ["redlock", "redlock:paper", "redlock:redlock-py", "redlock:redsync"];

#[test]
fn without_faults_every_port_holds_everything() {
    for port in PORTS {
        run(&shipped("quiet"), port, 20).holds_everything();
        run(&shipped("reentrant"), port, 20).never_violates(&[Reentrancy, GrantExclusion, OwnerRelease, Progress]);
    }
}

/// While the masters answer the first acquire of a client, its wall clock is set back by a minute.
const STEPS: &str = r#"
name = "steps"
run_for = "60s"

[clients]
count = 2
orders = 2
think = "1ms"
hold = "20s"
wait_at_most = "40s"

[lock]
ttl = "10s"

[workload.inventory]
stock = 10

[[fault.clock-step]]
target = "client-1"
on = { client = "client-1", event = "acquire-sent", nth = 1 }
by = "-60s"

[[fault.clock-step]]
target = "client-2"
on = { client = "client-2", event = "acquire-sent", nth = 1 }
by = "-60s"
"#;

#[test]
fn a_step_of_the_clients_clock_makes_redlock_py_overrate_its_validity() {
    run(STEPS, "redlock:redlock-py", 20).violates(&[ValidityExclusion]);
    for port in ["redlock:paper", "redlock:redsync"] {
        run(STEPS, port, 20).never_violates(&[ValidityExclusion]);
    }
}

/// A holder is cut off from the masters for 30 s, not from the store, and checks its lock before it writes.
const CUT_OFF: &str = r#"
name = "cut-off"
run_for = "90s"

[clients]
count = 2
orders = 2
think = "1ms"
hold = "25s"
wait_at_most = "80s"
check_before_write = true

[lock]
ttl = "10s"

[workload.inventory]
stock = 10

[[fault.partition]]
split = [["client-1"], ["redis-1", "redis-2", "redis-3", "redis-4", "redis-5"]]
on = { client = "client-1", event = "acquired", nth = 1 }
lasts = "30s"
"#;

#[test]
fn using_does_not_abort_the_signal_of_a_client_that_is_cut_off() {
    run(CUT_OFF, "redlock", 20).violates(&[BeliefExclusion, EffectExclusion, NoLostUpdate]);
    for port in ["redlock:paper", "redlock:redsync"] {
        run(CUT_OFF, port, 20).never_violates(&[EffectExclusion, NoLostUpdate]);
    }
}

#[test]
fn using_extends_the_lock_during_slow_work() {
    let slow = shipped("slow-work");
    run(&slow, "redlock", 30).never_violates(&[BeliefExclusion, EffectExclusion, NoLostUpdate]);
    for port in &PORTS[1..] {
        run(&slow, port, 30).violates(&[BeliefExclusion, EffectExclusion]);
    }
}

/// One master of five never answers.
const ONE_DOWN: &str = r#"
name = "one-down"
run_for = "60s"

[clients]
count = 2
orders = 4
think = "1ms"
wait_at_most = "50s"

[workload.inventory]
stock = 10

[[fault.crash]]
target = "redis-5"
at = "0s"
permanent = true
"#;

#[test]
fn redlock_py_cannot_lock_while_one_master_is_down() {
    assert_eq!(run(ONE_DOWN, "redlock:redlock-py", 5).total("acked_orders"), 0);
    for port in ["redlock:paper", "redlock:redsync"] {
        assert_eq!(run(ONE_DOWN, port, 5).total("acked_orders"), 20, "{port}");
    }
}

/// Two masters for, two against: node-redlock 5 waits for the fifth, on which its driver gives up after a minute.
#[test]
fn a_split_vote_of_node_redlock_waits_for_the_master_that_is_down() {
    let two_clients = run(ONE_DOWN, "redlock", 20).total("acked_orders");
    let one_client = run(&ONE_DOWN.replace("count = 2", "count = 1"), "redlock", 20).total("acked_orders");
    assert_eq!(one_client, 80);
    assert!(two_clients < 80, "{two_clients} of 80 orders");
}

#[test]
fn the_published_node_redlock_counts_from_before_its_retries() {
    let late = shipped("bug-redlock-expiry-before-retries");
    run(&late, "redlock", 5).violates(&[EffectExclusion]);
    run_with_bugs(&late, "redlock", &["!redlock-expiry-before-retries"], 5).never_violates(&[EffectExclusion]);
}
