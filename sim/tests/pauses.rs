//! Pauses of processes and of machines.

mod support;

use std::time::Duration;

use fencepost_sim::faults::{Latency, Pause, VmPause};
use fencepost_sim::schedule::FaultPlan;
use fencepost_sim::{Either, race};
use serde_json::json;
use support::*;

fn pause(who: &str, when: Duration, lasts: Duration) -> FaultPlan {
    fault::<Pause>(json!({}), at(when), node(who), Some(lasts))
}

/// Sleeps for one second at a time and records both clocks after each sleep.
fn ticker() -> fencepost_sim::Process<Msg, Note> {
    process(|ctx| async move {
        for _ in 0..10 {
            ctx.sleep(secs(1)).await;
            note(&ctx, "mono", ctx.mono().0);
            note(&ctx, "wall", ctx.wall().0 as u64);
        }
    })
}

#[test]
fn a_paused_server_handles_its_messages_on_resume() {
    let seen = lab().client(pinger("server-1", 3, secs(1), secs(60))).with(pause("server-1", ms(1_500), secs(2))).run();
    assert_eq!(seen.when("got", 1), ms(3_500));
    assert_eq!(seen.when("pong", 1), ms(3_501));
    assert_eq!(seen.touched(), [true]);
}

#[test]
fn the_operating_system_of_a_paused_server_accepts_connections() {
    let seen = lab().client(pinger("server-1", 1, secs(1), secs(2))).with(pause("server-1", ms(500), secs(5))).run();
    assert_eq!(seen.once("timed out"), secs(3));
    assert_eq!(seen.once("got"), ms(5_500));
}

#[test]
fn a_first_call_to_a_paused_machine_is_never_sent() {
    let plan = fault::<VmPause>(json!({}), at(ms(500)), node("server-1"), Some(secs(5)));
    let seen = lab().client(pinger("server-1", 1, secs(1), secs(2))).with(plan).run();
    assert_eq!(seen.once("refused"), secs(3));
}

#[test]
fn a_paused_client_wakes_late_while_its_clocks_keep_running() {
    let seen = lab().client(ticker()).with(pause("client-1", ms(1_500), secs(4))).run();
    let times = seen.all("mono");
    assert_eq!(times[1], (ms(5_500), 5_500_000_000));
    assert_eq!(seen.all("wall")[1], (ms(5_500), 5_500_000_000));
    assert_eq!(times[2].0, ms(6_500));
}

#[test]
fn a_process_that_is_paused_before_it_starts_starts_late() {
    let seen = lab().client(ticker()).with(pause("client-1", secs(0), secs(4))).run();
    assert_eq!(seen.all("mono")[0].0, secs(5));
}

#[test]
fn overlapping_pauses_combine_to_their_union() {
    let mut other = pause("client-1", ms(3_000), secs(5));
    other.name = "other".into();
    let seen = lab().client(ticker()).with(pause("client-1", ms(1_500), secs(4))).with(other).run();
    assert_eq!(seen.all("mono")[1].0, secs(8));
}

#[test]
fn a_pause_keeps_the_message_order_of_a_connection() {
    // A message arrives every 10 ms, one of them exactly when the server resumes.
    for seed in 0..20 {
        let seen = lab()
            .seed(seed)
            .client(burster("server-1", 50, secs(1), ms(10)))
            .client(burster("server-1", 50, secs(1), ms(10)))
            .with(pause("server-1", ms(1_101), ms(200)))
            .run();
        let resumed: Vec<u64> =
            seen.all("got").iter().filter(|(time, _)| *time == ms(1_301)).map(|(_, n)| *n).collect();
        assert_eq!(resumed.len(), 2 * 21, "20 messages withheld, and one arriving at 1.101 s, for each client");
        let mut sorted = resumed.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (10..31).flat_map(|n| [n, n]).collect::<Vec<_>>());
        let pongs: Vec<_> = seen.values("pong");
        let (mut first, mut second) = (0, 0);
        for n in seen.values("got").into_iter().filter(|n| *n < 1_000_000) {
            // In an interleaving of two sequences, each number is the next one of either sequence.
            if n == first {
                first += 1;
            } else {
                assert_eq!(n, second, "seed {seed}: {resumed:?}");
                second += 1;
            }
        }
        assert_eq!((first.max(second), pongs.len()), (50, 100));
    }
}

#[test]
fn the_order_of_groups_on_resume_depends_on_the_seed() {
    // A timer expires and a reply arrives during the same pause.
    let waits = || {
        process(|ctx| async move {
            let conn = ctx.connect(ctx.find("server-1"));
            let call = ctx.call(conn, Msg::Later(2_000), secs(50));
            match race(call, ctx.sleep(secs(2))).await {
                Either::First(_) => note(&ctx, "reply first", 0),
                Either::Second(()) => note(&ctx, "timer first", 0),
            }
        })
    };
    let outcomes: Vec<bool> = (0..40)
        .map(|seed| {
            let seen = lab().seed(seed).client(waits()).with(pause("client-1", secs(1), secs(3))).run();
            let (replies, timers) = (seen.all("reply first"), seen.all("timer first"));
            assert_eq!(replies.len() + timers.len(), 1);
            assert!(replies.iter().chain(&timers).all(|(time, _)| *time == secs(4)));
            timers.is_empty()
        })
        .collect();
    let replies = outcomes.iter().filter(|reply| **reply).count();
    assert!((8..=32).contains(&replies), "the reply was first in {replies} of 40");
}

