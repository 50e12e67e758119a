//! Consul and Chubby: sessions and lock-delay, with a quorum of servers.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use fencepost_models::history::{Cause, Event};
use fencepost_models::locks::{ChubbyLock, ChubbyParams, ConsulLock, ConsulParams};
use fencepost_models::{Params, server_names};
use fencepost_scenarios::property::Property::{
    self, BeliefExclusion, EffectExclusion, Fencing, GrantExclusion, NoLostUpdate, OwnerRelease, Progress, Reentrancy,
    Takeover,
};
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::case;
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::run::recorder::{TraceEvent, Watcher};
use fencepost_sim::Occurrence;
use fencepost_testkit::{parse, run};

const LOCKS: [&str; 2] = ["consul", "chubby"];
const SEEDS: u64 = 25;

const SAFE: [Property; 6] = [GrantExclusion, BeliefExclusion, EffectExclusion, Fencing, NoLostUpdate, OwnerRelease];

/// Returns a scenario with the locks at their defaults, and these lines in the tables of clients and workload.
fn scenario(clients: &str, workload: &str, fault: &str) -> String {
    format!(
        r#"
        run_for = "200s"

        [clients]
        count = 3
        orders = 20
        think = "exp(500ms)"
        hold = "0ms..2s"
        wait_at_most = "150s"
        {clients}

        [workload.inventory]
        stock = 30
        {workload}

        {fault}
        "#
    )
}

fn crash(target: &str, trigger: &str) -> String {
    format!("[[fault.crash]]\ntarget = \"{target}\"\n{trigger}\nrestart_after = \"3s\"\n")
}

fn pause(target: &str, lasts: &str) -> String {
    format!("[[fault.pause]]\ntarget = \"{target}\"\nevery = \"exp(30s)\"\nlasts = \"{lasts}\"\n")
}

fn cut(shape: &str, lasts: &str) -> String {
    format!("[[fault.partition]]\nshape = \"{shape}\"\nevery = \"exp(50s)\"\nlasts = \"{lasts}\"\n")
}

/// Returns the grants and ends of grants of a case, with their times.
fn history(text: &str, lock: &str, seed: u64) -> Vec<(Duration, Event)> {
    let cell = Cell::new(&parse(text), Registry::standard().lock(lock).unwrap(), &[]);
    assert!(cell.header.applicable, "{:?}", cell.header.reason);
    let seen = Rc::new(RefCell::new(GrantEvents::default()));
    case::run(&cell, seed, Some(seen.clone()));
    seen.take().0
}

#[derive(Default)]
struct GrantEvents(Vec<(Duration, Event)>);

impl Watcher for GrantEvents {
    fn record(&mut self, event: &TraceEvent<'_>) {
        if let Some(entry @ (Event::Granted { .. } | Event::Ended { .. })) = event.event() {
            self.0.push((Duration::from_nanos(event.at.0), entry.clone()));
        }
    }
}

fn grants(history: &[(Duration, Event)]) -> impl Iterator<Item = Duration> {
    history.iter().filter(|(_, event)| matches!(event, Event::Granted { .. })).map(|(at, _)| *at)
}

#[test]
fn without_faults_it_holds_everything() {
    for lock in LOCKS {
        run(&scenario("", "", ""), lock, SEEDS).holds_everything();
    }
}

#[test]
fn a_holder_that_acquires_again_behaves_as_declared() {
    for lock in LOCKS {
        let seen = run(&scenario("nested = 1", "", ""), lock, SEEDS);
        seen.never_violates(&SAFE).never_violates(&[Reentrancy, Progress]);
    }
}

#[test]
fn crashed_holders_are_replaced_in_time() {
    for lock in LOCKS {
        for what in ["process", "host"] {
            let crashes = crash("client:any", "every = \"exp(40s)\"") + &format!("what = \"{what}\"\n");
            run(&scenario("", "", &crashes), lock, SEEDS).never_violates(&SAFE).never_violates(&[Takeover, Progress]);
        }
    }
}

#[test]
fn a_pause_beyond_session_and_lock_delay_breaks_exclusion_without_a_fence() {
    let pauses = pause("client:any", "60s..100s");
    for lock in LOCKS {
        run(&scenario("", "", &pauses), lock, 3 * SEEDS).violates(&[BeliefExclusion, EffectExclusion, NoLostUpdate]);
        let fenced = run(&scenario("", "guard = \"fence-reads\"", &pauses), lock, SEEDS);
        fenced.violates(&[BeliefExclusion]).never_violates(&[
            GrantExclusion,
            EffectExclusion,
            Fencing,
            NoLostUpdate,
            Progress,
        ]);
    }
}

