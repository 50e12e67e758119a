//! `dynamodb` and `k8s-lease`: the waiting client's monotonic clock decides.

use std::cell::RefCell;
use std::rc::Rc;

use fencepost_models::history::Event;
use fencepost_scenarios::property::Property::{
    self, BeliefExclusion, EffectExclusion, Fencing, GrantExclusion, NoLostUpdate, OwnerRelease, Progress, Reentrancy,
    Takeover, ValidityExclusion,
};
use fencepost_scenarios::property::Verdict;
use fencepost_scenarios::run::case;
use fencepost_scenarios::run::recorder::{TraceEvent, Watcher};
use fencepost_testkit::{Cases, cell, run, run_with_bugs, shipped};

const LOCKS: [&str; 2] = ["dynamodb", "k8s-lease"];

const SEEDS: u64 = 40;

/// Properties that hold under all clock faults, pauses and crashes, because the store decides between writers.
const STORE: [Property; 3] = [GrantExclusion, OwnerRelease, Progress];

const SAFE: [Property; 4] = [BeliefExclusion, ValidityExclusion, EffectExclusion, NoLostUpdate];

/// Returns the cases of a lock without the bug that lets a release of client-go clear the record of another leader.
fn run_fixed(text: &str, lock: &str, seeds: u64) -> Cases {
    let fixes: &[&str] = if lock == "k8s-lease" { &["!k8s-release-clears-another"] } else { &[] };
    run_with_bugs(text, lock, fixes, seeds)
}

/// Returns a scenario of buyers who work for up to `hold`, with a lease of 5 s.
fn scenario(hold: &str, checked: bool, faults: &str) -> String {
    format!(
        r#"
        run_for = "150s"

        [clients]
        count = 3
        orders = 30
        think = "exp(200ms)"
        hold = "0ms..{hold}"
        wait_at_most = "90s"
        check_before_write = {checked}

        [lock]
        ttl = "5s"

        [workload.inventory]
        stock = 15

        {faults}
        "#
    )
}

fn fault(kind: &str, target: &str, every: &str, more: &str) -> String {
    format!("[[fault.{kind}]]\ntarget = \"{target}\"\nevery = \"{every}\"\n{more}\n")
}

/// Returns a clock rate for the whole case.
fn steady_rate(target: &str, ppm: i64) -> String {
    format!("[[fault.clock-rate]]\ntarget = \"{target}\"\nat = \"0s\"\nlasts = \"300s\"\nppm = {ppm}\n")
}

#[test]
fn a_quiet_run_holds_everything() {
    for lock in LOCKS {
        run(&shipped("quiet"), lock, 100).holds_everything();
    }
}

#[test]
fn an_owner_paused_beyond_the_lease_writes_too_late() {
    let pauses = fault("pause", "client:any", "exp(6s)", "lasts = \"5s..12s\"");
    for lock in LOCKS {
        let seen = run_fixed(&scenario("2s", false, &pauses), lock, SEEDS);
        seen.violates(&[BeliefExclusion, EffectExclusion, NoLostUpdate]).never_violates(&STORE);
    }
}

/// client-go since 1.34.0 decides by the record that it observed before.
#[test]
fn a_release_after_a_pause_clears_the_record_of_another_leader() {
    let pauses = fault("pause", "client:any", "exp(6s)", "lasts = \"5s..12s\"");
    run(&scenario("2s", false, &pauses), "k8s-lease", SEEDS).violates(&[OwnerRelease]);
}

#[test]
fn checking_the_clock_before_the_write_helps_against_a_pause_but_is_leader_does_not() {
    let pauses = fault("pause", "client:any", "exp(6s)", "lasts = \"5s..12s\"");
    let checked = scenario("2s", true, &pauses);
    run(&checked, "dynamodb", SEEDS)
        .never_violates(&[ValidityExclusion, EffectExclusion, NoLostUpdate])
        .never_violates(&STORE);
    run_fixed(&checked, "k8s-lease", SEEDS).violates(&[EffectExclusion, NoLostUpdate]).never_violates(&STORE);
}

