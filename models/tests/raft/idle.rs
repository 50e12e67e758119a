//! What a cluster costs while nobody asks it anything.

use std::time::Instant;

use crate::lab::{Lab, lab, secs};

#[test]
#[ignore = "a measurement"]
#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "real time is what is measured")]
fn idle() {
    for servers in [3, 5] {
        for end in [10, 1_010] {
            let begun = Instant::now();
            let idle = Lab { clients: Vec::new(), heal_at: secs(end), end_at: secs(end), ..lab(1, servers) };
            idle.run();
            eprintln!("{servers} servers, {end} s: {:?}", begun.elapsed());
        }
    }
}
