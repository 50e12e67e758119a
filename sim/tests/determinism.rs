//! The same seed gives the same world on every machine. Removing a fault changes only its consequences.

mod support;

use std::thread;

use fencepost_sim::faults::{ClockRate, ClockStep, Crash, Hold, Latency, Loss, Partition, Pause, VmPause};
use fencepost_sim::schedule::{Aim, FaultPlan, Target, Which};
use fencepost_sim::{LAYOUT, Stop, TraceHash};
use proptest::prelude::*;
use serde_json::json;
use support::*;

/// Creates three clients and three servers with several kinds of fault.
fn busy(seed: u64) -> Lab {
    let mut lab = lab().seed(seed).latency("1ms..20ms").servers(3).heal_at(secs(20)).end_at(secs(40));
    for server in ["server-1", "server-2", "server-3"] {
        lab = lab.client(pinger(server, 300, ms(40), secs(2)));
    }
    let any_server = Aim::Nodes(Target::Servers(Which::Any));
    let any_client = Aim::Nodes(Target::Clients(Which::Any));
    let every = |mean: &str| fencepost_sim::schedule::Trigger::Every(mean.parse().unwrap());
    let lasts = Some(ms(1_300));
    lab.with(fault::<Pause>(json!({}), every("exp(3s)"), any_client.clone(), lasts))
        .with(fault::<VmPause>(json!({}), every("exp(7s)"), any_client.clone(), lasts))
        .with(fault::<Crash>(json!({ "restart_after": "2s" }), every("exp(5s)"), any_server, None))
        .with(fault::<Partition>(json!({ "shape": "isolate" }), every("exp(5s)"), own(), lasts))
        .with(fault::<ClockRate>(json!({ "ppm": 50_000 }), every("exp(6s)"), any_client, lasts))
}

#[test]
fn the_same_seed_gives_the_same_hash_on_every_thread() {
    let here: Vec<TraceHash> = (0..5).map(|seed| busy(seed).run().hash).collect();
    let again: Vec<TraceHash> = (0..5).map(|seed| busy(seed).run().hash).collect();
    assert_eq!(here, again, "on the same thread");
    let threads: Vec<_> =
        (0..2).map(|_| thread::spawn(|| (0..5).rev().map(|seed| busy(seed).run().hash).collect::<Vec<_>>())).collect();
    for thread in threads {
        let mut elsewhere = thread.join().unwrap();
        elsewhere.reverse();
        assert_eq!(here, elsewhere, "on two other threads at once, in reverse order");
    }
}

#[test]
fn different_seeds_give_different_hashes() {
    let mut hashes: Vec<u128> = (0..20).map(|seed| busy(seed).run().hash.0).collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 20);
}

#[test]
fn observing_does_not_change_the_world() {
    assert_eq!(busy(3).run().hash, busy(3).watched().run().hash);
}

/// Detects changes in the meaning of seeds. If these hashes change, raise `LAYOUT` and pin the new ones.
#[test]
fn golden_hashes() {
    assert_eq!(LAYOUT, 2);
    let calm = lab().latency("1ms..5ms").client(pinger("server-1", 20, ms(100), secs(1))).run();
    assert_eq!((calm.hash.to_string().as_str(), calm.events), GOLDEN_CALM);
    let stormy = busy(17).run();
    assert_eq!((stormy.hash.to_string().as_str(), stormy.events), GOLDEN_STORMY);
    let loss = fault::<Loss>(json!({ "rate": 0.1 }), at(secs(1)), link("client-1", "server-1"), Some(secs(5)));
    let datagrams =
        lab().datagram().latency("exp(5ms)").client(burster("server-1", 99, secs(1), ms(3))).with(loss).run();
    assert_eq!((datagrams.hash.to_string().as_str(), datagrams.events), GOLDEN_DATAGRAMS);
}

const GOLDEN_CALM: (&str, u64) = ("xxh3:0b0f0dee5bd4648e4ad9c4e0414d1181", 124);
const GOLDEN_STORMY: (&str, u64) = ("xxh3:dab753b95469b2888987750aa262c5ce", 5410);
const GOLDEN_DATAGRAMS: (&str, u64) = ("xxh3:f1db6ad281723c635db954ace516561a", 471);

#[test]
fn the_event_budget_ends_an_endless_world() {
    let restless = |code: fn(Client) -> std::pin::Pin<Box<dyn Future<Output = ()>>>| {
        let mut lab = lab().client(Box::new(code));
        lab.most_events = 1_000;
        lab.run()
    };
    let sleeping = restless(|ctx| {
        Box::pin(async move {
            loop {
                ctx.sleep(ms(0)).await;
            }
        })
    });
    assert_eq!((sleeping.stop, sleeping.events), (Stop::Exhausted, 1_000));
    let marking = restless(|ctx| {
        Box::pin(async move {
            loop {
                ctx.reach_step("again").await;
            }
        })
    });
    assert_eq!((marking.stop, marking.events), (Stop::Exhausted, 1_000));
}

