//! The workload on turmoil over UDP, the faster of its transports.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use turmoil::net::UdpSocket;

use crate::Workload;

const ANY: (IpAddr, u16) = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 1);

pub fn run(workload: Workload, seed: u64) -> u64 {
    let replies = Arc::new(AtomicU64::new(0));
    let mut sim = turmoil::Builder::new()
        .simulation_duration(Duration::from_secs(3_600))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(10))
        .rng_seed(seed)
        .build();
    sim.host("server", || async {
        let socket = UdpSocket::bind(ANY).await?;
        let mut buffer = [0; 8];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await?;
            socket.send_to(&buffer[..length], from).await?;
        }
    });
    for client in 0..workload.clients {
        let replies = replies.clone();
        sim.client(format!("client-{client}"), async move {
            let socket = UdpSocket::bind(ANY).await?;
            let mut buffer = [0; 8];
            for number in 0..workload.requests {
                socket.send_to(&number.to_le_bytes(), ("server", 1)).await?;
                socket.recv_from(&mut buffer).await?;
                replies.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
    }
    sim.run().expect("every client gets its replies");
    replies.load(Ordering::Relaxed)
}
