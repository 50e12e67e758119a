//! `hazelcast-cp` and `hazelcast` under random faults.

use std::cell::RefCell;
use std::rc::Rc;

use fencepost_models::history::Event;
use fencepost_scenarios::property::Property;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::case;
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::run::recorder::{TraceEvent, Watcher};
use fencepost_sim::Occurrence;
use fencepost_testkit::{parse, run, shipped};

const LOCK: &str = "hazelcast-cp";

/// The lock without CP members.
const UNSAFE: &str = "hazelcast";

/// The properties that hold even if a client does not notice that its session was closed.
const SERVICE: [Property; 4] =
    [Property::GrantExclusion, Property::Fencing, Property::OwnerRelease, Property::Progress];

/// Returns a scenario with these keys and faults.
fn scenario(clients: &str, lock: &str, faults: &str) -> String {
    format!(
        r#"
name = "made-up"
about = "for a test"
run_for = "150s"
[clients]
count = 3
orders = 90
think = "exp(200ms)"
hold = "0ms..500ms"
wait_at_most = "60s"
{clients}
[lock]
{lock}
[workload.inventory]
stock = 90
{faults}"#
    )
}

/// The times at which the service applied grants, in seconds.
#[derive(Default)]
struct Grants(Vec<f64>);

impl Watcher for Grants {
    fn record(&mut self, event: &TraceEvent<'_>) {
        if let Some(Event::Granted { .. }) = event.event() {
            self.0.push(event.at.since_start().as_secs_f64());
        }
    }
}

/// The number of times that a server became leader.
#[derive(Default)]
struct Leaders(usize);

impl Watcher for Leaders {
    fn record(&mut self, event: &TraceEvent<'_>) {
        self.0 += usize::from(matches!(event.what, Occurrence::Led { leads: true, .. }));
    }
}

fn grants(text: &str, seed: u64) -> Vec<f64> {
    grants_of(LOCK, text, seed)
}

fn grants_of(lock: &str, text: &str, seed: u64) -> Vec<f64> {
    let registry = Registry::standard();
    let cell = Cell::new(&parse(text), registry.lock(lock).unwrap(), &[]);
    let watcher = Rc::new(RefCell::new(Grants::default()));
    case::run(&cell, seed, Some(watcher.clone()));
    watcher.take().0
}

/// Returns the longest time between two grants, in seconds.
fn longest_gap(grants: &[f64]) -> f64 {
    grants.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max)
}

#[test]
fn a_quiet_run_holds_everything() {
    run(&shipped("quiet"), LOCK, 20).holds_everything();
    let nested = scenario("nested = 2", "", "");
    let seen = run(&nested, LOCK, 10);
    seen.holds_everything();
    assert_eq!(seen.decided(Property::Reentrancy), 10);
}

#[test]
fn the_loss_of_a_minority_costs_at_most_an_election() {
    let cut = "[[fault.partition]]\nshape = 'minority'\nevery = 'exp(20s)'\nlasts = '5s..40s'";
    run(&scenario("", "", cut), LOCK, 20).never_violates(&SERVICE).never_violates(&[Property::EffectExclusion]);
    let dead = "[[fault.crash]]\ntarget = 'server:leader'\nwhat = 'host'\nat = '10s'\npermanent = true";
    let text = scenario("", "", dead);
    run(&text, LOCK, 20).never_violates(&SERVICE).never_violates(&[Property::EffectExclusion]);
    let mut of_processes = Vec::new();
    for seed in 0..10 {
        let grants = grants(&text, seed);
        assert!(grants[0] < 9.0, "the first leader came late: the first grant was at {} s", grants[0]);
        let gap = longest_gap(&grants);
        // A caller that waits for the dead leader's reply tries another member only after 60 s; all others within 31 s.
        assert!((15.0..75.0).contains(&gap), "seed {seed}: {gap} s");
        // Its members learn of the end of a process from their connections.
        let process = text.replace("what = 'host'", "what = 'process'");
        of_processes.push(longest_gap(&self::grants(&process, seed)));
    }
    assert!(of_processes.iter().all(|gap| *gap < 10.0), "{of_processes:?}");
}

