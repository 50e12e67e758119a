//! The replicated core in the simulated world.

mod counter;
mod idle;
mod lab;

use fencepost_models::servers::raft::{Config, ReadMode};
use fencepost_sim::faults::{Crash, Partition, Pause};
use fencepost_sim::schedule::{Aim, FaultPlan, Target, Which};
use serde_json::json;

use self::counter::Seen;
use self::lab::{Lab, at, every, fault, lab, ms, named, secs};

fn crash(what: &str, keys: serde_json::Value, when: u64) -> FaultPlan {
    fault::<Crash>(keys, at(secs(when)), named(what), None)
}

fn split(groups: serde_json::Value, when: u64, lasts: &str) -> FaultPlan {
    fault::<Partition>(json!({ "split": groups }), at(secs(when)), Aim::Own, Some(lasts))
}

fn run(lab: Lab) -> Seen {
    let seen = lab.run().0;
    seen.assert_sound();
    seen
}

#[test]
fn a_leader_is_elected_and_every_server_serves() {
    for servers in [1, 3, 5] {
        let seen = run(lab(1, servers));
        assert_eq!(seen.leaders.len(), 1);
        assert_eq!(seen.stale_reads(), 0);
        let first = seen.added.first().unwrap().0;
        assert!(first < secs(4), "{first:?}");
        for server in 0..servers as u32 {
            let own = seen.added.iter().filter(|(_, number, _)| number / 1_000_000 == server).count();
            assert!(own > 1_000, "client {server}: {own}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_trace_and_others_give_other_leaders() {
    let short = |seed| {
        let (seen, hash) = Lab { end_at: secs(5), ..lab(seed, 3) }.run();
        (seen.leaders[0].0, hash)
    };
    for seed in 0..5 {
        assert_eq!(short(seed), short(seed));
    }
    let mut leaders: Vec<_> = (0..20).map(|seed| short(seed).0).collect();
    leaders.sort_unstable();
    leaders.dedup();
    assert_eq!(leaders.len(), 3);
}

#[test]
fn it_survives_the_loss_of_a_minority_and_stops_without_a_majority() {
    for seed in 0..10 {
        let seen = run(lab(seed, 3)
            .with(fault::<Crash>(json!({ "disk": "unsynced" }), at(secs(10)), Aim::Nodes(leader()), None))
            .with(fault::<Crash>(json!({ "disk": "unsynced" }), at(secs(20)), Aim::Nodes(leader()), None)));
        assert!(seen.added_between(secs(13), secs(20)) > 100, "two of three go on");
        assert_eq!(seen.added_between(ms(20_100), secs(40)), 0, "one of three does not");
        assert!(seen.added_between(secs(46), secs(60)) > 100, "and all together do again");
        assert_eq!(seen.stale_reads(), 0);
    }
}

fn leader() -> Target {
    Target::Servers(Which::Leader)
}

/// A leader that is cut off with one client, while the rest goes on.
fn cut_off(seed: u64, reads: ReadMode) -> Seen {
    let alone = Lab { end_at: secs(8), ..lab(seed, 3) };
    let leader = alone.run().0.leaders[0].0;
    let number = usize::from(leader.0) - 3;
    let others: Vec<usize> = (0..3).filter(|n| *n != number).collect();
    let names = |kind: &str, of: &[usize]| of.iter().map(|n| format!("{kind}-{}", n + 1)).collect::<Vec<_>>();
    let (mut inside, mut outside) = (names("server", &[number]), names("server", &others));
    inside.extend(names("client", &[number]));
    outside.extend(names("client", &others));
    let config = Config { reads, check_quorum: false, ..Config::default() };
    run(Lab { config, ..lab(seed, 3) }.with(split(json!([inside, outside]), 10, "20s")))
}

#[test]
fn a_deposed_leader_gives_stale_reads_only_unchecked() {
    for seed in 0..5 {
        assert_eq!(cut_off(seed, ReadMode::Quorum).stale_reads(), 0);
        assert!(cut_off(seed, ReadMode::Unchecked).stale_reads() > 10);
        // With a lease, it steps down after two election timeouts at most; the others may be faster than that.
        assert!(cut_off(seed, ReadMode::Lease).stale_reads() <= 2);
    }
}

#[test]
fn nothing_acknowledged_is_lost_under_faults() {
    for seed in 0..20 {
        let any = || Aim::Nodes(Target::Servers(Which::Any));
        let crash = json!({ "disk": "unsynced", "restart_after": "2s" });
        let mut lab = lab(seed, if seed % 2 == 0 { 3 } else { 5 })
            .with(fault::<Crash>(crash, every("1s..6s"), any(), None))
            .with(fault::<Pause>(json!({}), every("2s..8s"), any(), Some("100ms..4s")))
            .with(fault::<Partition>(json!({ "shape": "minority" }), every("3s..9s"), Aim::Own, Some("500ms..4s")))
            .with(fault::<Partition>(json!({ "shape": "one-way" }), every("5s..9s"), Aim::Own, Some("500ms..4s")));
        lab.config.snapshot_every = 50;
        lab.config.keep_entries = 10;
        let seen = run(lab);
        assert_eq!(seen.stale_reads(), 0, "seed {seed}");
        assert!(seen.added_between(secs(50), secs(60)) > 100, "seed {seed}");
    }
}

#[test]
fn what_was_acknowledged_survives_the_crash_of_all_only_with_fsync() {
    for fsync in [true, false] {
        let all = Aim::Nodes(Target::Servers(Which::All));
        let keys = json!({ "disk": "unsynced", "restart_after": "1s" });
        let mut lab = lab(1, 3).with(fault::<Crash>(keys, at(secs(10)), all, None));
        lab.config.fsync = fsync;
        let (seen, _) = lab.run();
        let (_, first, _) = seen.added[0];
        assert!(seen.lists.iter().all(|list| list.contains(&first) == fsync));
        assert!(seen.added_between(secs(20), secs(60)) > 100);
        if fsync {
            seen.assert_sound();
        }
    }
}

#[test]
fn without_a_leader_proposals_wait_or_fail_at_once() {
    for holds in [true, false] {
        let mut lab = Lab { end_at: secs(4), ..lab(3, 3) };
        lab.clients.iter_mut().for_each(|work| work.reads = false);
        lab.config.holds = holds;
        let seen = run(lab);
        assert_eq!(seen.sorry == 0, holds, "{}", seen.sorry);
        assert!(!seen.added.is_empty());
    }
}

#[test]
fn a_server_that_lags_far_behind_gets_the_state() {
    for seed in 0..5 {
        let mut lab = lab(seed, 3).with(crash("server-2", json!({ "restart_after": "10s" }), 5));
        (lab.config.snapshot_every, lab.config.keep_entries) = (50, 10);
        let seen = run(lab);
        let lengths: Vec<usize> = seen.lists.iter().map(Vec::len).collect();
        assert_eq!(seen.restored, 1, "seed {seed} {lengths:?} {:?}", seen.leaders);
        assert!(lengths.iter().all(|length| length.abs_diff(lengths[0]) < 10), "{lengths:?}");
    }
}

#[test]
fn a_wiped_server_is_taught_again_if_the_leader_lets_it_and_is_deaf_otherwise() {
    let wiped = |seed, rejoins| {
        let plan = crash("server-2", json!({ "disk": "wipe", "restart_after": "1s" }), 5);
        let mut lab = lab(seed, 3).with(plan);
        lab.config.rejoins = rejoins;
        lab.run().0
    };
    for seed in 0..5 {
        let seen = wiped(seed, true);
        seen.assert_sound();
        assert!(seen.lists[1].len() + 10 > seen.lists[0].len());
        let seen = wiped(seed, false);
        assert!(seen.added_between(secs(10), secs(60)) > 100, "the others go on");
    }
}

#[test]
fn without_fsync_or_disks_much_may_happen_but_no_panic() {
    for seed in 0..20 {
        let any = || Aim::Nodes(Target::Servers(Which::Any));
        let disk = if seed % 2 == 0 { "wipe" } else { "unsynced" };
        let crash = json!({ "disk": disk, "restart_after": "500ms" });
        let mut lab = lab(seed, 3).with(fault::<Crash>(crash, every("500ms..4s"), any(), None));
        lab.config.rejoins = seed % 4 < 2;
        lab.config.fsync = false;
        lab.config.snapshot_every = 50;
        lab.run();
    }
}
