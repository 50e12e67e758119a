//! Which faults count as touched.

mod support;

use fencepost_sim::faults::{ClockRate, ClockStep, Crash, Hold, Latency, Loss, Partition, Pause, VmPause};
use fencepost_sim::schedule::FaultPlan;
use fencepost_sim::{Either, Process, race};
use serde_json::json;
use support::*;

/// Creates a fault of each kind that can act on a stream, during a call to `server-1`, or aimed at unused nodes and links.
fn every_kind(client: &str, server: &str) -> Vec<FaultPlan> {
    let (when, lasts) = (at(ms(1_500)), Some(secs(3)));
    let links = link(client, server);
    vec![
        fault::<Pause>(json!({}), when.clone(), node(server), lasts),
        fault::<VmPause>(json!({}), when.clone(), node(server), lasts),
        fault::<Crash>(json!({ "restart_after": "3s" }), when.clone(), node(server), None),
        fault::<Partition>(json!({ "split": [[client], [server]] }), when.clone(), own(), lasts),
        fault::<Hold>(json!({}), when.clone(), links.clone(), lasts),
        fault::<Latency>(json!({ "add": "1s" }), when.clone(), links.clone(), lasts),
        fault::<Loss>(json!({ "rate": 1.0 }), when, links, lasts),
    ]
}

#[test]
fn only_a_fault_on_the_path_of_a_message_is_touched() {
    for (concerned, client, server) in [(true, "client-1", "server-1"), (false, "client-2", "server-2")] {
        for plan in every_kind(client, server) {
            let kind = plan.kind.name;
            let idle = process(|_| async {});
            let seen = lab().servers(2).client(pinger("server-1", 8, ms(500), secs(60))).client(idle).with(plan).run();
            assert_eq!((seen.fired(), seen.touched()), (vec![true], vec![concerned]), "{kind} on {server}");
        }
    }
}

#[test]
fn a_fault_after_the_last_event_is_fired_but_untouched() {
    for plan in every_kind("client-1", "server-1") {
        let kind = plan.kind.name;
        let seen = lab().client(pinger("server-1", 1, ms(100), secs(60))).with(plan).run();
        assert_eq!((seen.fired(), seen.touched()), (vec![true], vec![false]), "{kind}");
    }
}

#[test]
fn a_fault_after_healing_or_at_a_step_that_is_never_reached_does_not_fire() {
    let late = fault::<Pause>(json!({}), at(secs(90)), node("server-1"), Some(secs(1)));
    let never = fault::<Crash>(json!({}), on("client-1", "nowhere", 1, ms(0)), node("server-1"), None);
    let nobody = fault::<Crash>(json!({}), on("client-9", "nowhere", 1, ms(0)), node("server-1"), None);
    let seen = lab()
        .client(pinger("server-1", 1, secs(1), secs(1)))
        .with(late)
        .with(never)
        .with(FaultPlan { name: "nobody".into(), ..nobody })
        .heal_at(secs(50))
        .run();
    assert_eq!(seen.fired(), [false; 3]);
}

#[test]
fn a_paused_client_is_touched_while_it_holds_or_waits_for_a_reply() {
    let behave = |hold: bool, call: bool| {
        process(move |ctx| async move {
            let conn = ctx.connect(ctx.find("server-1"));
            ctx.set_holder(hold);
            let reply = call.then(|| ctx.call(conn, Msg::Later(5_000), secs(50)));
            ctx.sleep(secs(20)).await;
            drop(reply);
        })
    };
    for (hold, call) in [(false, false), (true, false), (false, true)] {
        let pause = fault::<Pause>(json!({}), at(secs(1)), node("client-1"), Some(secs(1)));
        let seen = lab().client(behave(hold, call)).with(pause).run();
        assert_eq!(seen.touched(), [hold || call], "holds: {hold}, calls: {call}");
        assert_eq!(seen.world.touched_holder(), hold);
    }
}

