//! Streams under loss, latency, cuts and holds: in order, at most once, late rather than lost.

mod support;

use std::time::Duration;

use fencepost_sim::faults::{Hold, Latency, Loss, Partition};
use serde_json::json;
use support::*;

fn cut(when: Duration, lasts: Duration) -> fencepost_sim::schedule::FaultPlan {
    fault::<Partition>(json!({ "split": [["client-1"], ["server-1"]] }), at(when), own(), Some(lasts))
}

#[test]
fn messages_of_one_connection_arrive_in_order_and_once_under_all_faults() {
    for seed in 0..30 {
        let all = link("client-1", "server-1");
        let seen = lab()
            .seed(seed)
            .latency("1ms..50ms")
            .client(burster("server-1", 200, secs(1), ms(7)))
            .with(fault::<Loss>(json!({ "rate": 0.2 }), at(ms(1_200)), all.clone(), Some(secs(1))))
            .with(fault::<Latency>(json!({ "add": "exp(100ms)" }), at(ms(1_500)), all.clone(), Some(ms(300))))
            .with(cut(ms(1_700), ms(300)))
            .with(fault::<Hold>(json!({}), at(ms(1_900)), all, Some(ms(200))))
            .run();
        let expected: Vec<u64> = (0..200).collect();
        assert_eq!(seen.values("got")[1..], expected, "seed {seed}");
        assert_eq!(seen.values("pong"), expected, "seed {seed}");
        assert_eq!(seen.touched(), [true; 4], "seed {seed}");
    }
}

#[test]
fn a_loss_delays_a_message_by_200_ms_and_doubles_each_time() {
    let loss = fault::<Loss>(json!({ "rate": 0.4 }), at(ms(500)), one_way("client-1", "server-1"), Some(secs(10_000)));
    let seen = lab().client(pinger("server-1", 500, ms(10), secs(1_000))).with(loss).heal_at(secs(20_000)).run();
    let late = |n| seen.when("got", n) - seen.when("sent", n) - ms(1);
    let lateness: Vec<Duration> = (60..500).map(late).collect();
    for expected in [0, 200, 600, 1_400] {
        assert!(lateness.contains(&ms(expected)), "{expected} ms never occurred");
    }
    let possible: Vec<Duration> = (0..=10).map(|losses| ms((200 << losses) - 200)).collect();
    assert!(lateness.iter().all(|late| possible.contains(late)));
    let undisturbed = lateness.iter().filter(|late| late.is_zero()).count();
    assert!((200..330).contains(&undisturbed), "{undisturbed} of 440 got through at once, at a loss of 40 %");
}

#[test]
fn messages_stalled_by_a_cut_arrive_with_a_retransmission_after_it() {
    let seen = lab().client(pinger("server-1", 2, ms(1_000), secs(60))).with(cut(ms(1_900), secs(2))).run();
    assert_eq!(seen.when("sent", 1), ms(2_004));
    // Retransmissions follow 0.2, 0.6, 1.4 and 3.0 s after sending; the cut ends 1.896 s after sending.
    assert_eq!(seen.when("got", 1), ms(2_004 + 3_000 + 1));
    assert_eq!(seen.when("pong", 1), ms(2_004 + 3_000 + 2));
}

#[test]
fn a_one_way_cut_leaves_the_other_direction_open() {
    let requests = fault::<Hold>(json!({}), at(ms(1_900)), one_way("client-1", "server-1"), Some(secs(2)));
    let seen = lab().client(pinger("server-1", 2, ms(1_000), secs(60))).with(requests).run();
    assert_eq!(seen.when("got", 1), ms(3_901));
    let replies = fault::<Hold>(json!({}), at(ms(1_900)), one_way("server-1", "client-1"), Some(secs(2)));
    let seen = lab().client(pinger("server-1", 2, ms(1_000), secs(60))).with(replies).run();
    assert_eq!(seen.when("got", 1), ms(2_005));
    assert_eq!(seen.when("pong", 1), ms(3_901));
}

#[test]
fn under_a_one_way_partition_a_node_sends_but_does_not_receive() {
    let deaf = fault::<Partition>(json!({ "shape": "one-way" }), at(ms(1_900)), own(), Some(secs(2)));
    let both = (0..20).map(|seed| {
        let seen = lab().seed(seed).client(pinger("server-1", 2, secs(1), secs(60))).with(deaf.clone()).run();
        assert!(seen.when("pong", 1) > ms(3_900));
        seen.when("got", 1) == ms(2_005)
    });
    let client_is_deaf = both.filter(|heard| *heard).count();
    assert!(
        (1..20).contains(&client_is_deaf),
        "either node can be the one that receives nothing: {client_is_deaf} of 20"
    );
}

#[test]
fn a_hold_delivers_everything_in_order_when_it_ends() {
    let hold = fault::<Hold>(json!({}), at(ms(900)), link("client-1", "server-1"), Some(secs(2)));
    let seen = lab().client(burster("server-1", 5, secs(1), ms(10))).with(hold).run();
    let got = &seen.all("got")[1..];
    assert_eq!(got.iter().map(|(_, n)| *n).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert!(got.iter().all(|(time, _)| *time == ms(2_901)), "{got:?}");
}

#[test]
fn a_cut_affects_messages_that_would_arrive_during_it() {
    // Sent at 1.0 s, in flight for 100 ms; the cut begins after sending and ends after the arrival time.
    let seen =
        lab().latency("100ms").client(burster("server-1", 1, secs(1), ms(0))).with(cut(ms(1_050), ms(100))).run();
    // The message stalls at 1.1 s and is retransmitted 200 ms later.
    assert_eq!(seen.when("got", 0), ms(1_100 + 200 + 100));
    let passed =
        lab().latency("100ms").client(burster("server-1", 1, secs(1), ms(0))).with(cut(ms(1_020), ms(50))).run();
    assert_eq!(passed.when("got", 0), ms(1_100), "a cut that ends before the arrival has no effect");
}

#[test]
fn messages_in_flight_stay_ahead_of_messages_sent_during_the_cut() {
    // The first pings are in flight when the cut begins. The later ones stall before the first arrive and also stall.
    let seen =
        lab().latency("100ms").client(burster("server-1", 10, secs(1), ms(10))).with(cut(ms(1_045), secs(1))).run();
    assert_eq!(seen.values("got")[1..], (0..10).collect::<Vec<_>>());
}
