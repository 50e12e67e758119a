//! Crashes, restarts, disks and healing.

mod support;

use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::Process;
use fencepost_sim::faults::{ClockRate, ClockStep, Crash, Latency, Partition, Pause};
use fencepost_sim::schedule::FaultPlan;
use serde_json::json;
use support::*;

fn crash(who: &str, when: Duration, keys: serde_json::Value) -> FaultPlan {
    fault::<Crash>(keys, at(when), node(who), None)
}

/// Records its start, a note every second, and `dropped` when the code is dropped.
fn heartbeat() -> Process<Msg, Note> {
    process(|ctx| async move {
        note(&ctx, "began", ctx.mono().0);
        let _on_drop = OnDrop(ctx.clone());
        loop {
            ctx.sleep(secs(1)).await;
            note(&ctx, "alive", 0);
            ctx.reach_step("alive").await;
            note(&ctx, "past step", 0);
        }
    })
}

struct OnDrop(Client);

impl Drop for OnDrop {
    fn drop(&mut self) {
        note(&self.0, "dropped", 0);
    }
}

#[test]
fn a_crash_drops_the_process_at_once_and_a_restart_creates_a_new_one() {
    let seen = lab()
        .client(heartbeat())
        .with(crash("client-1", ms(2_500), json!({ "restart_after": "3s" })))
        .heal_at(secs(8))
        .end_at(secs(8))
        .run();
    let times = |what: &str| seen.all(what).iter().map(|(time, _)| *time).collect::<Vec<_>>();
    assert_eq!(times("began"), [ms(0), ms(5_500)]);
    assert_eq!(times("alive"), [1_000, 2_000, 6_500, 7_500].map(ms));
    assert_eq!(times("dropped")[0], ms(2_500));
    assert_eq!(seen.values("began")[1], 5_500_000_000, "clocks run on while a process is down");
}

#[test]
fn a_crash_triggered_by_a_step_stops_the_code_at_that_step() {
    let plan = fault::<Crash>(json!({}), on("client-1", "alive", 2, ms(0)), node("client-1"), None);
    let seen = lab().client(heartbeat()).with(plan).heal_at(secs(10)).end_at(ms(11_500)).run();
    let times = |what: &str| seen.all(what).iter().map(|(time, _)| *time).collect::<Vec<_>>();
    assert_eq!(times("alive"), [1_000, 2_000, 11_000].map(ms));
    assert_eq!(times("past step"), [1_000, 11_000].map(ms));
    assert_eq!(times("dropped")[0], secs(2));
}

#[test]
fn a_crash_of_all_clients_at_one_step_drops_each_of_them() {
    let all = fencepost_sim::schedule::Aim::Nodes(fencepost_sim::schedule::Target::Clients(
        fencepost_sim::schedule::Which::All,
    ));
    let plan = fault::<Crash>(json!({}), on("client-2", "alive", 2, ms(0)), all, None);
    let seen = lab().client(heartbeat()).client(heartbeat()).client(heartbeat()).with(plan).end_at(secs(5)).run();
    let dropped: Vec<Duration> = seen.all("dropped").iter().map(|(time, _)| *time).take(3).collect();
    assert_eq!(dropped, [secs(2); 3]);
}

#[test]
fn healing_restarts_nodes_except_after_permanent_crashes() {
    let permanent = lab()
        .client(heartbeat())
        .with(crash("client-1", ms(2_500), json!({ "permanent": true, "restart_after": "1s" })))
        .heal_at(secs(10))
        .end_at(secs(20))
        .run();
    assert_eq!(permanent.all("began").len(), 1);
    let healed = lab()
        .client(heartbeat())
        .with(crash("client-1", ms(2_500), json!({})))
        .heal_at(secs(10))
        .end_at(secs(20))
        .run();
    assert_eq!(healed.all("began").len(), 2);
    assert_eq!(healed.all("began")[1].0, secs(10));
}