#[test]
fn crashes_pauses_and_partitions_of_servers_are_tolerated() {
    for lock in LOCKS {
        for fault in [
            crash("server:leader", "every = \"exp(40s)\""),
            crash("server:any", "every = \"exp(20s)\""),
            pause("server:leader", "5s..40s"),
            cut("minority", "5s..40s"),
        ] {
            run(&scenario("", "", &fault), lock, SEEDS).never_violates(&SAFE).never_violates(&[Progress]);
        }
    }
}

#[test]
fn clock_steps_of_servers_have_no_effect() {
    let steps = "[[fault.clock-step]]\ntarget = \"server:any\"\nevery = \"exp(5s)\"\nby = \"-90s..90s\"\n";
    for lock in LOCKS {
        let crashes = crash("client:any", "every = \"exp(40s)\"");
        let seen = run(&scenario("", "", &(crashes + steps)), lock, SEEDS);
        seen.never_violates(&SAFE).never_violates(&[Takeover, Progress]);
    }
}

/// Returns, for each case, the time without a grant after the leader crashed or was cut off.
fn gaps(lock: &str, fault: &str) -> Vec<Duration> {
    let gap = |seed| {
        let all: Vec<Duration> = grants(&history(&scenario("", "", fault), lock, seed)).collect();
        let before = all.iter().rposition(|at| *at < Duration::from_secs(20)).expect("there were grants before");
        all[before + 1] - all[before]
    };
    let mut gaps: Vec<Duration> = (0..SEEDS).map(gap).collect();
    gaps.sort_unstable();
    gaps
}

/// In Consul, a release during an election fails. The holder then destroys its session, which puts the lock-delay on
/// the key.
#[test]
fn the_loss_of_a_leader_costs_an_election_and_in_consul_a_lock_delay() {
    let crashed = crash("server:leader", "at = \"20s\"");
    let silent = "[[fault.loss]]\ntarget = \"server:leader\"\nrate = 1.0\nat = \"20s\"\nlasts = \"60s\"\n";
    for fault in [&crashed, silent] {
        let (consul, chubby) = (gaps("consul", fault), gaps("chubby", fault));
        assert!(chubby.iter().all(|gap| *gap < Duration::from_secs(15)), "{chubby:?}");
        assert!(consul.iter().all(|gap| *gap < Duration::from_secs(65)), "{consul:?}");
        assert!(consul[SEEDS as usize / 2] > Duration::from_secs(15), "{consul:?}");
    }
}

#[test]
fn without_a_majority_there_is_no_grant() {
    let gone = "[[fault.crash]]\ntarget = \"server:majority\"\nat = \"20s\"\nrestart_after = \"60s\"\n";
    let text = scenario("", "", gone);
    for lock in LOCKS {
        for seed in 0..SEEDS {
            let all: Vec<Duration> = grants(&history(&text, lock, seed)).collect();
            let (from, to) = (Duration::from_secs(21), Duration::from_secs(80));
            assert!(!all.iter().any(|at| (from..to).contains(at)), "{lock}, {seed}: {all:?}");
            assert!(all.iter().any(|at| *at > to), "{lock} grants again afterwards");
        }
        run(&text, lock, SEEDS).never_violates(&SAFE).never_violates(&[Progress]);
    }
}

/// Returns the times from the end of a session that held the key to the next grant, in all cases.
fn delays(text: &str, lock: &str) -> Vec<Duration> {
    let mut delays = Vec::new();
    for seed in 0..SEEDS {
        let history = history(text, lock, seed);
        for (index, (ended, event)) in history.iter().enumerate() {
            if matches!(event, Event::Ended { cause: Cause::Expired, .. }) {
                delays.extend(grants(&history[index..]).next().map(|granted| granted - *ended));
            }
        }
    }
    delays
}

#[test]
fn a_new_leader_keeps_the_lock_delay() {
    let changes = crash("client:holder", "every = \"exp(30s)\"") + &crash("server:leader", "every = \"exp(20s)\"");
    let changes = changes.replace("exp(20s)\"\nrestart_after = \"3s\"", "exp(20s)\"\nrestart_after = \"1s\"");
    let consul = delays(&scenario("", "", &changes), "consul");
    assert!(consul.len() > 10 && consul.iter().all(|delay| *delay >= Duration::from_secs(15)), "{consul:?}");
}

#[test]
fn chubbys_local_lease_ends_before_the_masters() {
    let checked = |fault: &str| scenario("check_before_write = true", "", fault);
    let cuts = cut("clients-from-lock", "10s..70s") + &pause("client:any", "5s..40s");
    run(&checked(&cuts), "chubby", SEEDS).never_violates(&[GrantExclusion, EffectExclusion, NoLostUpdate]);
}

