//! `zookeeper`: the leader's clock ends sessions, and a client that does not learn of it continues.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use fencepost_models::history::Event;
use fencepost_scenarios::property::Property::{
    self, BeliefExclusion, EffectExclusion, Fencing, Fifo, GrantExclusion, NoDuplicate, NoLostUpdate, NoOversell,
    OwnerRelease, Progress, Reentrancy, Takeover,
};
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::case;
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::run::recorder::{TraceEvent, Watcher};
use fencepost_testkit::{parse, run, run_with_bugs, shipped};

const LOCK: &str = "zookeeper";

const SEEDS: u64 = 40;

/// Properties that hold under all faults of clients, clocks, links and servers, if disks keep synced data.
const SERVICE: [Property; 5] = [GrantExclusion, Fencing, OwnerRelease, Fifo, Progress];

const SAFE: [Property; 4] = [BeliefExclusion, EffectExclusion, NoLostUpdate, NoOversell];

/// Returns a scenario of buyers with sessions of 10 s who work for up to `hold`.
fn scenario(hold: &str, guard: &str, own: &str, faults: &str) -> String {
    format!(
        r#"
        run_for = "150s"

        [clients]
        count = 3
        orders = 24
        think = "exp(200ms)"
        hold = "0ms..{hold}"
        wait_at_most = "90s"

        [lock]
        ttl = "10s"

        [lock.zookeeper]
        {own}

        [workload.inventory]
        stock = 14
        guard = "{guard}"

        {faults}
        "#
    )
}

fn fault(kind: &str, target: &str, every: &str, more: &str) -> String {
    format!("[[fault.{kind}]]\ntarget = \"{target}\"\nevery = \"{every}\"\n{more}\n")
}

fn pauses() -> String {
    fault("pause", "client:holder", "exp(10s)", "lasts = \"15s..30s\"")
}

#[test]
fn a_quiet_run_holds_everything() {
    run(&shipped("quiet"), LOCK, 50).holds_everything();
}

#[test]
fn pauses_beyond_the_session_break_belief_and_effect_only() {
    let seen = run(&scenario("5s", "none", "", &pauses()), LOCK, SEEDS);
    seen.violates(&[BeliefExclusion, EffectExclusion, NoLostUpdate]).never_violates(&SERVICE);
}

#[test]
fn fencing_by_czxid_or_own_node_rejects_late_writes() {
    for guard in ["fence-reads", "owner-txn"] {
        let seen = run(&scenario("5s", guard, "", &pauses()), LOCK, SEEDS);
        seen.violates(&[BeliefExclusion]).never_violates(&SERVICE);
        seen.never_violates(&[EffectExclusion, NoLostUpdate, NoOversell, NoDuplicate]);
    }
}

#[test]
fn rows_in_zookeeper_survive_faults_of_servers_and_links() {
    let faults = [
        fault("crash", "server:any", "exp(15s)", "disk = \"unsynced\"\nrestart_after = \"3s\""),
        "[[fault.partition]]\nshape = \"isolate\"\nevery = \"exp(20s)\"\nlasts = \"1s..15s\"\n".into(),
        fault("pause", "client:any", "exp(20s)", "lasts = \"1s..20s\""),
    ];
    let seen = run(&scenario("2s", "owner-txn", "", &faults.concat()), LOCK, SEEDS);
    seen.never_violates(&SERVICE).never_violates(&[EffectExclusion, NoLostUpdate, NoOversell, NoDuplicate]);
}

#[test]
fn steps_of_wall_clocks_have_no_effect() {
    let steps = ["client:any", "server:any", "server:leader"]
        .map(|target| fault("clock-step", target, "exp(10s)", "by = \"-1h..1h\""));
    let seen = run(&scenario("2s", "none", "", &steps.concat()), LOCK, SEEDS);
    seen.never_violates(&SERVICE).never_violates(&SAFE);
}

#[test]
fn an_isolated_holder_overlaps_with_the_next_unless_it_stops_when_suspended() {
    let cut = "[[fault.partition]]\nshape = \"isolate\"\nevery = \"exp(10s)\"\nlasts = \"15s..40s\"\n";
    let work = ("hold = \"0ms..40s\"", "hold = \"10s..40s\"");
    let text = |own: &str| {
        let text = scenario("40s", "none", own, cut).replace(work.0, work.1);
        text.replace("[clients]", "[clients]\ncheck_before_write = true")
    };
    run(&text("stop_on = \"lost\""), LOCK, SEEDS).violates(&[BeliefExclusion]).never_violates(&SERVICE);
    let suspended = text("stop_on = \"suspended\"");
    let fixed = run_with_bugs(&suspended, LOCK, &["!curator-own-old-node"], SEEDS);
    fixed.never_violates(&[BeliefExclusion]).never_violates(&SERVICE);
    // A waiter that takes a node of its ended session for the lock overlaps with the real holder.
    run(&suspended, LOCK, SEEDS).violates(&[BeliefExclusion]);
}

