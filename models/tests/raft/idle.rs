//! Measures the cost of an idle cluster.

use std::time::Instant;

use crate::cluster::{Cluster, cluster, secs};

#[test]
#[ignore = "a measurement"]
#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "the test measures real time")]
fn idle() {
    for servers in [3, 5] {
        for end in [10, 1_010] {
            let start = Instant::now();
            let idle = Cluster { clients: Vec::new(), heal_at: secs(end), end_at: secs(end), ..cluster(1, servers) };
            idle.run();
            eprintln!("{servers} servers, {end} s: {:?}", start.elapsed());
        }
    }
}
