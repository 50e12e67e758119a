//! Datagrams: lost, duplicated and reordered.

mod support;

use fencepost_sim::faults::{Crash, Duplicate, Hold, Loss, Partition};
use serde_json::json;
use support::*;

#[test]
fn datagrams_need_no_connection_and_are_reordered() {
    let seen = lab().datagram().latency("1ms..50ms").client(burster("server-1", 100, secs(1), ms(1))).run();
    let mut got = seen.values("got")[1..].to_vec();
    let expected: Vec<u64> = (0..100).collect();
    assert_ne!(got, expected, "none overtook another");
    got.sort_unstable();
    assert_eq!(got, expected);
    assert!(seen.all("connected").is_empty());
}

#[test]
fn lost_datagrams_never_arrive() {
    let loss = fault::<Loss>(json!({ "rate": 0.5 }), at(ms(500)), link("client-1", "server-1"), Some(secs(50)));
    let seen = lab().datagram().watched().client(burster("server-1", 400, secs(1), ms(1))).with(loss).run();
    let got = seen.values("got").len() - 1;
    assert!((150..250).contains(&got), "{got} of 400 arrived at a loss of 50 %");
    let lost = seen.lines.iter().filter(|(_, line)| line.starts_with("{\"lost\"") && line.contains("Ping")).count();
    assert_eq!(lost, 400 - got);
    assert_eq!(seen.touched(), [true]);
}

#[test]
fn duplicated_datagrams_arrive_twice_and_streams_discard_the_copies() {
    let duplicate =
        || fault::<Duplicate>(json!({ "rate": 0.5 }), at(ms(500)), one_way("client-1", "server-1"), Some(secs(50)));
    let seen = lab().datagram().client(burster("server-1", 400, secs(1), ms(1))).with(duplicate()).run();
    let copies = seen.values("got").len() - 1 - 400;
    assert!((150..250).contains(&copies), "{copies} copies of 400 at 50 %");
    assert_eq!(seen.values("pong").len(), 400);
    assert_eq!(seen.touched(), [true]);
    let stream = lab().client(burster("server-1", 400, secs(1), ms(1))).with(duplicate()).run();
    assert_eq!(stream.values("got").len(), 401);
    assert_eq!((stream.fired(), stream.touched()), (vec![true], vec![false]));
}

#[test]
fn a_cut_loses_datagrams_and_a_hold_keeps_them() {
    let client = || burster("server-1", 10, secs(1), ms(10));
    let split = json!({ "split": [["client-1"], ["server-1"]] });
    let cut = fault::<Partition>(split, at(ms(1_045)), own(), Some(secs(1)));
    let seen = lab().datagram().latency("20ms").client(client()).with(cut).run();
    // Datagrams sent by 1.02 s arrive before the cut; the next two are in flight when it begins.
    assert_eq!(seen.values("got")[1..], [0, 1, 2]);
    let hold = fault::<Hold>(json!({}), at(ms(1_045)), link("client-1", "server-1"), Some(secs(1)));
    let seen = lab().datagram().latency("20ms").client(client()).with(hold).run();
    assert_eq!(seen.values("got").len(), 11);
    assert_eq!(seen.all("got")[4].0, ms(2_045 + 20));
}

#[test]
fn a_datagram_to_a_dead_process_is_lost() {
    let crash = fault::<Crash>(json!({}), at(secs(1)), node("server-1"), None);
    let seen = lab().datagram().client(pinger("server-1", 1, secs(2), secs(5))).with(crash).run();
    assert_eq!(seen.once("timed out"), secs(7));
    assert_eq!(seen.touched(), [true]);
}
