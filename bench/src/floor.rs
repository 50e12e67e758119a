//! The floor: an event loop that only delivers the same messages.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::Workload;

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Message {
    from: u16,
    to: u16,
    body: Body,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Body {
    Ask(u64),
    Answer(u64),
}

pub fn run(workload: Workload, seed: u64) -> u64 {
    let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut latency = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        1_000_000 + random % 9_000_001
    };
    let server = workload.clients as u16;
    let mut heap = BinaryHeap::new();
    let mut sequence = workload.clients;
    let mut asked = vec![1; workload.clients as usize];
    for client in 0..server {
        heap.push(Reverse((latency(), u64::from(client), Message { from: client, to: server, body: Body::Ask(0) })));
    }
    let mut replies = 0;
    while let Some(Reverse((now, _, Message { from, to, body }))) = heap.pop() {
        let body = match body {
            Body::Ask(number) => Body::Answer(number),
            Body::Answer(_) => {
                replies += 1;
                let number = asked[to as usize];
                if number == workload.requests {
                    continue;
                }
                asked[to as usize] += 1;
                Body::Ask(number)
            }
        };
        heap.push(Reverse((now + latency(), sequence, Message { from: to, to: from, body })));
        sequence += 1;
    }
    replies
}
