//! `etcd`: the leader's lessor ends leases, and a client learns of it late.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use fencepost_models::history::Event;
use fencepost_scenarios::property::Property::{
    BeliefExclusion, EffectExclusion, Fencing, GrantExclusion, NoLostUpdate, OwnerRelease, Progress, Takeover,
};
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::case;
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::run::recorder::{TraceEvent, Watcher};
use fencepost_testkit::{parse, run, run_with_bugs, shipped};

const SEEDS: u64 = 30;

/// Returns a scenario of four buyers with sessions of 5 s. `more` begins with keys of the inventory.
fn scenario(more: &str) -> String {
    format!(
        r#"
name = "etcd-test"
about = "A test."
run_for = "120s"

[clients]
count = 4
think = "exp(200ms)"
hold = "0ms..2s"
wait_at_most = "60s"

[lock]
ttl = "5s"

[workload.inventory]
stock = 20
{more}
"#
    )
}

fn fault(kind: &str, target: &str, keys: &str) -> String {
    let name = target.replace(':', "-");
    format!("\n[[fault.{kind}]]\nname = \"{name}\"\ntarget = \"{target}\"\n{keys}\n")
}

const PAUSES: &str = "every = \"exp(4s)\"\nlasts = \"4s..15s\"";

#[test]
fn without_faults_it_holds_everything() {
    run(&shipped("quiet"), "etcd", 20).holds_everything();
    for servers in [1, 5] {
        let cluster = format!("[lock.etcd]\nservers = {servers}\n\n[workload.inventory]");
        run(&scenario("").replace("[workload.inventory]", &cluster), "etcd", 5).holds_everything();
    }
    run(&scenario("guard = \"owner-txn\""), "etcd", 10).holds_everything();
}

#[test]
fn it_is_reentrant_without_counting() {
    run(&shipped("reentrant"), "etcd", 10).holds_everything();
}

#[test]
fn pauses_beyond_the_lease_break_exclusion_unless_writes_are_guarded() {
    let pauses = fault("pause", "client:any", PAUSES);
    run(&scenario(&pauses), "etcd", SEEDS)
        .violates(&[BeliefExclusion, EffectExclusion, NoLostUpdate])
        .never_violates(&[GrantExclusion, Fencing, Progress]);
    for guard in ["fence-reads", "owner-txn"] {
        let guarded = scenario(&format!("guard = \"{guard}\"\n{pauses}"));
        run(&guarded, "etcd", SEEDS).violates(&[BeliefExclusion]).never_violates(&[
            EffectExclusion,
            NoLostUpdate,
            Fencing,
        ]);
    }
}

#[test]
fn wall_clocks_of_the_servers_have_no_effect() {
    let steps = fault("clock-step", "server:any", "every = \"exp(2s)\"\nby = \"-100s..100s\"");
    run(&scenario(&steps), "etcd", 10).holds_everything();
}

#[test]
fn a_crashed_holder_is_replaced_in_time() {
    run(&shipped("crash-takeover"), "etcd", 10).never_violates(&[Takeover, GrantExclusion]);
    let crashes = fault("crash", "client:holder", "every = \"exp(10s)\"\nrestart_after = \"3s\"");
    run(&scenario(&crashes), "etcd", SEEDS).never_violates(&[Takeover, Progress, GrantExclusion, BeliefExclusion]);
}

/// See statement 4 in `docs/statements.md`.
#[test]
fn a_token_repeats_after_an_unlock_that_did_not_take_effect() {
    let crashes = fault("crash", "server:leader", "every = \"exp(20s)\"\nrestart_after = \"3s\"\ndisk = \"unsynced\"");
    run(&scenario(&crashes), "etcd", SEEDS).violates(&[Fencing]).never_violates(&[GrantExclusion, Progress]);
}

#[test]
fn a_late_unlock_ends_a_later_grant_of_its_session() {
    let pauses = fault("pause", "server:leader", "every = \"exp(8s)\"\nlasts = \"2s..10s\"");
    run(&scenario(&pauses), "etcd", 2 * SEEDS).violates(&[OwnerRelease]).never_violates(&[GrantExclusion, Progress]);
}

/// Followers start an election after up to two election timeouts. A request that was forwarded to the leader just
/// before it crashed times out after 7 s.
#[test]
fn the_loss_of_a_minority_costs_at_most_an_election_and_a_request() {
    let most = Duration::from_millis(2_100 + 7_000);
    for seed in 0..10 {
        let crash = fault("crash", "server:leader", "at = \"10s\"");
        let longest = gaps(&scenario(&crash), seed).into_iter().max().unwrap_or_default();
        let held = Duration::from_secs(2);
        assert!(longest < held + most, "seed {seed}: {longest:?}");
    }
}

#[test]
fn without_a_majority_there_is_no_grant_until_it_is_back() {
    let down = |n| fault("crash", &format!("etcd-{n}"), "at = \"5s\"\nrestart_after = \"30s\"");
    let scenario = scenario(&format!("{}{}", down(1), down(3)));
    for seed in 0..10 {
        let grants = grants(&scenario, seed);
        let between = |from: u64, to: u64| {
            grants.iter().filter(|at| (Duration::from_secs(from)..Duration::from_secs(to)).contains(at)).count()
        };
        // An entry that two members have committed may be applied a moment later.
        assert_eq!(between(6, 35), 0, "seed {seed}");
        assert!(between(0, 5) > 0 && between(35, 100) > 3, "seed {seed}: {grants:?}");
    }
    run(&scenario, "etcd", SEEDS).never_violates(&[GrantExclusion, Progress]);
}

#[test]
fn random_faults_find_bugs_too() {
    let pauses = fault("pause", "client:any", "every = \"exp(10s)\"\nlasts = \"6s..15s\"");
    // A stale grant has a lower token than the current holder.
    run_with_bugs(&scenario(&pauses), "etcd", &["etcd-stale-grant"], SEEDS).violates(&[Fencing]);
    run(&scenario(&pauses), "etcd", SEEDS).never_violates(&[Fencing]);
}

/// The times of grants.
#[derive(Default)]
struct Grants(Vec<Duration>);

impl Watcher for Grants {
    fn record(&mut self, event: &TraceEvent<'_>) {
        if let Some(Event::Granted { .. }) = event.event() {
            self.0.push(Duration::from_nanos(event.at.0));
        }
    }
}

fn grants(text: &str, seed: u64) -> Vec<Duration> {
    let cell = Cell::new(&parse(text), Registry::standard().lock("etcd").expect("it is registered"), &[]);
    let seen = Rc::new(RefCell::new(Grants::default()));
    case::run(&cell, seed, Some(seen.clone()));
    seen.take().0
}

/// Returns the times between grants while there is demand.
fn gaps(text: &str, seed: u64) -> Vec<Duration> {
    let grants = grants(text, seed);
    let sold: Vec<_> = grants.iter().take(20).collect();
    sold.windows(2).map(|pair| *pair[1] - *pair[0]).collect()
}