#[test]
fn a_stopped_machine_trusts_an_expired_lease() {
    let stops = fault("vm-pause", "client:any", "exp(6s)", "lasts = \"6s..12s\"");
    for lock in LOCKS {
        let seen = run_fixed(&scenario("2s", true, &stops), lock, SEEDS);
        seen.violates(&[BeliefExclusion, EffectExclusion]).never_violates(&STORE);
    }
}

#[test]
fn steps_of_wall_clocks_have_no_effect_on_any_node() {
    let steps = ["client:any", "server:all"]
        .map(|target| fault("clock-step", target, "exp(5s)", "by = \"-60s..60s\""))
        .join("\n");
    let crashing = steps + &fault("crash", "client:any", "exp(15s)", "restart_after = \"2s\"");
    for lock in LOCKS {
        run(&scenario("4s", false, &crashing), lock, SEEDS)
            .never_violates(&SAFE)
            .never_violates(&STORE)
            .never_violates(&[Takeover]);
    }
}

#[test]
fn the_servers_clock_has_no_effect() {
    for lock in LOCKS {
        for ppm in [-800_000, 3_000_000] {
            run(&scenario("4s", false, &steady_rate("server:all", ppm)), lock, 10)
                .never_violates(&SAFE)
                .never_violates(&STORE);
        }
    }
}

#[test]
fn clock_rates_that_differ_by_less_than_documented_are_tolerated() {
    let fast = steady_rate("client-1", 200_000) + &steady_rate("client-2", -200_000);
    for lock in LOCKS {
        run(&scenario("8s", false, &fast), lock, SEEDS).never_violates(&SAFE).never_violates(&STORE);
    }
}

#[test]
fn clock_rates_that_differ_by_more_are_not_tolerated() {
    // An owner sends a heartbeat every quarter of a lease, and a leader renews every two fifteenths.
    for (lock, ppm) in [("dynamodb", 4_000_000), ("k8s-lease", 9_000_000)] {
        let seen = run_fixed(&scenario("8s", true, &steady_rate("client-1", ppm)), lock, SEEDS);
        seen.violates(&[BeliefExclusion, EffectExclusion, NoLostUpdate]).never_violates(&STORE);
    }
}

#[test]
fn a_leader_that_cannot_reach_the_service_stops_in_time_if_it_checks() {
    let cuts = "[[fault.partition]]\nshape = \"clients-from-lock\"\nevery = \"exp(15s)\"\nlasts = \"2s..15s\"\n";
    for lock in LOCKS {
        run(&scenario("6s", true, cuts), lock, SEEDS).never_violates(&STORE).never_violates(&SAFE);
    }
}

#[test]
fn a_crashed_owner_is_replaced_within_the_bound_at_the_defaults() {
    for lock in LOCKS {
        let text = shipped("crash-takeover");
        let seen = run(&text, lock, SEEDS);
        seen.never_violates(&[Takeover]).never_violates(&STORE);
    }
}

#[test]
fn a_late_waiter_waits_a_full_lease_after_its_first_read() {
    let text = r#"
        run_for = "200s"
        [clients]
        count = 2
        orders = 4
        think = "exp(2s)"
        hold = "100s"
        wait_at_most = "90s"
        [lock.dynamodb]
        refresh_period = "1s"
        [workload.inventory]
        stock = 4
        [[fault.crash]]
        target = "client:holder"
        at = "8s"
        what = "host"
        permanent = true
    "#;
    for (lock, lease_ns) in [("dynamodb", 15_000_000_000_u128), ("k8s-lease", 13_000_000_000)] {
        let seen = run(text, lock, SEEDS);
        let takeovers = seen.total("takeovers");
        assert!(takeovers > 0, "{lock}: no takeover occurred");
        assert!(seen.total("takeover_ns") > takeovers * lease_ns, "{lock}: {} ns", seen.total("takeover_ns"));
    }
}

#[test]
fn service_restarts_lose_no_grant_but_a_candidates_token_repeats() {
    let restarts = fault("crash", "server:all", "exp(6s)", "restart_after = \"2s\"");
    run(&scenario("2s", true, &restarts), "dynamodb", SEEDS).never_violates(&SAFE).never_violates(&STORE);
    let seen = run(&scenario("2s", true, &restarts), "k8s-lease:transitions-token", SEEDS);
    seen.never_violates(&SAFE).never_violates(&STORE).violates(&[Fencing]);
}