/// Sets a deadline of 10 s by the monotonic clock, and checks it after each of these true times in ms.
fn looks_at_deadline(looks: &'static [u64]) -> Process<Msg, Note> {
    process(move |ctx| async move {
        let deadline = ctx.deadline(ctx.mono(), secs(10));
        let conn = ctx.connect(ctx.find("server-1"));
        for delay in looks {
            // The server's clock is right, so its reply arrives at the true time.
            let _ = ctx.call(conn, Msg::Later(*delay), secs(60)).await;
            note(&ctx, "passed", u64::from(ctx.passed(deadline)));
        }
    })
}

#[test]
fn a_clock_rate_that_changes_a_deadline_is_touched() {
    let fast = || fault::<ClockRate>(json!({ "ppm": 100_000 }), at(secs(0)), node("client-1"), Some(secs(60)));
    let differs = lab().client(looks_at_deadline(&[9_500])).with(fast()).run();
    assert_eq!((differs.values("passed"), differs.touched()), (vec![1], vec![true]));
    let agrees = lab().client(looks_at_deadline(&[5_000])).with(fast()).run();
    assert_eq!((agrees.values("passed"), agrees.touched()), (vec![0], vec![false]));
}

#[test]
fn a_clock_rate_that_reorders_a_timer_and_a_message_is_touched() {
    let races = || {
        process(|ctx| async move {
            let conn = ctx.connect(ctx.find("server-1"));
            match race(ctx.call(conn, Msg::Later(9_500), secs(60)), ctx.sleep(secs(10))).await {
                Either::First(_) => note(&ctx, "reply first", 0),
                Either::Second(()) => {
                    note(&ctx, "timer first", 0);
                    ctx.sleep(secs(30)).await;
                }
            }
        })
    };
    let rate = |ppm| fault::<ClockRate>(json!({ "ppm": ppm }), at(secs(0)), node("client-1"), Some(secs(60)));
    let swapped = lab().client(races()).with(rate(100_000)).run();
    assert_eq!((swapped.all("timer first").len(), swapped.touched()), (1, vec![true]));
    let same = lab().client(races()).with(rate(1_000)).run();
    assert_eq!((same.all("reply first").len(), same.touched()), (1, vec![false]));
}

/// A server that grants a lease by its wall clock, and replies whether it has expired.
struct Leases(Option<fencepost_sim::WallDeadline>);

impl fencepost_sim::Service<Msg, Note> for Leases {
    fn on_message(&mut self, env: &mut fencepost_sim::Env<'_, Msg, Note>, from: fencepost_sim::Caller, _: Msg) {
        let expired = match self.0 {
            Some(deadline) => env.wall_passed(deadline),
            None => {
                self.0 = Some(env.wall_deadline(secs(10)));
                false
            }
        };
        env.reply(from, Msg::Pong(u64::from(expired)));
    }

    fn on_crash(&mut self, _: &mut fencepost_sim::Env<'_, Msg, Note>, _: fencepost_sim::disk::DiskFate) {}
}

#[test]
fn a_clock_step_that_expires_a_lease_is_touched() {
    let asks = |again: u64| {
        process(move |ctx| async move {
            let conn = ctx.connect(ctx.find("leases"));
            let _ = ctx.call(conn, Msg::Ping(0), secs(1)).await;
            ctx.sleep(secs(again)).await;
            if let Ok(Msg::Pong(expired)) = ctx.call(conn, Msg::Ping(1), secs(1)).await {
                note(&ctx, "expired", expired);
            }
        })
    };
    let step = || fault::<ClockStep>(json!({ "by": "7s" }), at(secs(2)), node("leases"), None);
    for (again, matters, expired) in [(1, false, 0), (5, true, 1), (20, false, 1)] {
        let mut lab = lab().client(asks(again)).with(step());
        lab.extra = vec![("leases".to_string(), Box::new(Leases(None)))];
        let seen = lab.run();
        assert_eq!((seen.values("expired"), seen.touched()), (vec![expired], vec![matters]), "asked after {again} s");
    }
}
