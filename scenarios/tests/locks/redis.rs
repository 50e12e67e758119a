//! The locks on Redis.

use fencepost_scenarios::property::Property::{
    BeliefExclusion, EffectExclusion, Fencing, GrantExclusion, NoLostUpdate, OwnerRelease, Progress, Reentrancy,
    Takeover,
};
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::cell::Cell;
use fencepost_testkit::{altered, parse, run, shipped};

const LOCKS: [&str; 12] = [
    "redis-setnx",
    "redis-setnx-expire",
    "redis-set-px-del",
    "redis-set-px",
    "redis-set-px:docs",
    "redis-set-px:docs-deadline",
    "redis-set-px:redislock",
    "redis-set-px:spring",
    "redisson",
    "redisson-fenced",
    "redlock",
    "redlock:paper",
];

#[test]
fn without_faults_every_lock_holds_everything() {
    for lock in LOCKS {
        run(&shipped("quiet"), lock, 20).holds_everything();
    }
}

#[test]
fn acquiring_again_behaves_as_documented() {
    for lock in LOCKS {
        run(&shipped("reentrant"), lock, 20).never_violates(&[Reentrancy, GrantExclusion, OwnerRelease, Progress]);
    }
}

#[test]
fn a_crashed_holder_is_replaced_in_time_if_the_key_expires() {
    for lock in &LOCKS[1..] {
        run(&shipped("crash-takeover"), lock, 20).never_violates(&[Takeover, Progress]);
    }
}

#[test]
fn setnx_without_expiry_outlasts_every_pause_and_every_holder() {
    let paused = run(&shipped("client-pauses"), "redis-setnx", 50);
    paused.never_violates(&[GrantExclusion, BeliefExclusion, EffectExclusion, OwnerRelease, NoLostUpdate]);
    run(&shipped("crash-takeover"), "redis-setnx", 20).violates(&[Takeover, Progress]);
    run(&shipped("client-crashes"), "redis-setnx", 20).violates(&[Progress]);
}

/// With such a high latency to Redis, some clients crash between two commands.
const CRASHES_FAR_AWAY: &str = r#"
name = "crashes-far-away"
run_for = "120s"

[clients]
count = 4
think = "exp(100ms)"
hold = "0ms..100ms"
wait_at_most = "60s"

[lock]
ttl = "5s"

[workload.inventory]
stock = 100000
update = "decrement"

[network]
latency = "20ms..60ms"

[[fault.crash]]
target = "client:any"
every = "exp(2s)"
restart_after = "1s"
"#;

#[test]
fn a_crash_between_setnx_and_expire_leaves_the_lock_held_forever() {
    run(CRASHES_FAR_AWAY, "redis-setnx-expire", 30).violates(&[Progress]);
    run(CRASHES_FAR_AWAY, "redis-set-px", 30).never_violates(&[Progress, Takeover]);
    run(&shipped("client-pauses"), "redis-setnx-expire", 30).violates(&[EffectExclusion, OwnerRelease]);
}

#[test]
fn redisson_renews_during_slow_work_but_not_during_pauses() {
    for lock in ["redisson", "redisson-fenced"] {
        run(&shipped("slow-work"), lock, 30).holds_everything();
        let paused = run(&shipped("client-pauses"), lock, 50);
        paused.violates(&[BeliefExclusion, EffectExclusion, NoLostUpdate]);
        paused.never_violates(&[GrantExclusion, OwnerRelease, Progress]);
    }
}

#[test]
fn a_lease_is_not_renewed_and_the_fenced_lock_ignores_it() {
    let leased = |lock: &str| {
        let lease = format!("\n[lock.{lock}]\nlease = \"3s\"\n\n[workload.inventory]");
        run(&altered("slow-work", &[("\n[workload.inventory]", &lease)]), lock, 30)
    };
    leased("redisson").violates(&[BeliefExclusion, EffectExclusion]);
    leased("redisson-fenced").holds_everything();
}

#[test]
fn redissons_tokens_fence_as_long_as_redis_keeps_them() {
    let fenced = run(&shipped("fence-reads"), "redisson-fenced", 50);
    fenced.violates(&[BeliefExclusion]).never_violates(&[EffectExclusion, Fencing, NoLostUpdate]);
    run(&shipped("server-restarts"), "redisson-fenced", 20).violates(&[Fencing]);
    let durable = with_key("server-restarts", "redisson-fenced", "persistence = \"always\"");
    run(&durable, "redisson-fenced", 20).never_violates(&[GrantExclusion, Fencing]);
}

