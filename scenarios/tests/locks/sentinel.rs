//! `redis-sentinel`: what a failover costs, and what helps against it.

use std::time::Duration;

use fencepost_scenarios::property::Property::{
    BeliefExclusion, EffectExclusion, GrantExclusion, NoLostUpdate, OwnerRelease, Progress, Takeover, ValidityExclusion,
};
use fencepost_scenarios::run::case_result::CaseResult;
use fencepost_testkit::{Cases, run, shipped};

const LOCK: &str = "redis-sentinel";

/// Five busy clients for long enough that a failover comes and goes.
fn scenario(params: &str, faults: &str) -> String {
    format!(
        r#"
name = "sentinel"
about = "Clients of a Redis under Sentinels."
run_for = "150s"
[clients]
think = "exp(1s)"
hold = "0ms..500ms"
wait_at_most = "60s"
orders = 450
[lock.redis-sentinel]
{params}
[workload.inventory]
stock = 450
{faults}
"#
    )
}

/// Two clients are left alone with the master.
const SPLIT: &str = r#"
[[fault.partition]]
split = [
  ["redis-1", "client-1", "client-2"],
  ["redis-replica-1", "redis-replica-2", "sentinel-1", "sentinel-2", "sentinel-3", "client-3", "client-4", "client-5"],
]
every = "exp(60s)"
lasts = "20s..60s"
"#;

/// The master's stream does not get through for a while.
const LAG: &str = r#"
[[fault.partition]]
split = [["redis-1"], ["redis-replica-1", "redis-replica-2"]]
every = "exp(15s)"
lasts = "1s..10s"
"#;

const MASTER_CRASHES: &str = r#"
[[fault.crash]]
target = "redis-1"
what = "host"
every = "exp(60s)"
restart_after = "50s"
"#;

const SEEDS: u64 = 40;

fn after_partitions(params: &str) -> Cases {
    run(&scenario(params, SPLIT), LOCK, SEEDS)
}

// What it must show.

#[test]
fn a_master_that_is_cut_off_goes_on_granting_beside_its_successor() {
    let seen = after_partitions("");
    seen.violates(&[GrantExclusion, BeliefExclusion, EffectExclusion, NoLostUpdate]);
    seen.never_violates(&[Progress, OwnerRelease]);
}

#[test]
fn a_master_that_dies_with_its_grants_is_replaced_by_one_that_never_heard_of_them() {
    let long = "down_after = \"5s\"\nttl = \"60s\"";
    run(&scenario(long, &format!("{LAG}{MASTER_CRASHES}")), LOCK, SEEDS)
        .violates(&[GrantExclusion])
        .never_violates(&[Progress]);
}

#[test]
fn a_master_that_is_back_before_anybody_missed_it_empties_its_replicas() {
    let back_soon = MASTER_CRASHES.replace("50s", "2s");
    run(&scenario("", &back_soon), LOCK, SEEDS).violates(&[GrantExclusion]);
    run(&scenario("persistence = \"always\"", &back_soon), LOCK, SEEDS).never_violates(&[GrantExclusion]);
}

// What it must not show.

#[test]
fn with_no_faults_it_keeps_everything() {
    run(&scenario("", ""), LOCK, SEEDS).holds_everything();
    run(&scenario("wait_replicas = 2\nmin_replicas_to_write = 2", ""), LOCK, SEEDS).holds_everything();
}

#[test]
fn as_long_as_its_redis_servers_are_well_it_excludes() {
    let faults = r#"
[[fault.crash]]
target = "sentinel-1"
every = "exp(40s)"
restart_after = "20s"
[[fault.pause]]
target = "sentinel-2"
every = "exp(20s)"
lasts = "1s..40s"
[[fault.clock-step]]
target = "sentinel-3"
every = "exp(20s)"
by = "-60s..60s"
[[fault.partition]]
split = [["sentinel-1"], ["sentinel-2", "sentinel-3", "redis-1"]]
every = "exp(20s)"
lasts = "1s..20s"
[[fault.crash]]
name = "clients"
target = "client:any"
every = "exp(20s)"
restart_after = "5s"
"#;
    run(&scenario("", faults), LOCK, SEEDS).never_violates(&[
        GrantExclusion,
        BeliefExclusion,
        ValidityExclusion,
        OwnerRelease,
        Takeover,
        Progress,
    ]);
}

