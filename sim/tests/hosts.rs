//! A world is the same under every host.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::faults::{ClockRate, Crash, Loss, Partition, Pause, VmPause};
use fencepost_sim::schedule::{Aim, FaultPlan, Target, Trigger, Which};
use fencepost_sim::{Ctx, Host};
use serde_json::json;
use support::*;

const HOSTS: [Host; 2] = [Host::Driver, Host::MadsimNodes];

fn every(mean: &str) -> Trigger {
    Trigger::Every(mean.parse().unwrap())
}

/// Faults that pause, crash and restart clients and servers.
fn faults() -> Vec<FaultPlan> {
    let any_client = || Aim::Nodes(Target::Clients(Which::Any));
    let any_server = Aim::Nodes(Target::Servers(Which::Any));
    let lasts = Some(ms(900));
    let named = |name: &str, plan: FaultPlan| FaultPlan { name: name.into(), ..plan };
    vec![
        fault::<Pause>(json!({}), every("exp(2s)"), any_client(), lasts),
        fault::<VmPause>(json!({}), every("exp(4s)"), any_client(), lasts),
        fault::<Crash>(json!({ "restart_after": "1s" }), every("exp(3s)"), any_server, None),
        named("dies", fault::<Crash>(json!({ "restart_after": "1s" }), every("exp(3s)"), any_client(), None)),
        named("for-good", fault::<Crash>(json!({}), at(secs(7)), node("client-2"), None)),
        named("late", fault::<Crash>(json!({}), at(secs(9)), node("client-1"), None)),
        fault::<Partition>(json!({ "shape": "isolate" }), every("exp(4s)"), own(), lasts),
        fault::<ClockRate>(json!({ "ppm": 80_000 }), every("exp(5s)"), any_client(), lasts),
        fault::<Loss>(json!({ "rate": 0.2 }), at(secs(2)), link("client-1", "server-1"), Some(secs(3))),
    ]
}

/// Returns a client that reaches steps, where it can be paused, and races calls against sleeps.
fn busy(server: &'static str) -> fencepost_sim::Process<Msg, Note> {
    process(move |ctx| async move {
        let conn = ctx.connect(ctx.find(server));
        for n in 0..200 {
            ctx.reach_step("again").await;
            let call = ctx.call(conn, Msg::Ping(n), secs(1));
            if let fencepost_sim::Either::First(outcome) = fencepost_sim::race(call, ctx.sleep(ms(15))).await {
                note_outcome(&ctx, n, &outcome);
            }
            ctx.sleep(ms(30)).await;
        }
        ctx.healing().await;
        note(&ctx, "done", 0);
    })
}

fn mixed(seed: u64, host: Host) -> Lab {
    let mut lab = lab()
        .seed(seed)
        .host(host)
        .latency("1ms..20ms")
        .servers(2)
        .client(pinger("server-1", 150, ms(40), secs(2)))
        .client(busy("server-2"))
        .client(busy("server-1"))
        .heal_at(secs(10))
        .end_at(secs(20));
    if seed % 4 == 3 {
        lab = lab.datagram();
    }
    // Each seed omits a different third of the faults.
    let chosen = faults().into_iter().enumerate().filter(|(index, _)| !(seed as usize + index).is_multiple_of(3));
    lab.plans = chosen.map(|(_, plan)| plan).collect();
    lab
}

#[test]
fn a_world_has_the_same_trace_under_every_host() {
    let mut crashed = 0;
    for seed in 0..40 {
        let [driver, nodes] = HOSTS.map(|host| mixed(seed, host).run());
        assert_eq!((driver.hash, driver.events), (nodes.hash, nodes.events), "seed {seed}");
        assert_eq!(driver.notes, nodes.notes, "seed {seed}");
        crashed += driver.fired().iter().filter(|fired| **fired).count();
    }
    assert!(crashed > 100, "too few faults fired: {crashed}");
}

#[test]
fn code_that_wakes_itself_runs_until_it_is_idle() {
    let yields = || {
        process(|ctx| async move {
            for n in 0..20 {
                let mut again = true;
                std::future::poll_fn(|cx| {
                    cx.waker().wake_by_ref();
                    if std::mem::take(&mut again) { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
                })
                .await;
                note(&ctx, "again", n);
                ctx.sleep(ms(n)).await;
            }
        })
    };
    let [driver, nodes] = HOSTS.map(|host| lab().host(host).client(yields()).client(yields()).run());
    assert_eq!((driver.hash, driver.values("again").len()), (nodes.hash, 40));
}

#[test]
fn code_on_a_madsim_node_can_use_madsim_itself() {
    let native = || {
        process(|ctx: Ctx<Msg, Note>| async move {
            let task = madsim::task::spawn(async {
                madsim::task::yield_now().await;
                let handle = madsim::runtime::Handle::current();
                handle.get_node(madsim::plugin::node()).is_some()
            });
            note(&ctx, "on madsim node", u64::from(task.await.unwrap()));
            #[expect(clippy::disallowed_methods, reason = "this is what a real client library would do")]
            madsim::time::sleep(ms(500)).await;
            note(&ctx, "slept", 0);
        })
    };
    let run = || {
        let lab = lab().host(Host::MadsimNodes).client(native()).client(pinger("server-1", 200, ms(10), secs(1)));
        lab.with(fault::<Pause>(json!({}), at(ms(200)), node("client-1"), Some(secs(1)))).run()
    };
    let seen = run();
    assert_eq!(seen.values("on madsim node"), [1]);
    assert_eq!(seen.once("slept"), ms(1_200), "code that madsim wakes stays paused with its node");
    assert_eq!(seen.hash, run().hash);
}

/// Returns the panic message of a run.
fn panic_of(host: Host, code: fn(Client, Rc<()>), shared: &Rc<()>) -> String {
    let held = shared.clone();
    let panics = process(move |ctx| {
        let held = held.clone();
        async move {
            ctx.sleep(secs(1)).await;
            code(ctx, held);
        }
    });
    let waits = {
        let held = shared.clone();
        process(move |ctx| {
            let held = held.clone();
            async move {
                ctx.sleep(secs(1_000)).await;
                drop(held);
            }
        })
    };
    let lab = lab().host(host).client(waits).client(panics).client(pinger("server-1", 10, Duration::ZERO, secs(1)));
    let panic = catch_unwind(AssertUnwindSafe(|| lab.run().events)).unwrap_err();
    *panic.downcast::<String>().unwrap()
}

#[test]
fn a_panic_of_a_client_propagates_and_frees_the_world() {
    for host in HOSTS {
        let shared = Rc::new(());
        let message = panic_of(host, |ctx, _held| panic!("client {} failed", ctx.node().0), &shared);
        assert_eq!(message, "client 1 failed", "{host:?}");
        assert_eq!(Rc::strong_count(&shared), 1, "{host:?}: the world leaked");
        let message = panic_of(host, |ctx, _held| ctx.set_holder(ctx.find("nobody") == ctx.node()), &shared);
        assert!(message.starts_with("no node is named `nobody`"), "{host:?}: {message}");
        assert_eq!(Rc::strong_count(&shared), 1, "{host:?}: the world leaked");
    }
}
