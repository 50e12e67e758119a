//! What a message costs: in fencepost, in a bare event loop, and in its peers. All variants run in one process, one after
//! the other in each round, so that a noisy machine disturbs them alike; compare ratios, not times. Times are of the
//! thread's CPU, since a longer variant is more likely to be preempted on a busy machine than the floor is.
//!
//! `cargo run --release [ROUNDS [PEERS]]`; with `PEERS` = `none` the peers are left out, to profile the kernel.

mod endpoint;
mod floor;
mod harness;
mod kernel;
mod peer_turmoil;

use rustix::time::{ClockId, clock_gettime};

/// Clients that each send so many requests to one server, one at a time, over 1 to 10 ms each way.
#[derive(Clone, Copy)]
struct Workload {
    clients: u64,
    requests: u64,
}

impl Workload {
    /// Requests and replies.
    fn messages(self) -> u64 {
        2 * self.clients * self.requests
    }
}

/// A way to run a workload, from a seed; returns how many replies came, so that nobody can cheat.
struct Variant {
    name: &'static str,
    run: fn(Workload, u64) -> u64,
}

const VARIANTS: &[Variant] = &[
    Variant { name: "floor: a heap, no async", run: floor::run },
    Variant { name: "kernel: no hash, no notes", run: kernel::bare },
    Variant { name: "kernel: hash and notes", run: kernel::traced },
    // The place of the whole harness (history, checkers, hash): harness::run, as soon as it is there.
    Variant { name: "madsim Endpoint", run: endpoint::run },
    Variant { name: "turmoil UDP", run: peer_turmoil::run },
];

/// How many variants come before the peers.
const PEERS: usize = 3;

fn main() {
    let rounds =
        std::env::args().nth(1).map_or(7, |rounds| rounds.parse().expect("the argument is a number of rounds"));
    let variants = if std::env::args().nth(2).as_deref() == Some("none") { &VARIANTS[..PEERS] } else { VARIANTS };
    let long = Workload { clients: 10, requests: 1_000 };
    let short = Workload { clients: 10, requests: 20 };
    table("10 clients × 1000 requests", long, rounds, 1, variants);
    // A short run alone is too short for the clock.
    table("10 clients × 20 requests, a new world for each", short, rounds, 50, variants);
    if !harness::READY {
        println!("whole harness: not wired up yet\n");
    }
    empty_worlds(rounds);
}

fn table(title: &str, workload: Workload, rounds: usize, repeats: u64, variants: &[Variant]) {
    let mut samples = vec![Vec::new(); variants.len()];
    for round in 0..=rounds {
        for (variant, samples) in variants.iter().zip(&mut samples) {
            let begun = cpu_time();
            for repeat in 0..repeats {
                let replies = (variant.run)(workload, round as u64 * repeats + repeat);
                assert_eq!(replies, workload.clients * workload.requests, "{}", variant.name);
            }
            // The first round warms up.
            if round > 0 {
                samples.push((cpu_time() - begun) / (workload.messages() * repeats) as f64);
            }
        }
    }
    println!("{title} ({rounds} rounds)");
    println!("{:<28} {:>10} {:>19} {:>9}", "", "ns/message", "min–max", "× floor");
    let floor = median(&mut samples[0]);
    for (variant, samples) in variants.iter().zip(&mut samples) {
        let middle = median(samples);
        let spread = format!("{:.1}–{:.1}", samples[0], samples[samples.len() - 1]);
        println!("{:<28} {middle:>10.1} {spread:>19} {:>9.2}", variant.name, middle / floor);
    }
    println!();
}

fn empty_worlds(rounds: usize) {
    const WORLDS: u64 = 1_000;
    let mut samples = Vec::new();
    for round in 0..=rounds {
        let begun = cpu_time();
        (0..WORLDS).for_each(kernel::empty);
        if round > 0 {
            samples.push((cpu_time() - begun) / 1e3 / WORLDS as f64);
        }
    }
    let middle = median(&mut samples);
    println!("a world of 5 clients and 5 servers, built and taken down: {middle:.1} µs (min {:.1})", samples[0]);
}

/// Nanoseconds that this thread has run; every variant runs on one thread.
fn cpu_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Sorts the samples and takes the one in the middle.
fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}
