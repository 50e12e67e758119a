//! The effect of clock faults on each lock, which depends on the clocks that measure its lease.

use fencepost_scenarios::property::Property::{
    BeliefExclusion, EffectExclusion, GrantExclusion, NoLostUpdate, OwnerRelease, Takeover, ValidityExclusion,
};
use fencepost_testkit::{Cases, LEASES, run};

const SEEDS: u64 = 60;

const SAFE: [fencepost_scenarios::property::Property; 4] =
    [BeliefExclusion, ValidityExclusion, EffectExclusion, NoLostUpdate];

/// Returns a scenario of buyers who work for up to `hold` and check before they write, with a lease of 5 s.
fn scenario(hold: &str, fault: &str) -> String {
    format!(
        r#"
        run_for = "200s"

        [clients]
        count = 3
        orders = 40
        think = "exp(200ms)"
        hold = "0ms..{hold}"
        wait_at_most = "90s"
        check_before_write = true

        [lock]
        ttl = "5s"

        [workload.inventory]
        stock = 20

        {fault}
        "#
    )
}

fn rate(target: &str, ppm: i64) -> String {
    format!("[[fault.clock-rate]]\ntarget = \"{target}\"\nevery = \"exp(5s)\"\nlasts = \"5s..20s\"\nppm = {ppm}")
}

/// Returns a clock rate for the whole case, because the rates of overlapping faults would add up.
fn steady_rate(target: &str, ppm: i64) -> String {
    format!("[[fault.clock-rate]]\ntarget = \"{target}\"\nat = \"0s\"\nlasts = \"300s\"\nppm = {ppm}")
}

fn step(target: &str, by: &str) -> String {
    format!("[[fault.clock-step]]\ntarget = \"{target}\"\nevery = \"exp(5s)\"\nby = \"{by}\"")
}

fn vm_pause(target: &str) -> String {
    format!("[[fault.vm-pause]]\ntarget = \"{target}\"\nevery = \"exp(8s)\"\nlasts = \"6s..12s\"")
}

const CRASHES: &str = "[[fault.crash]]\ntarget = \"client:any\"\nevery = \"exp(3s)\"\nrestart_after = \"2s\"";

#[test]
fn a_forward_step_beyond_the_ttl_admits_a_second_holder_if_wall_clocks_decide() {
    for lock in ["redis-set-px:docs-deadline", "redis-set-px-del:docs-deadline"] {
        let seen = run(&scenario("2s", &step("redis-1", "6s..30s")), lock, SEEDS);
        seen.violates(&[ValidityExclusion, BeliefExclusion, EffectExclusion]).never_violates(&[GrantExclusion]);
    }
    run(&scenario("2s", &step("lease-server", "6s..30s")), "lease-server", SEEDS).never_violates(&SAFE);
}

#[test]
fn redlock_tolerates_a_step_of_one_master_but_not_of_a_majority() {
    let rarely = |target: &str| step(target, "6s..30s").replace("exp(5s)", "5s..9s");
    let one = run(&scenario("2s", &rarely("server:any")), "redlock:paper", SEEDS).violated(ValidityExclusion);
    let majority = run(&scenario("2s", &rarely("server:majority")), "redlock:paper", SEEDS).violated(ValidityExclusion);
    assert!(one * 5 < majority, "{one} cases with one master's clock, {majority} with a majority's");
}

#[test]
fn backward_steps_of_servers_only_prolong_locks() {
    for lock in LEASES {
        let crashing = format!("{CRASHES}\n\n{}", step("server:all", "-9s..-6s").replace("exp(5s)", "exp(20s)"));
        run(&scenario("2s", &crashing), lock, SEEDS).never_violates(&SAFE).never_violates(&[GrantExclusion, Takeover]);
    }
}

#[test]
fn fast_clients_and_slow_servers_are_safe() {
    for lock in LEASES {
        for fault in [rate("client:any", 500_000), rate("server:all", -300_000)] {
            run(&scenario("2s", &fault), lock, SEEDS).never_violates(&SAFE).never_violates(&[GrantExclusion]);
        }
    }
}

#[test]
fn slow_server_clocks_delay_takeover_after_a_crash() {
    for lock in LEASES {
        let takeover = |fault: &str| {
            let seen = run(&scenario("2s", &format!("{CRASHES}\n\n{fault}")), lock, SEEDS);
            seen.never_violates(&[Takeover]);
            seen.total("takeover_ns")
        };
        let (right, slow) = (takeover(""), takeover(&steady_rate("server:all", -500_000)));
        assert!(slow * 2 > right * 3, "{lock}: {slow} ns at half speed, {right} ns at full speed");
    }
}

#[test]
fn slow_clients_and_fast_servers_are_unsafe() {
    for lock in LEASES {
        for fault in [rate("client:any", -500_000), rate("server:all", 1_000_000)] {
            let seen = run(&scenario("4s", &fault), lock, SEEDS);
            seen.violates(&[ValidityExclusion, EffectExclusion, NoLostUpdate]).never_violates(&[GrantExclusion]);
        }
    }
}

#[test]
fn a_drift_allowance_covers_small_differences_in_clock_rate() {
    for fault in [steady_rate("client:all", -5_000), steady_rate("server:all", 5_000)] {
        let works_too_long = scenario("8s", &fault);
        for lock in ["lease-server", "redlock:paper"] {
            run(&works_too_long, lock, SEEDS).never_violates(&[ValidityExclusion, EffectExclusion, NoLostUpdate]);
        }
        run(&works_too_long, "redis-set-px:docs-deadline", SEEDS).violates(&[ValidityExclusion]);
    }
}

#[test]
fn a_stopped_client_machine_trusts_an_expired_lease() {
    for lock in LEASES {
        let seen: Cases = run(&scenario("2s", &vm_pause("client:any")), lock, SEEDS);
        seen.violates(&[BeliefExclusion, ValidityExclusion, EffectExclusion]).never_violates(&[GrantExclusion]);
    }
}

#[test]
fn a_stopped_server_machine_keeps_the_lock_at_least_as_long() {
    let stopped = scenario("2s", &vm_pause("server:any"));
    for lock in ["lease-server", "redis-set-px:docs-deadline", "redlock:paper"] {
        run(&stopped, lock, SEEDS).never_violates(&SAFE).never_violates(&[GrantExclusion]);
    }
    // A release that waited for the server is late, and a blind one ends the lock of the current holder.
    run(&stopped, "redis-set-px-del:docs-deadline", SEEDS).violates(&[OwnerRelease]).never_violates(&[GrantExclusion]);
}
