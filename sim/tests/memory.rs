//! Worlds free their memory. This test has its own file, because it must not measure other tests' memory.

mod support;

use fencepost_sim::Host;
use fencepost_sim::faults::{Crash, Pause};
use serde_json::json;
use support::*;

/// Runs a world that ends with one client waiting for a reply, one paused, one crashed and one asleep.
fn tiny(host: Host, seed: u64) {
    let waits = || {
        process(|ctx| async move {
            let conn = ctx.connect(ctx.find("server-1"));
            let _ = ctx.call(conn, Msg::Later(900_000), secs(1_000)).await;
        })
    };
    let sleeps = process(|ctx| async move { ctx.sleep(secs(1_000)).await });
    let seen = lab()
        .host(host)
        .seed(seed)
        .client(waits())
        .client(waits())
        .client(waits())
        .client(sleeps)
        .with(fault::<Pause>(json!({}), at(secs(1)), node("client-2"), Some(secs(1_000))))
        .with(fault::<Crash>(json!({}), at(secs(1)), node("client-3"), None))
        .heal_at(secs(10))
        .end_at(secs(3))
        .run();
    assert_eq!(seen.fired(), [true, true]);
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// Tests both hosts in one function, because tests in one file run concurrently.
#[test]
fn thousands_of_worlds_leak_no_memory() {
    for (host, worlds) in [(Host::Driver, 20_000), (Host::MadsimNodes, 10_000)] {
        (0..2_000).for_each(|seed| tiny(host, seed));
        let before = resident_bytes();
        (0..worlds).for_each(|seed| tiny(host, seed));
        let grown = resident_bytes().saturating_sub(before);
        assert!(grown < 4 << 20, "{host:?}: memory grew by {} KiB: {} bytes a world", grown >> 10, grown / worlds);
    }
}
