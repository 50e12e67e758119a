//! Slow nodes, disks that stall, are slow or lie, clocks that strobe, and failovers.

mod support;

use fencepost_sim::Process;
use fencepost_sim::faults::{ClockStrobe, Crash, DiskStall, Failover, Pause, Slow};
use fencepost_sim::schedule::{Aim, FaultPlan};
use serde_json::json;
use support::*;

fn disk(keys: serde_json::Value, when: u64, lasts: u64) -> FaultPlan {
    fault::<DiskStall>(keys, at(ms(when)), node("server-1"), Some(ms(lasts)))
}

/// Sends these messages on one connection, one per second from 1 s on, and waits for each reply.
fn asks(messages: &'static [Msg]) -> Process<Msg, Note> {
    process(move |ctx| async move {
        let conn = ctx.connect(ctx.find("server-1"));
        for (n, message) in messages.iter().enumerate() {
            ctx.sleep_until(fencepost_sim::Mono(1_000_000_000 * (n as u64 + 1))).await;
            let outcome = ctx.call(conn, message.clone(), secs(60)).await;
            note_outcome(&ctx, n as u64, &outcome);
            note(&ctx, "done", n as u64);
        }
    })
}

#[test]
fn a_sync_on_a_stalled_disk_blocks_the_process_until_the_stall_ends() {
    static MESSAGES: [Msg; 4] = [Msg::Ping(0), Msg::Write(1), Msg::Sync, Msg::Ping(3)];
    let stall = disk(json!({}), 1_500, 4_000);
    let other = pinger("server-1", 9, ms(600), secs(60));
    let seen = lab().client(asks(&MESSAGES)).client(other).with(stall).run();
    assert_eq!(seen.when_at(0, "done", 1), ms(2_002), "requests without a sync are not delayed");
    assert_eq!(seen.when_at(0, "done", 2), ms(5_501), "the sync returns when the stall ends");
    let late = |(when, _): &(_, _)| (ms(3_002)..ms(5_500)).contains(when);
    assert!(!seen.all("got").iter().any(late), "the server handles no other request meanwhile");
    assert_eq!(seen.touched(), [true]);
}

#[test]
fn a_disk_stall_without_a_sync_has_no_effect() {
    let stalled = lab().client(pinger("server-1", 5, ms(500), secs(9))).with(disk(json!({}), 500, 9_000)).run();
    let free = lab().client(pinger("server-1", 5, ms(500), secs(9))).run();
    assert_eq!((stalled.words(), stalled.touched()), (free.words(), vec![false]));
}

#[test]
fn each_sync_on_a_slow_disk_blocks_the_process() {
    static MESSAGES: [Msg; 3] = [Msg::Ping(0), Msg::Sync, Msg::Sync];
    let slow = disk(json!({ "what": "slow", "sync": "300ms" }), 500, 9_000);
    let seen = lab().client(asks(&MESSAGES)).with(slow).run();
    assert_eq!(seen.when("done", 1), ms(2_302));
    assert_eq!(seen.when("done", 2), ms(3_302));
    assert_eq!(seen.touched(), [true]);
}

fn power_failure(when: u64) -> FaultPlan {
    let keys = json!({ "what": "host", "restart_after": "1s", "disk": "unsynced" });
    fault::<Crash>(keys, at(ms(when)), node("server-1"), None)
}

static WRITES: [Msg; 4] = [Msg::Ping(0), Msg::Write(1), Msg::Write(2), Msg::Sync];

/// Returns the number of records on the server's disk when it restarts at 6 s, and whether the fault was touched.
fn records_after_power_failure(plan: Option<FaultPlan>) -> (u64, bool) {
    let mut lab = lab().client(asks(&WRITES)).with(power_failure(5_000));
    lab.plans.extend(plan);
    let seen = lab.run();
    (seen.values("started")[1], seen.touched().get(1) == Some(&true))
}

#[test]
fn a_power_failure_loses_records_that_a_lying_disk_claimed_to_sync() {
    assert_eq!(records_after_power_failure(None).0, 2);
    let lie = json!({ "what": "lie" });
    assert_eq!(records_after_power_failure(Some(disk(lie.clone(), 500, 4_000))), (0, true));
    assert_eq!(records_after_power_failure(Some(disk(lie, 500, 3_000))), (2, false), "the sync was honest");
}

#[test]
fn a_process_crash_loses_nothing_on_a_lying_disk() {
    let crash = fault::<Crash>(json!({ "restart_after": "1s" }), at(secs(5)), node("server-1"), None);
    let seen = lab().client(asks(&WRITES)).with(disk(json!({ "what": "lie" }), 500, 20_000)).with(crash).run();
    assert_eq!((seen.values("started"), seen.touched()[0]), (vec![0, 2], false));
}

#[test]
fn a_sync_that_never_returned_is_not_durable_and_not_acknowledged() {
    assert_eq!(records_after_power_failure(Some(disk(json!({}), 500, 20_000))).0, 0);
    assert_eq!(
        records_after_power_failure(Some(disk(json!({}), 500, 4_000))).0,
        2,
        "the sync returned before the power failure"
    );
}