/// Only while the group is idle: the next acknowledgement carries a time of the new clock.
#[test]
fn a_step_of_the_wall_clock_by_the_timeout_demotes_the_leader_of_an_idle_group() {
    let step = |by: &str| {
        let step = format!("[[fault.clock-step]]\ntarget = 'server:leader'\nat = '21s'\nby = '{by}'");
        scenario("", "", &step).replace("exp(200ms)", "30s")
    };
    let leaders = |text: &str, seed| {
        let registry = Registry::standard();
        let cell = Cell::new(&parse(text), registry.lock(LOCK).unwrap(), &[]);
        let watcher = Rc::new(RefCell::new(Leaders::default()));
        case::run(&cell, seed, Some(watcher.clone()));
        watcher.take().0
    };
    let all = |by: &str| (0..10).map(|seed| leaders(&step(by), seed)).collect::<Vec<_>>();
    assert_eq!(all("20s"), [1; 10]);
    assert_eq!(all("30s"), [2; 10]);
    run(&step("30s"), LOCK, 10).never_violates(&SERVICE).never_violates(&[Property::EffectExclusion]);
}

#[test]
fn without_a_majority_there_is_no_grant_until_it_is_back() {
    let apart = "[[fault.partition]]\nat = '10s'\nlasts = '60s'\n\
                 split = [['client-1', 'client-2', 'hazelcast-1'], ['client-3', 'hazelcast-2'], ['hazelcast-3']]";
    let text = scenario("", "", apart);
    run(&text, LOCK, 20).never_violates(&SERVICE);
    for seed in 0..5 {
        let grants = grants(&text, seed);
        let meanwhile = grants.iter().filter(|at| (10.1..70.0).contains(*at)).count();
        assert_eq!(meanwhile, 0, "seed {seed}: {grants:?}");
        assert!(grants.iter().any(|at| *at < 10.0) && grants.iter().any(|at| *at > 70.0), "seed {seed}");
    }
}

#[test]
fn restarted_members_do_not_rejoin_their_group_unless_they_persist() {
    let two = "[[fault.crash]]\ntarget = 'hazelcast-1'\nat = '10s'\nrestart_after = '5s'\n\
               [[fault.crash]]\ntarget = 'hazelcast-2'\nat = '15s'\nrestart_after = '5s'";
    run(&scenario("", "", two), LOCK, 5).violates(&[Property::Progress]).never_violates(&[Property::GrantExclusion]);
    let persistent = scenario("", "[lock.hazelcast-cp]\npersistence = true", two);
    run(&persistent, LOCK, 10).never_violates(&SERVICE).never_violates(&[Property::EffectExclusion]);
    // If all restart together, a new group replaces the old one, and its fences start again.
    let all = "[[fault.crash]]\ntarget = 'server:all'\nevery = 'exp(40s)'\nrestart_after = '1s'";
    run(&scenario("", "", all), LOCK, 10).violates(&[Property::Fencing]).never_violates(&[Property::Progress]);
}

#[test]
fn a_client_paused_beyond_its_session_writes_late_unless_fences_are_checked() {
    run(&shipped("client-pauses"), LOCK, 20).violates(&[Property::EffectExclusion]).never_violates(&SERVICE);
    let fenced = [Property::EffectExclusion, Property::NoLostUpdate, Property::Fencing, Property::GrantExclusion];
    run(&shipped("fence-reads"), LOCK, 20).never_violates(&fenced);
}

#[test]
fn the_leaders_wall_clock_ends_sessions() {
    let step = |by: &str| format!("[[fault.clock-step]]\ntarget = 'server:leader'\nevery = 'exp(20s)'\nby = '{by}'");
    let holds = "hold = '0ms..500ms'";
    let long = scenario("", "", &step("301s")).replace(holds, "hold = '1s..5s'");
    run(&long, LOCK, 20).violates(&[Property::EffectExclusion]).never_violates(&SERVICE);
    let short =
        scenario("", "", &step("100s")).replace("every = 'exp(20s)'", "at = '20s'").replace(holds, "hold = '1s..5s'");
    run(&short, LOCK, 20).never_violates(&SERVICE).never_violates(&[Property::EffectExclusion]);
}