#[test]
fn a_token_that_repeats_lets_late_writes_through_the_fence() {
    let guarded = [Fencing, EffectExclusion, NoLostUpdate];
    run(&shipped("token-repeats"), "k8s-lease:transitions-token", 60)
        .violates(&guarded)
        .never_violates(&[GrantExclusion]);
    run(&shipped("token-repeats"), "lease-server", 60).never_violates(&guarded);
}

#[test]
fn a_store_that_lost_its_disk_grants_twice() {
    let wipes = fault("crash", "server:all", "exp(20s)", "restart_after = \"1s\"\ndisk = \"wipe\"");
    for lock in LOCKS {
        run(&scenario("4s", false, &wipes), lock, SEEDS).violates(&[GrantExclusion, BeliefExclusion]);
    }
}

#[test]
fn heartbeats_that_are_refused_for_a_while_do_not_create_two_owners() {
    let restarts = fault("crash", "server:all", "exp(20s)", "restart_after = \"1s\"");
    let text = scenario("8s", true, &restarts)
        .replace("[workload", "[lock.dynamodb]\nunavailable_after_restart = \"10s\"\n\n[workload");
    run(&text, "dynamodb", SEEDS).never_violates(&[GrantExclusion, ValidityExclusion, EffectExclusion, Progress]);
}

#[test]
fn options_of_the_lock_client_keep_its_promises() {
    let crashes = fault("crash", "client:any", "exp(10s)", "restart_after = \"2s\"");
    let options = "delete_lock_on_release = false\nreentrant = true\nsession_monitor = \"12s\"";
    let text = scenario("3s", true, &crashes).replace("[workload", &format!("[lock.dynamodb]\n{options}\n\n[workload"));
    run(&text, "dynamodb", SEEDS).never_violates(&SAFE).never_violates(&STORE).never_violates(&[Takeover]);
}

#[test]
fn an_owner_that_acquires_again_behaves_as_declared() {
    let nested = |lock: &str, option: &str| {
        let text = scenario("500ms", false, "").replace("count = 3", "count = 3\nnested = 2");
        let seen = run(&text.replace("[workload", &format!("{option}\n\n[workload")), lock, 10);
        assert!(seen.results().iter().all(|result| result.verdict(Reentrancy) == Verdict::Holds), "{lock} {option}");
        seen
    };
    nested("dynamodb", "").holds_everything();
    nested("dynamodb", "[lock.dynamodb]\nreentrant = true").never_violates(&STORE);
    nested("k8s-lease", "").never_violates(&STORE);
}

/// The times of grants, in seconds.
#[derive(Default)]
struct Grants(Vec<f64>);

impl Watcher for Grants {
    fn record(&mut self, event: &TraceEvent<'_>) {
        if let Some(Event::Granted { .. }) = event.event() {
            self.0.push(event.at.since_start().as_secs_f64());
        }
    }
}

/// With short waits, an acquire that waits never measures a whole lease, since each one starts again.
#[test]
fn the_stopwatch_survives_an_acquire_that_skips_the_wait() {
    let crash = "[[fault.crash]]\ntarget = \"client:holder\"\nat = \"30s\"\nrestart_after = \"100s\"\n";
    let text = scenario("60s", false, crash)
        .replace("wait_at_most = \"90s\"", "wait_at_most = \"3s\"")
        .replace("orders = 30", "orders = 300");
    let taken = |skips: bool| {
        let options = format!("[lock.dynamodb]\nskip_blocking_wait = {skips}\n\n[workload");
        let cell = cell(&text.replace("[workload", &options), "dynamodb", &[]);
        let takes = |seed: &u64| {
            let seen = Rc::new(RefCell::new(Grants::default()));
            case::run(&cell, *seed, Some(seen.clone()));
            seen.take().0.iter().any(|at| (30.0..60.0).contains(at))
        };
        (0..SEEDS).filter(takes).count()
    };
    assert_eq!(taken(false), 0);
    assert_eq!(taken(true), 40);
}