#[test]
fn a_minority_of_sentinels_replaces_nobody() {
    let alone = r#"
[[fault.partition]]
split = [["redis-1"], ["redis-replica-1", "redis-replica-2", "sentinel-1"]]
every = "exp(60s)"
lasts = "60s"
"#;
    run(&scenario("", alone), LOCK, SEEDS).never_violates(&[GrantExclusion, BeliefExclusion, Progress]);
}

// The failover.

/// The longest that anybody waited, in each case, in ascending order.
fn longest_waits(seen: &Cases) -> Vec<Duration> {
    let longest = |result: &CaseResult| result.metric("longest_wait_ns").unwrap_or(0).unsigned_abs();
    let mut waits: Vec<Duration> = seen.results().iter().map(longest).map(Duration::from_nanos).collect();
    waits.sort_unstable();
    waits
}

#[test]
fn a_dead_master_is_replaced_half_a_minute_later() {
    let dead = "[[fault.crash]]\ntarget = \"server:leader\"\nat = \"30s\"\npermanent = true\n";
    let seen = run(&scenario("", dead), LOCK, SEEDS);
    seen.never_violates(&[GrantExclusion, Progress]);
    let waits = longest_waits(&seen);
    assert!(waits[0] > Duration::from_secs(30), "{waits:?}");
    assert!(waits[SEEDS as usize * 3 / 4] < Duration::from_secs(36), "{waits:?}");
}

#[test]
fn whoever_has_lost_an_election_waits_for_twice_the_timeout() {
    let few = "ttl = \"5s\"\nsentinels = 2\nfailover_timeout = \"20s\"\ndown_after = \"5s\"";
    let dead = "[[fault.crash]]\ntarget = \"server:leader\"\nat = \"30s\"\npermanent = true\n";
    let waits = longest_waits(&run(&scenario(few, dead), LOCK, 3 * SEEDS));
    let split = waits.iter().filter(|wait| **wait > Duration::from_secs(40)).count();
    assert!(split > 0, "two Sentinels that vote for themselves have no majority: {waits:?}");
}

// What helps.

#[test]
fn a_master_that_needs_a_replica_to_write_stops_after_the_lag_that_it_allows() {
    let without = after_partitions("ttl = \"5s\"");
    let with = after_partitions("ttl = \"5s\"\nmin_replicas_to_write = 1");
    let overlaps = [&without, &with].map(|seen| seen.total("grant_overlaps"));
    assert!(overlaps[1] * 5 < overlaps[0], "{overlaps:?}");
    // Ten seconds of lag and five of the last grant are over when the failover comes after thirty, unless the partition
    // ends just then, and a replica that is not told yet lets the old master go on.
    let lasting = SPLIT.replace("20s..60s", "140s");
    let params = "ttl = \"5s\"\nmin_replicas_to_write = 1";
    let at_once = lasting.replace("every = \"exp(60s)\"", "at = \"5s\"");
    run(&scenario("ttl = \"5s\"", &at_once), LOCK, SEEDS).violates(&[GrantExclusion]);
    run(&scenario(params, &at_once), LOCK, SEEDS).never_violates(&[GrantExclusion, BeliefExclusion]);
    // Not so where the failover is faster than that.
    let hasty = format!("{params}\ndown_after = \"5s\"");
    run(&scenario(&hasty, &at_once), LOCK, SEEDS).violates(&[GrantExclusion, BeliefExclusion]);
}

#[test]
fn waiting_for_replicas_makes_it_rarer_and_no_more() {
    let faults = r#"
[[fault.partition]]
split = [["redis-1"], ["redis-replica-1"]]
every = "exp(10s)"
lasts = "1s..10s"
[[fault.crash]]
target = "server:any"
what = "host"
every = "exp(15s)"
restart_after = "20s"
"#;
    let believers = |wait: u32| {
        let params = format!("down_after = \"5s\"\nttl = \"60s\"\nwait_replicas = {wait}");
        let text = scenario(&params, &format!("{SPLIT}{faults}")).replace("0ms..500ms", "1s..20s");
        run(&text, LOCK, SEEDS + SEEDS / 2).violated(BeliefExclusion)
    };
    let [none, one, both] = [0, 1, 2].map(believers);
    assert!(none > one && one > 0 && one >= both, "{none} without, {one} with one replica, {both} with two");
}

// The rest.

#[test]
fn a_crashed_holder_is_replaced_within_the_bound() {
    run(&shipped("crash-takeover"), LOCK, SEEDS).never_violates(&[Takeover, Progress, GrantExclusion]);
}

#[test]
fn whoever_holds_it_is_refused() {
    run(&shipped("reentrant"), LOCK, SEEDS).holds_everything();
}