#[test]
fn a_crashed_holder_is_replaced_within_the_bound() {
    let seen = run(&shipped("crash-takeover"), LOCK, 20);
    seen.holds_everything();
    assert!(seen.decided(Property::Takeover) > 10, "too few holders crashed");
    let short = scenario(
        "",
        "ttl = '10s'",
        "[[fault.crash]]\ntarget = 'client:holder'\nevery = 'exp(15s)'\n\
                          restart_after = '1s'",
    );
    run(&short, LOCK, 20).never_violates(&SERVICE).never_violates(&[Property::Takeover]);
}

#[test]
fn a_check_asks_the_servers() {
    let checked = scenario(
        "check_before_write = true",
        "ttl = '10s'",
        "[[fault.pause]]\ntarget = 'client:holder'\nevery = 'exp(20s)'\nlasts = '15s..25s'",
    );
    let unchecked = checked.replace("check_before_write = true", "");
    for lock in [LOCK, UNSAFE] {
        let seen = [&checked, &unchecked].map(|text| run(text, lock, 20).violated(Property::EffectExclusion));
        assert!(seen[0] < seen[1], "{lock}: {seen:?}");
    }
}

#[test]
fn without_cp_members_each_side_of_a_split_grants_the_lock() {
    let split = "[[fault.partition]]\nat = '20s'\nlasts = '150s'\n\
                 split = [['client-1', 'hazelcast-1'], ['client-2', 'client-3', 'hazelcast-2', 'hazelcast-3']]";
    let text = scenario("", "ttl = '10s'", split).replace("exp(200ms)", "1s").replace("0ms..500ms", "5s");
    run(&text, UNSAFE, 10).violates(&[Property::GrantExclusion, Property::Fencing]);
    run(&text, LOCK, 10).never_violates(&[Property::GrantExclusion, Property::Fencing]);
}

#[test]
fn without_cp_members_an_answered_acquire_can_be_lost() {
    let lost = "[[fault.partition]]\nat = '10s'\nlasts = '40s'\n\
                split = [['hazelcast-1'], ['hazelcast-2', 'hazelcast-3']]\n\
                [[fault.crash]]\ntarget = 'hazelcast-1'\nwhat = 'host'\nat = '25s'\npermanent = true";
    // With so little work, the backup's copy has the lock free when the partition begins.
    let text = scenario("", "", lost).replace("exp(200ms)", "exp(20s)").replace("0ms..500ms", "5s..20s");
    run(&text, UNSAFE, 10).violates(&[Property::GrantExclusion]);
    run(&text, LOCK, 10).never_violates(&SERVICE);
}

#[test]
fn without_cp_members_a_quiet_run_also_holds_everything() {
    run(&shipped("quiet"), UNSAFE, 20).holds_everything();
    run(&shipped("crash-takeover"), UNSAFE, 10).holds_everything();
}

#[test]
fn without_cp_members_a_crashed_primary_is_replaced_at_once() {
    let dead = "[[fault.crash]]\ntarget = 'hazelcast-1'\nat = '10s'\npermanent = true";
    for seed in 0..5 {
        let gap = longest_gap(&grants_of(UNSAFE, &scenario("", "", dead), seed));
        assert!(gap < 10.0, "seed {seed}: {gap} s");
    }
}

#[test]
fn without_cp_members_a_cluster_forms_again_after_all_members_restarted() {
    let all = "[[fault.crash]]\ntarget = 'server:all'\nat = '20s'\nrestart_after = '1s'";
    let text = scenario("", "", all);
    run(&text, UNSAFE, 10).violates(&[Property::Fencing]).never_violates(&[Property::Progress]);
    for seed in 0..5 {
        let gap = longest_gap(&grants_of(UNSAFE, &text, seed));
        assert!(gap < 30.0, "seed {seed}: {gap} s");
    }
}
