//! Measures the cost of a message in fencepost, in a bare event loop (the floor), and in other simulators (the peers). Each
//! round runs all variants in turn in one process, so other load affects them equally. Compare ratios, not times. Times are
//! CPU times of the thread, because a long variant is preempted more often than the floor.
//!
//! `cargo run --release -- [ROUNDS [PEERS]]`; if `PEERS` is `none`, only the kernel and the floor run, for profiling.

mod endpoint;
mod floor;
mod harness;
mod kernel;
mod peer_turmoil;
mod table;

use fencepost_sim::Host;

use self::table::{Samples, cpu_time, print_table, process_time, wall_time};

/// A number of clients that each send `requests` requests to one server, one at a time, with a latency of 1 to 10 ms.
#[derive(Clone, Copy)]
struct Workload {
    clients: u64,
    requests: u64,
}

impl Workload {
    /// Returns the number of requests and replies.
    fn messages(self) -> u64 {
        2 * self.clients * self.requests
    }
}

/// A way to run a workload from a seed. `run` returns the number of replies, which is checked.
struct Variant {
    name: &'static str,
    run: fn(Workload, u64) -> u64,
}

const FLOOR: Variant = Variant { name: "floor: a heap, no async", run: floor::run };
const OURS: [Variant; 4] = [
    Variant { name: "kernel: no hash, no history", run: kernel::bare },
    Variant { name: "kernel: hash and history", run: kernel::traced },
    Variant { name: "  the same on madsim nodes", run: kernel::on_nodes },
    Variant { name: "kernel: hash and checkers", run: kernel::checked },
];
const PEERS: [Variant; 2] =
    [Variant { name: "madsim Endpoint", run: endpoint::run }, Variant { name: "turmoil UDP", run: peer_turmoil::run }];

fn main() {
    let rounds =
        std::env::args().nth(1).map_or(7, |rounds| rounds.parse().expect("the argument is a number of rounds"));
    let peers: &[Variant] = if std::env::args().nth(2).as_deref() == Some("none") { &[] } else { &PEERS };
    let long = Workload { clients: 10, requests: 1_000 };
    let short = Workload { clients: 10, requests: 20 };
    same_workload("10 clients × 1000 requests", long, rounds, 1, peers);
    // One short run is too short to measure.
    same_workload("10 clients × 20 requests, a new world for each", short, rounds, 50, peers);
    whole_harness(rounds, peers);
    empty_worlds(rounds);
    two_threads();
}

fn same_workload(title: &str, workload: Workload, rounds: u64, repeats: u64, peers: &[Variant]) {
    let variants: Vec<&Variant> = [&FLOOR].into_iter().chain(&OURS).chain(peers).collect();
    let mut samples: Vec<Samples> = variants.iter().map(|variant| Samples::new(variant.name)).collect();
    for round in 0..=rounds {
        for (variant, samples) in variants.iter().zip(&mut samples) {
            let begun = cpu_time();
            (0..repeats).for_each(|repeat| run_checked(variant, workload, round * repeats + repeat));
            // The first round is a warm-up.
            if round > 0 {
                samples.add((cpu_time() - begun) / (workload.messages() * repeats) as f64);
            }
        }
    }
    print_table(&format!("{title} ({rounds} rounds)"), samples);
}

fn run_checked(variant: &Variant, workload: Workload, seed: u64) {
    let replies = (variant.run)(workload, seed);
    assert_eq!(replies, workload.clients * workload.requests, "{}", variant.name);
}

/// Measures cases of a scenario, and the floor and the peers with the same number of messages and clients.
fn whole_harness(rounds: u64, peers: &[Variant]) {
    let cell = harness::busy();
    let others: Vec<&Variant> = [&FLOOR].into_iter().chain(peers).collect();
    let mut samples: Vec<Samples> = others.iter().map(|variant| Samples::new(variant.name)).collect();
    let mut whole = Samples::new("whole harness");
    let (mut all_messages, mut all_events) = (0, 0);
    for round in 0..=rounds {
        // Counted in a separate run, because watching takes longer than running.
        let messages = harness::delivered(&cell, round);
        let begun = cpu_time();
        let events = harness::run(&cell, round);
        let took = cpu_time() - begun;
        let alike = Workload { clients: 10, requests: messages / 20 };
        if round > 0 {
            whole.add(took / messages as f64);
            (all_messages, all_events) = (all_messages + messages, all_events + events);
        }
        for (variant, samples) in others.iter().zip(&mut samples) {
            let begun = cpu_time();
            run_checked(variant, alike, round);
            if round > 0 {
                samples.add((cpu_time() - begun) / alike.messages() as f64);
            }
        }
    }
    samples.insert(1, whole);
    let title = format!(
        "lease-server, 10 clients, {} messages and {} trace events a case ({rounds} cases)",
        all_messages / rounds,
        all_events / rounds
    );
    print_table(&title, samples);
}

fn empty_worlds(rounds: u64) {
    const WORLDS: u64 = 1_000;
    for host in [Host::Driver, Host::MadsimNodes] {
        let mut samples = Samples::new("");
        for round in 0..=rounds {
            let begun = cpu_time();
            (0..WORLDS).for_each(|seed| kernel::empty(host, seed));
            if round > 0 {
                samples.add((cpu_time() - begun) / 1e3 / WORLDS as f64);
            }
        }
        let (least, middle) = (samples.least(), samples.median());
        println!("5 clients and 5 servers, built and torn down, {host:?}: {middle:.1} µs (min {least:.1})");
    }
    println!();
}

/// Compares the wall time on one and two threads, as the best of several tries because other load increases it. The ratio of
/// the CPU times shows how much the threads slow each other down, independent of other load.
fn two_threads() {
    const CASES: u64 = 2_000;
    const TRIES: usize = 5;
    let mut took = [Samples::new("one"), Samples::new("two")];
    let mut used = [Samples::new("one"), Samples::new("two")];
    for _ in 0..TRIES {
        for (index, threads) in [1, 2].into_iter().enumerate() {
            let (begun, begun_cpu) = (wall_time(), process_time());
            harness::cases(CASES, threads);
            took[index].add((wall_time() - begun) / 1e6);
            used[index].add((process_time() - begun_cpu) / 1e6);
        }
    }
    let [one, two] = took.map(|samples| samples.least());
    let [one_cpu, two_cpu] = used.map(|samples| samples.least());
    println!("{CASES} cases, best of {TRIES}: {one:.0} ms on one thread, {two:.0} ms on two: {:.2} ×", one / two);
    println!("of CPU time: {one_cpu:.0} ms and {two_cpu:.0} ms: {:.2} × if both had a core", 2.0 * one_cpu / two_cpu);
}