#[test]
fn each_disk_fate_keeps_the_right_records() {
    let writer = || {
        process(|ctx| async move {
            let conn = ctx.connect(ctx.find("server-1"));
            for message in [Msg::Write(1), Msg::Sync, Msg::Write(2)] {
                ctx.call(conn, message, secs(1)).await.unwrap();
            }
        })
    };
    for (fate, left) in [("keep", 2), ("unsynced", 1), ("wipe", 0)] {
        let plan = crash("server-1", secs(5), json!({ "disk": fate, "restart_after": "1s" }));
        let seen = lab().client(writer()).with(plan).run();
        assert_eq!(seen.all("started"), [(secs(0), 0), (secs(6), left)], "{fate}");
    }
}

#[test]
fn timers_of_a_crashed_service_never_expire() {
    let waits = process(|ctx| async move {
        let conn = ctx.connect(ctx.find("server-1"));
        let _ = ctx.call(conn, Msg::Later(5_000), secs(50)).await;
    });
    let plan = crash("server-1", secs(2), json!({ "restart_after": "1s" }));
    assert!(lab().client(waits).with(plan).run().all("timer").is_empty());
}

#[test]
fn healing_ends_all_faults_but_keeps_clock_offsets() {
    let forever = Some(secs(100_000));
    let reader = process(|ctx| async move {
        ctx.healing().await;
        note(&ctx, "healed", u64::from(ctx.healed()));
        let before = ctx.mono();
        ctx.sleep(secs(10)).await;
        note(&ctx, "slept", (ctx.mono() - before).as_nanos() as u64);
        note(&ctx, "wall ahead", ctx.wall().0 as u64 - ctx.mono().0);
        let conn = ctx.connect(ctx.find("server-1"));
        note_outcome(&ctx, 7, &ctx.call(conn, Msg::Ping(7), secs(1)).await);
    });
    let seen = lab()
        .client(reader)
        .with(fault::<Pause>(json!({}), at(secs(3)), node("client-1"), forever))
        .with(fault::<ClockRate>(json!({ "ppm": 100_000 }), at(secs(1)), node("client-1"), forever))
        .with(fault::<ClockStep>(json!({ "by": "1h" }), at(secs(1)), node("client-1"), None))
        .with(fault::<Partition>(json!({ "split": [["client-1"], ["server-1"]] }), at(secs(1)), own(), forever))
        .with(fault::<Latency>(json!({ "add": "10s" }), at(secs(1)), link("client-1", "server-1"), forever))
        .with(crash("server-1", secs(1), json!({})))
        .with(FaultPlan { name: "late".into(), ..crash("server-1", secs(150), json!({})) })
        .heal_at(secs(100))
        .run();
    assert_eq!(seen.all("healed"), [(secs(100), 1)]);
    assert_eq!(seen.all("slept"), [(secs(110), 10_000_000_000)]);
    assert_eq!(seen.values("wall ahead"), [3_600_000_000_000]);
    assert_eq!(seen.all("pong"), [(secs(110) + ms(4), 7)]);
}

#[test]
fn a_world_is_dropped_after_its_run() {
    // Processes in each state hold this when the world ends: waiting, paused, crashed, returned.
    let held = Rc::new(());
    let holder = |held: &Rc<()>| {
        let held = held.clone();
        process(move |ctx| {
            let held = held.clone();
            async move {
                let conn = ctx.connect(ctx.find("server-1"));
                let _call = ctx.call(conn, Msg::Later(900_000), secs(100_000));
                ctx.reach_step("here").await;
                ctx.sleep(secs(50_000)).await;
                drop(held);
            }
        })
    };
    let forever = Some(secs(100_000));
    let mut lab = lab();
    for _ in 0..4 {
        lab = lab.client(holder(&held));
    }
    lab.with(fault::<Pause>(json!({}), on("client-2", "here", 1, ms(0)), node("client-2"), forever))
        .with(crash("client-3", secs(1), json!({ "permanent": true })))
        .with(FaultPlan { name: "paused".into(), ..fault::<Pause>(json!({}), at(secs(2)), node("client-1"), forever) })
        .heal_at(secs(100))
        .end_at(secs(50))
        .run();
    assert_eq!(Rc::strong_count(&held), 1);
}
