//! Tests of the replicated log in the simulated world.

mod cluster;
mod counter;
mod idle;

use fencepost_models::servers::raft::{Config, ReadMode};
use fencepost_sim::faults::{Crash, Partition, Pause};
use fencepost_sim::schedule::{Aim, FaultPlan, Target, Which};
use serde_json::json;
use std::time::Duration;

use self::cluster::{Cluster, at, cluster, every, fault, ms, named, secs};
use self::counter::Seen;

fn crash(what: &str, keys: serde_json::Value, when: u64) -> FaultPlan {
    fault::<Crash>(keys, at(secs(when)), named(what), None)
}

fn split(groups: serde_json::Value, when: u64, lasts: &str) -> FaultPlan {
    fault::<Partition>(json!({ "split": groups }), at(secs(when)), Aim::Own, Some(lasts))
}

fn run(cluster: Cluster) -> Seen {
    let seen = cluster.run().0;
    seen.assert_invariants();
    seen
}

#[test]
fn a_leader_is_elected_and_every_server_serves() {
    for servers in [1, 3, 5] {
        let seen = run(cluster(1, servers));
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
fn the_same_seed_gives_the_same_trace_and_different_seeds_elect_different_leaders() {
    let short = |seed| {
        let (seen, hash) = Cluster { end_at: secs(5), ..cluster(seed, 3) }.run();
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
fn a_cluster_survives_the_loss_of_a_minority_and_stops_without_a_majority() {
    for seed in 0..10 {
        let seen = run(cluster(seed, 3)
            .with(fault::<Crash>(json!({ "disk": "unsynced" }), at(secs(10)), Aim::Nodes(leader()), None))
            .with(fault::<Crash>(json!({ "disk": "unsynced" }), at(secs(20)), Aim::Nodes(leader()), None)));
        assert_eq!(seen.added_between(ms(20_100), secs(40)), 0, "a single server of three must not commit");
        assert!(seen.added_between(secs(46), secs(60)) > 100, "the cluster must make progress after healing");
        assert_eq!(seen.stale_reads(), 0);
    }
}

fn leader() -> Target {
    Target::Servers(Which::Leader)
}

/// Runs a cluster in which a partition cuts off the leader and one client from the others.
fn cut_off(seed: u64, reads: ReadMode) -> Seen {
    let probe = Cluster { end_at: secs(8), ..cluster(seed, 3) };
    let leader = probe.run().0.leaders[0].0;
    let number = usize::from(leader.0) - 3;
    let others: Vec<usize> = (0..3).filter(|n| *n != number).collect();
    let names = |kind: &str, numbers: &[usize]| numbers.iter().map(|n| format!("{kind}-{}", n + 1)).collect::<Vec<_>>();
    let (mut inside, mut outside) = (names("server", &[number]), names("server", &others));
    inside.extend(names("client", &[number]));
    outside.extend(names("client", &others));
    let config = Config { reads, check_quorum: false, ..Config::default() };
    run(Cluster { config, ..cluster(seed, 3) }.with(split(json!([inside, outside]), 10, "20s")))
}

#[test]
fn a_deposed_leader_serves_stale_reads_only_if_unchecked() {
    for seed in 0..5 {
        assert_eq!(cut_off(seed, ReadMode::Quorum).stale_reads(), 0);
        assert!(cut_off(seed, ReadMode::Unchecked).stale_reads() > 10);
        // With a lease, the leader steps down after at most two election timeouts. The others may elect a leader
        // sooner.
        assert!(cut_off(seed, ReadMode::Lease).stale_reads() <= 2);
    }
}

#[test]
fn no_acknowledged_entry_is_lost_under_faults() {
    for seed in 0..20 {
        let any = || Aim::Nodes(Target::Servers(Which::Any));
        let crash = json!({ "disk": "unsynced", "restart_after": "2s" });
        let mut cluster = cluster(seed, if seed % 2 == 0 { 3 } else { 5 })
            .with(fault::<Crash>(crash, every("1s..6s"), any(), None))
            .with(fault::<Pause>(json!({}), every("2s..8s"), any(), Some("100ms..4s")))
            .with(fault::<Partition>(json!({ "shape": "minority" }), every("3s..9s"), Aim::Own, Some("500ms..4s")))
            .with(fault::<Partition>(json!({ "shape": "one-way" }), every("5s..9s"), Aim::Own, Some("500ms..4s")));
        cluster.config.snapshot_every = 50;
        cluster.config.keep_entries = 10;
        let seen = run(cluster);
        assert_eq!(seen.stale_reads(), 0, "seed {seed}");
        assert!(seen.added_between(secs(50), secs(60)) > 100, "seed {seed}");
    }
}

#[test]
fn acknowledged_entries_survive_the_crash_of_all_servers_only_with_fsync() {
    for fsync in [true, false] {
        let all = Aim::Nodes(Target::Servers(Which::All));
        let keys = json!({ "disk": "unsynced", "restart_after": "1s" });
        let mut cluster = cluster(1, 3).with(fault::<Crash>(keys, at(secs(10)), all, None));
        cluster.config.fsync = fsync;
        let (seen, _) = cluster.run();
        let (_, first, _) = seen.added[0];
        assert!(seen.lists.iter().all(|list| list.contains(&first) == fsync));
        assert!(seen.added_between(secs(20), secs(60)) > 100);
        if fsync {
            seen.assert_invariants();
        }
    }
}

#[test]
fn without_a_leader_proposals_wait_or_fail_at_once() {
    for queues in [true, false] {
        let mut cluster = Cluster { end_at: secs(4), ..cluster(3, 3) };
        cluster.clients.iter_mut().for_each(|work| work.reads = false);
        cluster.config.queue_without_leader = queues;
        let seen = run(cluster);
        assert_eq!(seen.failed == 0, queues, "{}", seen.failed);
        assert!(!seen.added.is_empty());
    }
}

#[test]
fn a_server_that_lags_far_behind_receives_a_snapshot() {
    for seed in 0..5 {
        let mut cluster = cluster(seed, 3).with(crash("server-2", json!({ "restart_after": "10s" }), 5));
        (cluster.config.snapshot_every, cluster.config.keep_entries) = (50, 10);
        let seen = run(cluster);
        let lengths: Vec<usize> = seen.lists.iter().map(Vec::len).collect();
        assert_eq!(seen.restored, 1, "seed {seed} {lengths:?} {:?}", seen.leaders);
        assert!(lengths.iter().all(|length| length.abs_diff(lengths[0]) < 10), "{lengths:?}");
    }
}

/// After a lost connection, the leader probes for the last common entry, even before entries that the server had
/// acknowledged. A wiped server therefore catches up even if it ignores heartbeats of a leader that relies on its lost
/// entries.
#[test]
fn a_wiped_server_catches_up_whether_or_not_it_answers_heartbeats() {
    for (seed, resend) in (0..5).flat_map(|seed| [(seed, true), (seed, false)]) {
        let plan = crash("server-2", json!({ "disk": "wipe", "restart_after": "1s" }), 5);
        let mut cluster = cluster(seed, 3).with(plan);
        cluster.config.resend_lost_entries = resend;
        let seen = cluster.run().0;
        if resend {
            seen.assert_invariants();
        }
        assert!(seen.added_between(secs(10), secs(60)) > 100, "seed {seed}: no progress");
        assert!(seen.lists[1].len() + 10 > seen.lists[0].len(), "seed {seed}, {resend}: the server stays behind");
    }
}

/// Lost disks may break every guarantee except one: the cluster makes progress, or its members stop, without a panic.
/// The assertions check that some run did lose data, so the test reaches these states.
#[test]
fn lost_disks_cause_no_panic() {
    let mut lossy = 0;
    for seed in 0..20 {
        let any = || Aim::Nodes(Target::Servers(Which::Any));
        let disk = if seed % 2 == 0 { "wipe" } else { "unsynced" };
        let crash = json!({ "disk": disk, "restart_after": "500ms" });
        let mut cluster = cluster(seed, 3).with(fault::<Crash>(crash, every("500ms..4s"), any(), None));
        cluster.config.resend_lost_entries = seed % 4 < 2;
        cluster.config.fsync = false;
        cluster.config.snapshot_every = 50;
        let (seen, _) = cluster.run();
        assert!(!seen.added.is_empty(), "seed {seed}: no addition was acknowledged");
        let lost = |(_, number, _): &(Duration, u32, u64)| seen.lists.iter().all(|list| !list.contains(number));
        lossy += usize::from(seen.added.iter().any(lost));
    }
    assert!(lossy > 0, "no run lost an acknowledged entry");
}