/// A client with a slow clock trusts its local lease for too long, but `CheckSequencer` asks the master.
#[test]
fn a_check_of_the_sequencer_does_not_depend_on_the_clients_clock() {
    let cuts = cut("clients-from-lock", "10s..70s") + &pause("client:any", "5s..40s");
    let slow = "[[fault.clock-rate]]\ntarget = \"client:any\"\nevery = \"exp(20s)\"\nlasts = \"50s\"\nppm = -700000\n";
    let text = scenario("check_before_write = true", "", &(cuts + slow)).replace("0ms..2s", "0ms..20s");
    let text = text + "[lock.chubby]\nlock_delay = \"0s\"\n";
    let unchecked = run(&text.replace("check_before_write = true", ""), "chubby", 2 * SEEDS);
    unchecked.violates(&[EffectExclusion, NoLostUpdate]).never_violates(&[GrantExclusion]);
    let checked = run(&text, "chubby", 2 * SEEDS);
    checked.never_violates(&[GrantExclusion]);
    let late = [&checked, &unchecked].map(|cases| cases.violated(EffectExclusion));
    assert!(2 * late[0] <= late[1], "{late:?}");
}

#[test]
fn effective_sets_all_timings() {
    let ten = Duration::from_secs(10);
    let (mut consul, mut chubby) = (ConsulParams::default(), ChubbyParams::default());
    consul.set_effective(ten);
    chubby.set_effective(ten);
    assert_eq!((consul.effective_expiry(), chubby.effective_expiry()), (Some(ten), Some(ten)));
    assert_eq!((consul.check(), chubby.check()), (Ok(()), Ok(())));
    consul = ConsulParams::default();
    consul.set_ttl(Duration::from_secs(5));
    assert_eq!(consul.session_ttl.0, ten, "servers refuse a shorter one");
    assert_eq!(server_names::<ConsulLock>(&consul).len(), 3);
    assert_eq!(server_names::<ChubbyLock>(&chubby).len(), 5);
}

/// Returns the times from a fault at 30 s to the next grant, in cases whose lock is held then.
fn takeovers(fault: &str) -> Vec<f64> {
    let text = scenario("", "", fault).replace("0ms..2s", "60s").replace("exp(500ms)", "1ms");
    let takeover = |seed| {
        let all: Vec<Duration> = grants(&history(&text, "consul", seed)).collect();
        all.iter().find(|at| **at > Duration::from_secs(30)).map(|at| at.as_secs_f64() - 30.0)
    };
    (0..SEEDS).filter_map(takeover).collect()
}

#[test]
fn gossip_ends_the_sessions_of_dead_and_stopped_hosts() {
    let crash = |what: &str| {
        format!("[[fault.crash]]\ntarget = \"client:holder\"\nat = \"30s\"\nwhat = \"{what}\"\npermanent = true\n")
    };
    let stop = "[[fault.vm-pause]]\ntarget = \"client:holder\"\nat = \"30s\"\nlasts = \"60s\"\n";
    for fault in [&crash("host"), stop] {
        let times = takeovers(fault);
        assert!(times.len() > 20 && times.iter().all(|time| (19.5..29.0).contains(time)), "{times:?}");
    }
    let times = takeovers(&crash("process"));
    assert!(times.len() > 20 && times.iter().all(|time| (35.0..60.0).contains(time)), "the agent lives: {times:?}");
    let without = crash("host") + "[lock.consul]\nserf_health = false\n";
    assert!(takeovers(&without).iter().all(|time| *time > 35.0));
}

#[test]
fn a_leader_without_contact_steps_down_within_its_lease() {
    let alone = "[[fault.partition]]\nshape = \"ring\"\nat = \"20s\"\nlasts = \"60s\"\n";
    let split = "split = [[\"consul-1\", \"client-1\"], [\"consul-2\", \"client-2\"], [\"consul-3\", \"client-3\"]]";
    let text = scenario("", "", &alone.replace("shape = \"ring\"", split));
    for seed in 0..5 {
        let cell = Cell::new(&parse(&text), Registry::standard().lock("consul").unwrap(), &[]);
        let seen = Rc::new(RefCell::new(StepDowns::default()));
        case::run(&cell, seed, Some(seen.clone()));
        let first = seen.take().0.into_iter().find(|at| *at > 20.0).expect("the leader steps down");
        assert!((22.0..24.0).contains(&first), "seed {seed}: {first}");
    }
}

/// The times at which leaders stepped down, in seconds.
#[derive(Default)]
struct StepDowns(Vec<f64>);

impl Watcher for StepDowns {
    fn record(&mut self, event: &TraceEvent<'_>) {
        if matches!(event.what, Occurrence::Led { leads: false, .. }) {
            self.0.push(event.at.since_start().as_secs_f64());
        }
    }
}
