//! Requests and replies over streams, and how they fail.

mod support;

use fencepost_sim::faults::{Crash, Hold, Partition};
use serde_json::json;
use support::*;

#[test]
fn a_pong_arrives_after_the_latency_of_both_directions() {
    let seen = lab().client(pinger("server-1", 5, secs(1), secs(1))).run();
    assert_eq!(seen.values("pong"), [0, 1, 2, 3, 4]);
    // The first call opens the connection, which takes another round trip.
    assert_eq!(seen.when("pong", 0) - seen.when("sent", 0), ms(4));
    assert_eq!(seen.when("pong", 1) - seen.when("sent", 1), ms(2));
}

#[test]
fn latency_spans_the_configured_range() {
    let seen = lab().latency("1ms..5ms").client(pinger("server-1", 400, ms(10), secs(1))).end_at(secs(20)).run();
    let one_way: Vec<_> = (1..400).map(|n| seen.when("got", n) - seen.when("sent", n)).collect();
    assert!(one_way.iter().all(|latency| (ms(1)..=ms(5)).contains(latency)));
    assert!(one_way.iter().any(|latency| *latency < ms(2)) && one_way.iter().any(|latency| *latency > ms(4)));
}

#[test]
fn a_process_that_is_down_refuses() {
    let crash = fault::<Crash>(json!({}), at(secs(1)), node("server-1"), None);
    let seen = lab().client(pinger("server-1", 1, secs(2), secs(5))).with(crash).run();
    assert_eq!(seen.once("refused"), secs(2) + ms(2));
    assert!(seen.all("got").is_empty());
}

#[test]
fn a_call_on_a_connection_to_a_dead_host_times_out() {
    let crash = fault::<Crash>(json!({ "what": "host" }), at(ms(2_500)), node("server-1"), None);
    let seen = lab().client(pinger("server-1", 3, secs(1), secs(5))).with(crash).end_at(secs(50)).run();
    assert_eq!(seen.values("pong"), [0, 1]);
    assert_eq!(seen.when("timed out", 2) - seen.when("sent", 2), secs(5));
}

#[test]
fn a_call_that_was_never_sent_is_refused_on_timeout() {
    let crash = fault::<Crash>(json!({ "what": "host" }), at(secs(0)), node("server-1"), None);
    let seen = lab().client(pinger("server-1", 1, secs(1), secs(5))).with(crash).end_at(secs(50)).run();
    assert_eq!(seen.once("refused"), secs(6));
    let healed = lab()
        .client(pinger("server-1", 1, secs(1), secs(5)))
        .with(fault::<Crash>(json!({ "what": "host", "restart_after": "10s" }), at(secs(0)), node("server-1"), None))
        .run();
    assert!(healed.all("got").is_empty(), "the call has failed, so its request must not be sent later");
    assert_eq!(healed.all("connected").len(), 1);
}

#[test]
fn a_restarted_host_resets_old_connections() {
    let crash = fault::<Crash>(json!({ "what": "host", "restart_after": "1s" }), at(ms(2_500)), node("server-1"), None);
    let seen = lab().client(pinger("server-1", 4, secs(1), secs(30))).with(crash).run();
    // Sent at 3.006 s, retransmitted after 200, 400, .. ms; the host is back at 3.5 s and receives the one at 3.607 s.
    let reset = seen.when("reset", 2);
    assert!(reset > ms(3_500) && reset < secs(5), "{reset:?}");
    assert_eq!(seen.values("pong"), [0, 1, 3]);
    assert_eq!(seen.values("got"), [0, 1, 3]);
}

#[test]
fn peers_of_a_crashed_process_notice_at_once() {
    let waits = process(|ctx| async move {
        let conn = ctx.connect(ctx.find("server-1"));
        let outcome = ctx.call(conn, Msg::Later(60_000), secs(50)).await;
        note_outcome(&ctx, 60_000, &outcome);
    });
    let crash = fault::<Crash>(json!({}), at(secs(1)), node("server-1"), None);
    let seen = lab().client(waits).with(crash).run();
    assert_eq!(seen.once("reset"), secs(1) + ms(1));
}

#[test]
fn after_an_unnoticed_reset_the_next_call_fails_and_the_one_after_reconnects() {
    let crash = fault::<Crash>(json!({ "restart_after": "1ms" }), at(ms(1_500)), node("server-1"), None);
    let seen = lab().client(pinger("server-1", 4, secs(1), secs(5))).with(crash).run();
    assert_eq!(seen.values("pong"), [0, 2, 3]);
    assert_eq!(seen.values("refused"), [1]);
    assert_eq!(seen.all("connected").len(), 2);
}

#[test]
fn a_server_notices_a_crashed_client_process_at_once_and_a_crashed_host_by_keep_alive() {
    let crash = |what| fault::<Crash>(json!({ "what": what }), at(secs(5)), node("client-1"), None);
    let lab = |what| lab().client(pinger("server-1", 1, secs(1), secs(1))).with(crash(what)).heal_at(secs(10_000));
    assert_eq!(lab("process").run().once("disconnected"), secs(5) + ms(1));
    let by_keep_alive = lab("host").end_at(secs(20_000)).run().once("disconnected");
    assert_eq!(by_keep_alive, secs(5) + fencepost_sim::KEEP_ALIVE);
}

#[test]
fn a_dead_host_retransmits_nothing() {
    // The reply stalls at the cut, then its sender's host dies and cannot retransmit it.
    let cut = fault::<Partition>(json!({ "split": [["client-1"], ["server-1"]] }), at(secs(1)), own(), Some(secs(5)));
    let crash = fault::<Crash>(json!({ "what": "host", "permanent": true }), at(secs(2)), node("server-1"), None);
    let waits = process(|ctx| async move {
        let conn = ctx.connect(ctx.find("server-1"));
        let outcome = ctx.call(conn, Msg::Later(1_500), secs(50)).await;
        note_outcome(&ctx, 1_500, &outcome);
    });
    let seen = lab().client(waits).with(cut).with(crash).run();
    assert_eq!(seen.once("timer"), ms(1_503));
    assert!(seen.all("pong").is_empty(), "{:?}", seen.words());
    assert_eq!(seen.all("timed out").len(), 1);
}

#[test]
fn a_stream_that_is_stuck_for_too_long_is_reset() {
    let cut =
        fault::<Hold>(json!({}), at(ms(1_500)), link("client-1", "server-1"), Some(fencepost_sim::STALL_LIMIT * 2));
    let seen = lab().client(pinger("server-1", 2, secs(1), secs(5_000))).with(cut).heal_at(secs(5_000)).run();
    assert_eq!(seen.values("pong"), [0]);
    assert_eq!(seen.once("reset"), ms(1_500) + fencepost_sim::STALL_LIMIT * 2);
    assert_eq!(seen.once("disconnected"), seen.once("reset"));
}