#[test]
fn the_observer_ends_a_phase() {
    let halts = process(|ctx| async move {
        ctx.sleep(secs(3)).await;
        note(&ctx, "halt", 0);
    });
    let seen = lab().client(halts).run();
    assert_eq!((seen.stop, seen.world.now().since_start()), (Stop::Halted, secs(3)));
}

#[derive(Clone, Debug)]
struct Planned {
    kind: usize,
    node: usize,
    at_ms: u64,
    lasts_ms: u64,
}

fn planned() -> impl Strategy<Value = Planned> {
    (0..9usize, 0..4usize, 0..5_000u64, 1..3_000u64).prop_map(|(kind, node, at_ms, lasts_ms)| Planned {
        kind,
        node,
        at_ms,
        lasts_ms,
    })
}

impl Planned {
    fn plan(&self, index: usize) -> FaultPlan {
        let name = ["client-1", "client-2", "server-1", "server-2"][self.node];
        let (when, lasts) = (at(ms(self.at_ms)), Some(ms(self.lasts_ms)));
        let target = node(name);
        let links = Aim::LinksOf(Target::Named(name.to_string()));
        let plan = match self.kind {
            0 => fault::<Pause>(json!({}), when, target, lasts),
            1 => fault::<VmPause>(json!({}), when, target, lasts),
            2 => fault::<Crash>(json!({ "restart_after": "1s", "what": "host" }), when, target, None),
            3 => fault::<Crash>(json!({ "restart_after": "1s" }), when, target, None),
            4 => fault::<Hold>(json!({}), when, links, lasts),
            5 => fault::<Latency>(json!({ "add": "exp(50ms)" }), when, links, lasts),
            6 => fault::<Loss>(json!({ "rate": 0.3 }), when, links, lasts),
            7 => fault::<ClockRate>(json!({ "ppm": -200_000 }), when, target, lasts),
            _ => fault::<ClockStep>(json!({ "by": "-3s..3s" }), when, target, None),
        };
        FaultPlan { name: format!("fault-{index}"), ..plan }
    }
}

fn lines_before(lab: Lab, limit_ms: u64) -> Vec<String> {
    let limit = ms(limit_ms);
    let lines = lab.watched().run().lines;
    lines
        .into_iter()
        .filter(|(time, _)| time.since_start() < limit)
        .map(|(time, line)| format!("{time} {line}"))
        .collect()
}

fn duo(seed: u64) -> Lab {
    lab()
        .seed(seed)
        .latency("1ms..20ms")
        .servers(2)
        .client(pinger("server-1", 80, ms(40), secs(2)))
        .client(pinger("server-2", 80, ms(40), secs(2)))
        .heal_at(secs(6))
        .end_at(secs(8))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn removing_a_fault_changes_nothing_before_it(
        seed in 0..1_000u64,
        faults in prop::collection::vec(planned(), 1..6),
        out in any::<prop::sample::Index>(),
    ) {
        let out = out.index(faults.len());
        let plans: Vec<FaultPlan> = faults.iter().enumerate().map(|(index, fault)| fault.plan(index)).collect();
        let (mut with, mut without) = (duo(seed), duo(seed));
        with.plans = plans.clone();
        without.plans = plans;
        without.plans.remove(out);
        let limit = faults[out].at_ms;
        prop_assert_eq!(lines_before(with, limit), lines_before(without, limit));
    }

    #[test]
    fn no_schedule_breaks_order_or_invents_replies(seed in 0..1_000u64, faults in prop::collection::vec(planned(), 1..9)) {
        let mut lab = duo(seed);
        lab.plans = faults.iter().enumerate().map(|(index, fault)| fault.plan(index)).collect();
        let seen = lab.run();
        prop_assert!(seen.all("wrong").is_empty());
        for server in [2, 3] {
            let notes = seen.notes.iter().filter(|(_, note)| note.node.0 == server && note.what == "got");
            let incarnations: Vec<u64> = notes.map(|(_, note)| note.value).collect();
            let crashes = faults.iter().filter(|fault| matches!(fault.kind, 2 | 3)).count();
            let steps_back = incarnations.windows(2).filter(|pair| pair[0] >= pair[1]).count();
            // Only a restarted client counts from 0 again.
            prop_assert!(steps_back <= crashes, "{:?}", incarnations);
        }
    }
}