#[test]
fn a_late_get_token_returns_another_holders_token() {
    let asked = with_key("client-pauses", "redisson-fenced", "get_token = true");
    run(&asked, "redisson-fenced", 50).violates(&[Fencing]);
    run(&shipped("client-pauses"), "redisson-fenced", 50).never_violates(&[Fencing]);
}

/// The check of these libraries asks the server.
#[test]
fn a_check_at_the_server_detects_an_expired_key() {
    for lock in ["redis-set-px", "redis-set-px:redislock", "redisson", "redisson-fenced"] {
        let checked = run(&shipped("client-pauses-checked"), lock, 50);
        checked.violates(&[BeliefExclusion]).never_violates(&[EffectExclusion, NoLostUpdate]);
        run(&shipped("pause-after-check"), lock, 20).violates(&[EffectExclusion, NoLostUpdate]);
    }
}

#[test]
fn a_library_without_a_check_is_not_checked() {
    let registry = Registry::standard();
    let scenario = parse(&shipped("client-pauses-checked"));
    let without = ["none", "redis-setnx", "redis-setnx-expire", "redis-set-px-del", "redis-set-px:docs"];
    for lock in without.into_iter().chain(["redis-set-px:spring", "redlock:redlock-py"]) {
        let cell = Cell::new(&scenario, registry.lock(lock).expect("a lock of this registry"), &[]);
        assert!(!cell.header.applicable, "{lock}");
    }
}

/// The second acquire reaches Redis, and its reply is late.
const LOST_REPLY: &str = r#"
name = "lost-reply"
run_for = "25s"

[clients]
count = 1
think = "1ms"
orders = 2
wait_at_most = "20s"

[lock]
ttl = "30s"

[workload.inventory]
stock = 10

[[fault.hold]]
from = "redis-1"
to = "client-1"
both_ways = false
on = { client = "client-1", event = "acquire-sent", nth = 2 }
lasts = "7s"
"#;

#[test]
fn a_repeated_acquire_finds_its_own_key() {
    assert_eq!(run(LOST_REPLY, "redis-set-px", 5).total("acked_orders"), 5);
    for lock in ["redis-set-px:redislock", "redis-set-px:spring"] {
        assert_eq!(run(LOST_REPLY, lock, 5).total("acked_orders"), 10, "{lock}");
    }
}

/// A holder works for 60 s. Redis refuses it for 12 s, from before its first renewal on, and keeps its keys.
const OUTAGE: &str = r#"
name = "outage"
run_for = "200s"

[clients]
count = 2
orders = 2
think = "1ms"
hold = "60s"
wait_at_most = "150s"

[workload.inventory]
stock = 10

[lock.redisson]
persistence = "always"

[lock.redisson-fenced]
persistence = "always"

[[fault.crash]]
target = "redis-1"
at = "9s"
restart_after = "12s"
"#;

#[test]
fn redissons_watchdog_repeats_a_renewal_that_got_no_reply() {
    for lock in ["redisson", "redisson-fenced"] {
        run(OUTAGE, lock, 20).never_violates(&[BeliefExclusion, EffectExclusion, NoLostUpdate]);
    }
}

#[test]
fn redlock_needs_persistence_or_delayed_restarts() {
    run(&shipped("server-restarts"), "redlock:paper", 30).violates(&[GrantExclusion, EffectExclusion]);
    for key in ["persistence = \"always\"", "delayed_restart = true"] {
        let text = with_key("server-restarts", "redlock", key);
        let seen = run(&text, "redlock:paper", 30);
        seen.never_violates(&[GrantExclusion, BeliefExclusion, EffectExclusion, NoLostUpdate, Progress]);
    }
}

#[test]
fn redlock_needs_extension_during_slow_work() {
    run(&shipped("slow-work"), "redlock:paper", 30).violates(&[EffectExclusion]);
    let extended = with_key("slow-work", "redlock", "extend = \"500ms\"");
    run(&extended, "redlock:paper", 30).never_violates(&[
        GrantExclusion,
        BeliefExclusion,
        EffectExclusion,
        NoLostUpdate,
        Progress,
    ]);
}

/// Returns a shipped scenario with a parameter of the lock.
fn with_key(name: &str, lock: &str, key: &str) -> String {
    altered(name, &[("\n[workload.inventory]", &format!("\n[lock.{lock}]\n{key}\n\n[workload.inventory]"))])
}
