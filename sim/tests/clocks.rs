//! Clocks that run at the wrong rate, and wall clocks that step.

mod support;

use std::time::Duration;

use fencepost_sim::faults::{ClockRate, ClockStep, Hold, VmPause};
use fencepost_sim::schedule::{FaultPlan, Schedule};
use fencepost_sim::stream::Streams;
use fencepost_sim::{Process, SimTime};
use serde_json::json;
use support::*;

fn rate(ppm: i64, when: Duration, lasts: Duration) -> FaultPlan {
    let mut plan = fault::<ClockRate>(json!({ "ppm": ppm }), at(when), node("client-1"), Some(lasts));
    plan.name = format!("rate {ppm} at {when:?}");
    plan
}

/// Sleeps once and records when the sleep ends, by both clocks.
fn sleeper(how_long: Duration) -> Process<Msg, Note> {
    process(move |ctx| async move {
        ctx.sleep(how_long).await;
        note(&ctx, "mono", ctx.mono().0);
        note(&ctx, "wall", ctx.wall().0 as u64);
    })
}

#[test]
fn a_clock_ten_percent_fast_sleeps_ten_seconds_in_nine() {
    let seen = lab().client(sleeper(secs(10))).with(rate(100_000, secs(0), secs(60))).run();
    assert_eq!(seen.once("mono").as_nanos(), 9_090_909_091);
    assert_eq!(seen.values("mono"), [10_000_000_000]);
    let slow = lab().client(sleeper(secs(10))).with(rate(-100_000, secs(0), secs(60))).run();
    assert_eq!(slow.once("mono").as_nanos(), 11_111_111_112);
}

#[test]
fn a_change_of_rate_in_mid_sleep_is_exact() {
    // 5 s at +10 % are 5.5 s; the other 4.5 s at −50 % take 9 s.
    let seen = lab()
        .client(sleeper(secs(10)))
        .with(rate(100_000, secs(0), secs(5)))
        .with(rate(-500_000, secs(5), secs(60)))
        .run();
    assert_eq!(seen.once("mono"), secs(14));
    assert_eq!(seen.values("mono"), [10_000_000_000]);
}

#[test]
fn overlapping_rates_add_up_and_end_one_by_one() {
    // 2 s at +10 %, 2 s at +30 %, then true time again: 2.2 + 2.6 s by the clock after 4 s.
    let seen = lab()
        .client(sleeper(secs(10)))
        .with(rate(100_000, secs(0), secs(4)))
        .with(rate(200_000, secs(2), secs(2)))
        .run();
    assert_eq!(seen.once("mono"), secs(4) + ms(10_000 - 4_800));
}

#[test]
fn a_step_moves_the_wall_clock_alone() {
    let step = fault::<ClockStep>(json!({ "by": "-30s" }), at(secs(2)), node("client-1"), None);
    let seen = lab().client(sleeper(secs(40))).with(step).run();
    assert_eq!(seen.once("mono"), secs(40));
    assert_eq!(seen.values("mono"), [40_000_000_000]);
    assert_eq!(seen.values("wall"), [10_000_000_000]);
}

#[test]
fn steps_drawn_from_a_range_differ_and_stay_within_it() {
    let step = || fault::<ClockStep>(json!({ "by": "-5s..5s" }), at(secs(2)), node("client-1"), None);
    let walls: Vec<i64> = (0..50)
        .map(|seed| lab().seed(seed).client(sleeper(secs(40))).with(step()).run().values("wall")[0] as i64)
        .collect();
    assert!(walls.iter().all(|wall| (wall - 40_000_000_000).abs() <= 5_000_000_000));
    assert!(walls.iter().any(|wall| *wall < 38_000_000_000) && walls.iter().any(|wall| *wall > 42_000_000_000));
}

#[test]
fn a_clock_whose_rate_changes_during_a_machine_pause_steps_by_the_whole_gap() {
    // Frozen from 2 to 6 s; at 4 s the rate becomes +10 %: on resume the wall clock has missed 2 s and 2.2 s.
    let vm = fault::<VmPause>(json!({}), at(secs(2)), node("client-1"), Some(secs(4)));
    let seen = lab().client(sleeper(ms(3_100))).with(vm).with(rate(100_000, secs(4), secs(60))).run();
    assert_eq!(seen.all("mono"), [(secs(7), 3_100_000_000)]);
    assert_eq!(seen.values("wall"), [3_100_000_000 + 4_200_000_000]);
}

#[test]
fn the_observer_reads_the_clocks_of_all_nodes() {
    let step = fault::<ClockStep>(json!({ "by": "30s" }), at(secs(2)), node("client-1"), None);
    let seen = lab().watched().client(sleeper(secs(40))).with(step).end_at(secs(50)).run();
    let (time, clocks) = seen.clocks.iter().rfind(|(time, _)| time.since_start() == secs(40)).unwrap();
    assert_eq!(clocks, &[(time.0, time.0 as i64 + 30_000_000_000), (time.0, time.0 as i64)]);
}

#[test]
fn rates_of_overlapping_faults_add_up_in_the_allowance() {
    let slow = |from, lasts| {
        fault::<ClockRate>(json!({ "ppm": -300_000 }), at(secs(from)), node("client-1"), Some(secs(lasts)))
    };
    let allowance = |plans: Vec<_>| Schedule::draw(&plans.into(), &Streams::new(0), SimTime(0) + secs(99)).allowance();
    assert_eq!(allowance(vec![slow(1, 5), slow(10, 5)]).slowest_ppm, 300_000);
    assert_eq!(allowance(vec![slow(1, 5), slow(3, 5), slow(10, 5)]).slowest_ppm, 600_000);
}

#[test]
fn consecutive_cuts_count_as_one_silence() {
    let cut = |from, lasts| fault::<Hold>(json!({}), at(secs(from)), link("client-1", "server-1"), Some(secs(lasts)));
    let silence = |plans: Vec<_>| {
        Schedule::draw(&plans.into(), &Streams::new(0), SimTime(0) + secs(99)).allowance().reconnect.as_secs()
    };
    assert_eq!(silence(vec![cut(1, 10)]), 10);
    assert_eq!(silence(vec![cut(1, 10), cut(8, 10)]), 17, "they overlap");
    assert_eq!(silence(vec![cut(1, 10), cut(15, 10)]), 24, "the next retransmission came after the second began");
    assert_eq!(silence(vec![cut(1, 10), cut(40, 10)]), 10, "it came before that");
    assert_eq!(silence((0..20).map(|n| cut(1 + 9 * n, 10)).collect()), 120, "and it never waits longer than this");
}