/// Reaches a step and records when it continues, repeatedly.
fn marker() -> fencepost_sim::Process<Msg, Note> {
    process(|ctx| async move {
        for n in 0..5 {
            ctx.sleep(secs(1)).await;
            note(&ctx, "before", n);
            ctx.reach_step("mark").await;
            note(&ctx, "after", n);
        }
    })
}

#[test]
fn a_triggered_pause_acts_exactly_at_its_step() {
    let plan = fault::<Pause>(json!({}), on("client-1", "mark", 3, secs(0)), node("client-1"), Some(secs(7)));
    let seen = lab().client(marker()).client(marker()).with(plan).run();
    let of_first = |what: &str| -> Vec<Duration> {
        let notes = seen.notes.iter().filter(|(_, note)| note.node.0 == 0 && note.what == what);
        notes.map(|(time, _)| time.since_start()).collect()
    };
    assert_eq!(of_first("before"), [1, 2, 3, 11, 12].map(secs));
    assert_eq!(of_first("after"), [1, 2, 10, 11, 12].map(secs));
    assert_eq!(seen.when_at(1, "after", 2), secs(3), "the other client is not paused");
}

#[test]
fn a_trigger_waits_after_its_step() {
    let plan = fault::<Pause>(json!({}), on("client-1", "mark", 2, ms(1_500)), node("client-1"), Some(secs(5)));
    let seen = lab().client(marker()).with(plan).run();
    assert_eq!(
        seen.all("after").iter().map(|(time, _)| *time).collect::<Vec<_>>(),
        [secs(1), secs(2), secs(3), ms(8_500), ms(9_500)]
    );
}

#[test]
fn a_paused_machine_loses_monotonic_time_and_its_wall_clock_steps() {
    let plan = fault::<VmPause>(json!({}), at(ms(1_500)), node("client-1"), Some(secs(4)));
    let seen = lab().client(ticker()).with(plan).run();
    // The sleep that spans the pause still takes a second by the frozen clock.
    assert_eq!(seen.all("mono")[1], (secs(6), 2_000_000_000));
    assert_eq!(seen.all("wall")[1], (secs(6), 6_000_000_000));
}

#[test]
fn messages_to_a_paused_machine_wait_for_it() {
    let plan = fault::<VmPause>(json!({}), at(ms(1_500)), node("server-1"), Some(secs(2)));
    let seen = lab().client(pinger("server-1", 2, secs(1), secs(60))).with(plan).run();
    assert_eq!(seen.when("got", 1), ms(3_500));
    assert_eq!(seen.touched(), [true]);
}

#[test]
fn clocks_run_during_a_process_pause_that_outlasts_a_machine_pause() {
    let vm = fault::<VmPause>(json!({}), at(ms(1_500)), node("client-1"), Some(secs(2)));
    let seen = lab().client(ticker()).with(vm).with(pause("client-1", ms(2_500), secs(4))).run();
    // Frozen from 1.5 to 3.5 s, stopped until 6.5 s.
    assert_eq!(seen.all("mono")[1], (ms(6_500), 4_500_000_000));
}

#[test]
fn a_paused_client_does_not_notice_that_its_stream_was_reset() {
    let stall = fencepost_sim::STALL_LIMIT * 2;
    let hold = fault::<fencepost_sim::faults::Hold>(json!({}), at(secs(2)), link("client-1", "server-1"), Some(stall));
    let waits = process(|ctx| async move {
        let conn = ctx.connect(ctx.find("server-1"));
        let outcome = ctx.call(conn, Msg::Later(3_000), secs(50_000)).await;
        note_outcome(&ctx, 3_000, &outcome);
    });
    let late = pause("client-1", secs(100), stall + secs(1_000));
    let seen = lab().client(waits).with(hold).with(late).heal_at(secs(10_000)).run();
    assert_eq!(seen.once("reset"), secs(1_100) + stall);
}

#[test]
fn latency_counts_from_sending_and_not_from_the_resume() {
    let slow = fault::<Latency>(json!({ "add": "3s" }), at(ms(1_500)), link("client-1", "server-1"), Some(secs(60)));
    let seen = lab()
        .client(pinger("server-1", 2, secs(1), secs(60)))
        .with(slow)
        .with(pause("server-1", secs(3), secs(1)))
        .run();
    assert_eq!(seen.when("got", 1), ms(5_005), "it arrives after the pause");
}
