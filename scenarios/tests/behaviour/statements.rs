//! The statements about locks that a faithful model must reproduce; see the book's chapter on statements.

use fencepost_scenarios::property::Property::{
    BeliefExclusion, EffectExclusion, Fencing, NoDuplicate, NoLostUpdate, NoOversell, OwnerRelease, ValidityExclusion,
};
use fencepost_testkit::{Cases, IN_STORE, LEASES, altered, run, run_with_bugs, shipped};

/// The number of seeds. With a rate of 5 %, the probability that no seed shows an event is 0.2 %.
const SEEDS: u64 = 120;

// 1. Client pauses beyond the expiry.

#[test]
fn pauses_beyond_the_expiry_break_every_lease_lock() {
    for lock in LEASES {
        let seen = run(&shipped("client-pauses"), lock, SEEDS);
        seen.violates(&[BeliefExclusion, EffectExclusion, NoLostUpdate, NoOversell]);
    }
}

#[test]
fn a_check_before_the_write_prevents_most_violations_from_pauses() {
    for lock in ["lease-server", "redis-set-px:docs-deadline", "redlock:paper"] {
        let unchecked = run(&shipped("client-pauses"), lock, SEEDS).violated(EffectExclusion);
        let checked = run(&shipped("client-pauses-checked"), lock, SEEDS);
        checked.violates(&[BeliefExclusion]);
        let left = checked.violated(EffectExclusion);
        assert!(left * 20 <= unchecked, "{lock}: {left} with the check on, {unchecked} without");
    }
}

#[test]
fn a_check_does_not_help_against_later_delays() {
    let while_preparing = altered(
        "client-pauses-checked",
        &[("check_before_write = true", "check_before_write = true\nprepare = \"0ms..1s\"")],
    );
    let late = altered("store-slow", &[("wait_at_most", "check_before_write = true\nwait_at_most")]);
    for lock in LEASES {
        for scenario in [&shipped("pause-after-check"), &shipped("client-vm-pauses"), &while_preparing, &late] {
            run(scenario, lock, SEEDS).violates(&[EffectExclusion, NoLostUpdate]);
        }
    }
}

// 2. Blind delete and compared delete.

#[test]
fn a_blind_delete_loses_more_updates_seed_by_seed() {
    let blind = run(&shipped("client-pauses"), "redis-set-px-del", SEEDS);
    let compared = run(&shipped("client-pauses"), "redis-set-px:docs-deadline", SEEDS);
    let lost = |seen: &Cases| -> Vec<i64> {
        seen.results().iter().map(|result| result.metric("lost_updates").unwrap_or(0)).collect()
    };
    let (blind_lost, compared_lost) = (lost(&blind), lost(&compared));
    let pairs = || blind_lost.iter().zip(&compared_lost);
    let (worse, better) = (pairs().filter(|(b, c)| b > c).count(), pairs().filter(|(b, c)| b < c).count());
    assert!(worse > 3 * better, "worse with {worse} seeds, better with {better}");
    assert!(blind.total("lost_updates") > compared.total("lost_updates"));
    blind.violates(&[OwnerRelease]);
    compared.never_violates(&[OwnerRelease]);
}

#[test]
fn with_a_check_only_the_blind_delete_still_loses_updates() {
    let blind = run(&shipped("client-pauses-checked"), "redis-set-px-del:docs-deadline", SEEDS);
    let compared = run(&shipped("client-pauses-checked"), "redis-set-px:docs-deadline", SEEDS);
    blind.violates(&[NoLostUpdate]);
    let (blind, compared) = (blind.violated(EffectExclusion), compared.violated(EffectExclusion));
    assert!(blind > 10 * compared, "{blind} cases with the blind delete, {compared} with the compared one");
}

// 3. Release after an unknown write.

#[test]
fn a_write_with_unknown_outcome_at_release_arrives_late_under_every_lock() {
    for scenario in ["partition-clients-from-store", "store-hold", "store-slow"] {
        for lock in LEASES {
            let seen = run(&shipped(scenario), lock, SEEDS);
            seen.violates(&[EffectExclusion]).never_violates(&[BeliefExclusion, ValidityExclusion]);
        }
    }
}

#[test]
fn fenced_reads_prevent_lost_updates_from_late_writes() {
    for scenario in ["partition-clients-from-store", "store-slow"] {
        run(&shipped(scenario), "lease-server", SEEDS).violates(&[NoLostUpdate]);
        let fenced = altered(scenario, &[("[workload.inventory]", "[workload.inventory]\nguard = \"fence-reads\"")]);
        run(&fenced, "lease-server", SEEDS).never_violates(&[NoLostUpdate, EffectExclusion, Fencing]);
    }
}

// 4. Fenced reads.