#[test]
fn a_crashed_holder_is_replaced_within_the_stated_bound() {
    for crash in ["client-crashes", "client-host-crashes"] {
        run(&shipped(crash), LOCK, SEEDS).never_violates(&SERVICE).never_violates(&[Takeover]).never_violates(&SAFE);
    }
    let seen = run(&shipped("crash-takeover"), LOCK, SEEDS);
    seen.never_violates(&[Takeover]);
    let mut measured: Vec<i64> = seen.results().iter().filter_map(|result| result.metric("takeover_ns")).collect();
    measured.retain(|nanos| *nanos > 0);
    measured.sort_unstable();
    // The end of a process closes its connection, but its session lasts for 40 s after the last heartbeat, plus a tick.
    let (first, last) = (measured[0] / 1_000_000_000, measured[measured.len() - 1] / 1_000_000_000);
    assert!(first >= 29 && last <= 43, "{first} s to {last} s");
}

#[test]
fn holders_can_acquire_again() {
    run(&shipped("reentrant"), LOCK, SEEDS).never_violates(&[Reentrancy]).never_violates(&SERVICE);
}

#[test]
fn wiped_disks_lose_grants_and_tokens() {
    run(&shipped("servers-wiped"), LOCK, SEEDS).violates(&[GrantExclusion, Fencing]);
}

#[test]
fn a_release_after_an_unknown_write_lets_it_arrive_late() {
    run(&shipped("partition-clients-from-store"), LOCK, SEEDS)
        .violates(&[EffectExclusion])
        .never_violates(&[BeliefExclusion]);
}

/// The times at which grants were recorded.
#[derive(Default)]
struct Grants(Vec<Duration>);

impl Watcher for Grants {
    fn record(&mut self, event: &TraceEvent<'_>) {
        if let Some(Event::Granted { .. }) = event.event() {
            self.0.push(event.at.since_start());
        }
    }
}

/// Returns the times of grants in a case in which these servers are down between 20 s and 50 s.
fn grants_while_down(servers: &[u8], seed: u64) -> Vec<Duration> {
    let crashes = servers.iter().map(|n| {
        format!("[[fault.crash]]\nname = \"{n}\"\ntarget = \"zk-{n}\"\nat = \"20s\"\nrestart_after = \"30s\"\n")
    });
    let text = scenario("100ms", "none", "", &crashes.collect::<String>());
    let text = text.replace("orders = 24", "orders = 1500").replace("stock = 14", "stock = 2000");
    let cell = Cell::new(&parse(&text), Registry::standard().lock(LOCK).unwrap(), &[]);
    let grants = Rc::new(RefCell::new(Grants::default()));
    let report = case::run(&cell, seed, Some(grants.clone()));
    assert_eq!(report.result.verdict(GrantExclusion), fencepost_scenarios::property::Verdict::Holds);
    std::mem::take(&mut grants.borrow_mut().0)
}

fn between(grants: &[Duration], from: u64, to: u64) -> usize {
    let (from, to) = (Duration::from_secs(from), Duration::from_secs(to));
    grants.iter().filter(|at| (from..to).contains(at)).count()
}

#[test]
fn a_dead_minority_costs_at_most_an_election() {
    for seed in 0..6 {
        let grants = grants_while_down(&[1 + (seed % 3) as u8], seed);
        // A holder's own operations may wait that long for a member, but its session lasts: no other client gets the lock.
        assert!(between(&grants, 20, 32) > 0 && between(&grants, 32, 50) > 20, "seed {seed}: {grants:?}");
    }
}

#[test]
fn a_dead_majority_stops_grants_until_it_is_back() {
    for seed in 0..9 {
        let down = [[1, 2], [1, 3], [2, 3]][seed as usize % 3];
        let grants = grants_while_down(&down, seed);
        assert!(between(&grants, 0, 20) > 20, "seed {seed}");
        // Requests in flight are decided within the next second.
        assert_eq!(between(&grants, 21, 50), 0, "seed {seed}");
        assert!(between(&grants, 50, 80) > 20, "seed {seed}: {grants:?}");
    }
}

#[test]
fn a_session_timeout_is_clamped_and_an_effective_expiry_sets_the_limits() {
    let expiry = |timing: &str| {
        let text = scenario("1s", "none", "", "").replace("ttl = \"10s\"", timing);
        let cell = Cell::new(&parse(&text), Registry::standard().lock(LOCK).unwrap(), &[]);
        cell.header.effective_expiry.map(|expiry| expiry.as_secs()).unwrap()
    };
    assert_eq!(["1s", "10s", "60s"].map(|ttl| expiry(&format!("ttl = \"{ttl}\""))), [6, 12, 42]);
    let set = ["2s", "10s", "90s"].map(|effective| expiry(&format!("effective = \"{effective}\"")));
    assert_eq!(set, [2, 10, 90]);
}