#[test]
fn a_second_stall_does_not_undo_a_sync_that_waits_for_the_first() {
    static MESSAGES: [Msg; 4] = [Msg::Ping(0), Msg::Write(1), Msg::Write(2), Msg::Sync];
    let second = FaultPlan { name: "second".into(), ..disk(json!({}), 4_200, 20_000) };
    let seen =
        lab().client(asks(&MESSAGES)).with(power_failure(5_000)).with(disk(json!({}), 3_500, 1_000)).with(second);
    let seen = seen.run();
    assert_eq!(seen.when("done", 3), ms(4_501), "the sync returned when the first stall ended");
    assert_eq!(seen.values("started")[1], 2, "acknowledged records survive");
}

#[test]
fn a_slow_server_replies_late_and_one_at_a_time() {
    let slow = fault::<Slow>(json!({ "factor": 101 }), at(ms(500)), node("server-1"), Some(secs(20)));
    let seen = lab().client(burster("server-1", 3, secs(2), ms(0))).with(slow).run();
    let times: Vec<_> = (0..3).map(|n| seen.when("pong", n)).collect();
    assert_eq!(times, [ms(2_102), ms(2_202), ms(2_302)]);
    assert_eq!(seen.touched(), [true]);
}

#[test]
fn a_slow_client_sends_late_and_wakes_late() {
    let slow = fault::<Slow>(json!({ "factor": 101 }), at(ms(500)), node("client-1"), Some(secs(20)));
    let seen = lab().client(pinger("server-1", 2, secs(1), secs(5))).with(slow).run();
    assert_eq!(seen.when("got", 0), ms(1_103), "the connection opens after 100 ms, and the request follows");
    assert_eq!(seen.when("got", 1) - seen.when("pong", 0), ms(1_101));
    assert_eq!(seen.touched(), [true]);
}

#[test]
fn a_crash_drops_the_unsent_messages_of_a_slow_or_stalled_server() {
    let slow = fault::<Slow>(json!({ "factor": 5_000 }), at(ms(500)), node("server-1"), Some(secs(20)));
    let crash = fault::<Crash>(json!({ "restart_after": "1s" }), at(secs(3)), node("server-1"), None);
    let seen = lab().client(pinger("server-1", 1, secs(1), secs(30))).with(slow).with(crash).run();
    assert!(seen.all("pong").is_empty(), "{:?}", seen.words());
}

#[test]
fn a_slowdown_and_a_pause_combine_to_their_union() {
    static MESSAGES: [Msg; 2] = [Msg::Ping(0), Msg::Sync];
    let pause = fault::<Pause>(json!({}), at(ms(3_000)), node("server-1"), Some(secs(4)));
    let seen = lab().client(asks(&MESSAGES)).with(disk(json!({}), 1_500, 2_500)).with(pause).run();
    assert_eq!(seen.when("done", 1), ms(7_001));
}

#[test]
fn a_strobing_clock_steps_forward_and_back_and_ends_unchanged() {
    let looks = process(|ctx| async move {
        for _ in 0..8 {
            ctx.sleep(ms(500)).await;
            let ahead = ctx.wall().0 - ctx.mono().0 as i64;
            note(&ctx, "ahead", (ahead / 1_000_000) as u64);
        }
    });
    let keys = json!({ "by": "2s", "period": "1s" });
    let strobe = fault::<ClockStrobe>(keys, at(ms(750)), node("client-1"), Some(ms(2_500)));
    let seen = lab().client(looks).with(strobe).run();
    assert_eq!(seen.values("ahead"), [0, 2_000, 2_000, 0, 0, 2_000, 0, 0]);
}

#[test]
fn a_failover_isolates_the_leader_from_servers_but_not_from_clients() {
    let mut plan = fault::<Failover>(json!({}), at(ms(500)), Aim::Leader, Some(secs(20)));
    let seen = lab().client(pinger("server-1", 1, secs(1), secs(5))).with(plan.clone()).run();
    assert_eq!(seen.when("pong", 0), ms(1_004), "a single server is the leader, and its client reaches it");
    plan.fault = std::sync::Arc::new(serde_json::from_value::<Failover>(json!({ "clients_too": true })).unwrap());
    let seen = lab().client(pinger("server-1", 1, secs(1), secs(5))).with(plan).run();
    assert!(seen.all("pong").is_empty());
}

#[test]
fn contradictory_keys_of_slowdowns_are_rejected() {
    let refused = |keys| serde_json::from_value::<DiskStall>(keys).unwrap_err().to_string();
    assert!(refused(json!({ "sync": "1s" })).contains("not slow"));
    let short = serde_json::from_value::<ClockStrobe>(json!({ "by": "1s", "period": "1us" })).unwrap_err();
    assert!(short.to_string().contains("at least \"1ms\""));
    assert!(serde_json::from_value::<Slow>(json!({ "factor": 1 })).is_err());
}
