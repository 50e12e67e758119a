//! The workload on madsim's network.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use madsim::Config;
use madsim::net::Endpoint;
use madsim::runtime::{Handle, Runtime};

use crate::Workload;

const TO_SERVER: u64 = 1;
const TO_CLIENT: u64 = 2;

pub fn run(workload: Workload, seed: u64) -> u64 {
    let replies = Arc::new(AtomicU64::new(0));
    let runtime = Runtime::with_seed_and_config(seed, Config::default());
    runtime.block_on(async {
        let handle = Handle::current();
        let server_address = SocketAddr::from((Ipv4Addr::new(10, 0, 0, 1), 1));
        let server = handle.create_node().ip(server_address.ip()).build();
        let serving = server.spawn(async move {
            let endpoint = Endpoint::bind(server_address).await.unwrap();
            let mut buffer = [0; 8];
            loop {
                let (length, from) = endpoint.recv_from(TO_SERVER, &mut buffer).await.unwrap();
                endpoint.send_to(from, TO_CLIENT, &buffer[..length]).await.unwrap();
            }
        });
        let mut asking = Vec::new();
        for client in 0..workload.clients {
            let address = SocketAddr::from((IpAddr::from(Ipv4Addr::new(10, 0, 1, client as u8 + 1)), 1));
            let node = handle.create_node().ip(address.ip()).build();
            let replies = replies.clone();
            asking.push((node.id(), node.spawn(ask(address, server_address, workload.requests, replies))));
        }
        for (id, task) in asking {
            task.await.unwrap();
            handle.kill(id);
        }
        serving.abort();
        handle.kill(server.id());
    });
    replies.load(Ordering::Relaxed)
}

async fn ask(address: SocketAddr, server: SocketAddr, requests: u64, replies: Arc<AtomicU64>) {
    let endpoint = Endpoint::bind(address).await.unwrap();
    // The server may not be bound yet.
    madsim::time::sleep(std::time::Duration::from_millis(10)).await;
    let mut buffer = [0; 8];
    for number in 0..requests {
        endpoint.send_to(server, TO_SERVER, &number.to_le_bytes()).await.unwrap();
        endpoint.recv_from(TO_CLIENT, &mut buffer).await.unwrap();
        replies.fetch_add(1, Ordering::Relaxed);
    }
}