#[test]
fn fenced_reads_lose_no_update_as_long_as_tokens_are_durable() {
    for faults in ["client-pauses", "server-restarts-durable", "store-crashes", "client-crashes"] {
        let fenced = altered(faults, &[("[workload.inventory]", "[workload.inventory]\nguard = \"fence-reads\"")]);
        run(&fenced, "lease-server", SEEDS).never_violates(&[NoLostUpdate, EffectExclusion, Fencing]);
    }
}

#[test]
fn a_wiped_disk_breaks_fencing_on_either_side() {
    let guarded = ("[workload.inventory]", "[workload.inventory]\nguard = \"fence-reads\"");
    let lock_wiped = altered("servers-wiped", &[guarded]);
    run(&lock_wiped, "lease-server", SEEDS).violates(&[Fencing]);
    let store_wiped = altered("store-crashes", &[guarded, ("unsynced", "wipe")]);
    run(&store_wiped, "lease-server", SEEDS).violates(&[NoLostUpdate]);
}

// 5. Fenced writes alone.

#[test]
fn fenced_writes_alone_still_lose_updates() {
    run(&shipped("fence-writes"), "lease-server", SEEDS).violates(&[EffectExclusion, NoLostUpdate]);
}

// 6. The locks in the store.

#[test]
fn locks_in_the_store_lose_no_update() {
    let faults = [
        "client-pauses",
        "client-vm-pauses-unchecked",
        "client-crashes",
        "server-restarts-durable",
        "store-crashes",
        "clock-steps-forward",
        "partition-isolate",
        "packet-loss",
        "everything",
    ];
    for scenario in faults {
        for lock in IN_STORE {
            run(&shipped(scenario), lock, SEEDS).never_violates(&[NoLostUpdate, NoOversell, NoDuplicate]);
        }
    }
}

#[test]
fn a_version_check_sells_twice_when_a_lost_ack_is_retried_without_an_id() {
    let by_id = altered("sql-unknown-retry", &[("\"retry\"", "\"retry-with-id\"")]);
    let seen = run(&shipped("sql-unknown-retry"), "sql-version", SEEDS);
    seen.violates(&[NoDuplicate]).never_violates(&[NoLostUpdate]);
    run(&by_id, "sql-version", SEEDS).never_violates(&[NoDuplicate, NoLostUpdate]);
    run(&by_id, "sql-for-update", SEEDS).never_violates(&[NoDuplicate, NoLostUpdate]);
}

// 7. Conditional updates.

#[test]
fn a_conditional_update_never_oversells() {
    for faults in ["client-pauses", "partition-isolate", "store-crashes", "store-slow"] {
        let conditional =
            altered(faults, &[("[workload.inventory]", "[workload.inventory]\nupdate = \"conditional\"")]);
        for lock in LEASES.iter().chain(&["none", "sql-for-update"]) {
            run(&conditional, lock, SEEDS).never_violates(&[NoOversell, NoLostUpdate]);
        }
    }
}

#[test]
fn a_conditional_update_oversells_when_the_store_is_wiped() {
    let conditional = ("[workload.inventory]", "[workload.inventory]\nupdate = \"conditional\"");
    let wiped = altered("store-crashes", &[conditional, ("unsynced", "wipe")]);
    for lock in LEASES.iter().chain(&["none", "sql-for-update"]) {
        run(&wiped, lock, SEEDS).violates(&[NoOversell, NoLostUpdate]);
    }
}

#[test]
fn a_conditional_update_takes_effect_twice_when_repeated_without_an_id() {
    let conditional = ("update = \"decrement\"", "update = \"conditional\"");
    for lock in LEASES {
        run(&altered("unknown-retry", &[conditional]), lock, SEEDS).violates(&[NoDuplicate]);
        run(&altered("unknown-retry-with-id", &[conditional]), lock, SEEDS).never_violates(&[NoDuplicate, NoOversell]);
    }
}

// 8. Redlock between its two clock reads.

#[test]
fn a_pause_between_redlocks_clock_reads_is_detected() {
    let pause = shipped("redlock-pause-between-reads");
    run(&pause, "redlock:paper", SEEDS).never_violates(&[BeliefExclusion, ValidityExclusion, EffectExclusion]);
    run_with_bugs(&pause, "redlock:paper", &["redlock-no-second-read"], SEEDS)
        .violates(&[BeliefExclusion, ValidityExclusion]);
}

#[test]
fn a_stopped_machine_or_a_slow_clock_between_redlocks_clock_reads_is_not_detected() {
    let machine = altered("redlock-pause-between-reads", &[("fault.pause", "fault.vm-pause")]);
    run(&machine, "redlock:paper", SEEDS).violates(&[BeliefExclusion, ValidityExclusion]);
    run(&shipped("clock-clients-slow"), "redlock:paper", SEEDS).violates(&[BeliefExclusion, ValidityExclusion]);
}
