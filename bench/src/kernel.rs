//! fencepost's kernel: bare, with the hash and a stored history, and with the hash and checkers.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use fencepost_models::history::{Ack, Event, GrantId};
use fencepost_models::{Reentrancy, ResourceId};
use fencepost_scenarios::check::{CaseSpec, Checkers};
use fencepost_sim::disk::DiskFate;
use fencepost_sim::schedule::Schedule;
use fencepost_sim::time::SimTime;
use fencepost_sim::units::Dist;
use fencepost_sim::{Caller, Env, Host, NetworkConfig, NodeId, Observer, Process, Service, Setup, Transport};
use serde::Serialize;

use crate::Workload;

#[derive(Clone, Debug, Serialize)]
enum Message {
    Ask(u64),
    Answer(u64),
}

struct Server;

impl Service<Message, Event> for Server {
    fn on_message(&mut self, env: &mut Env<'_, Message, Event>, from: Caller, message: Message) {
        if let Message::Ask(number) = message {
            env.reply(from, Message::Answer(number));
        }
    }

    fn on_crash(&mut self, _: &mut Env<'_, Message, Event>, _: DiskFate) {}
}

/// Stores the history.
struct StoredHistory(Vec<(SimTime, Event)>);

impl Observer<Message, Event> for StoredHistory {
    fn note(&mut self, at: SimTime, event: &Event) -> bool {
        self.0.push((at, event.clone()));
        false
    }
}

/// Passes each event to the checkers, as in a case.
struct CheckersOnly(Checkers);

impl Observer<Message, Event> for CheckersOnly {
    fn note(&mut self, at: SimTime, event: &Event) -> bool {
        self.0.observe(at, event);
        false
    }
}

pub fn bare(workload: Workload, seed: u64) -> u64 {
    let mut setup = setup(seed, StoredHistory(Vec::new()));
    setup.untraced();
    run(setup, workload, false)
}

pub fn traced(workload: Workload, seed: u64) -> u64 {
    run(setup(seed, StoredHistory(Vec::new())), workload, true)
}

pub fn checked(workload: Workload, seed: u64) -> u64 {
    let spec = CaseSpec {
        grants: true,
        validity: true,
        tokens: true,
        releases: true,
        quorum: 1,
        rank_by_return: false,
        clients: (0..workload.clients as u16).map(NodeId).collect(),
        orders: 0,
        workload: None,
        deadlock_bound: Duration::from_secs(60),
        consensus: false,
        fifo: false,
        nested_wait: Duration::ZERO,
        reentrancy: Reentrancy::NotApplicable,
        takeover_bound: Duration::from_secs(10),
        progress_bound: Duration::from_secs(10),
    };
    run(setup(seed, CheckersOnly(Checkers::new(&spec))), workload, true)
}

pub fn on_nodes(workload: Workload, seed: u64) -> u64 {
    let mut setup = setup(seed, StoredHistory(Vec::new()));
    setup.host(Host::MadsimNodes);
    run(setup, workload, true)
}

fn run(mut setup: Setup<Message, Event>, workload: Workload, record: bool) -> u64 {
    let replies = Rc::new(Cell::new(0));
    for client in 0..workload.clients {
        setup.client(format!("client-{client}"), asks(workload.requests, record, replies.clone()));
    }
    setup.server("server", Box::new(Server));
    setup.run(async |driver| driver.run_until(SimTime(u64::MAX / 2)).await);
    replies.get()
}

/// Creates a client whose requests are failed attempts to acquire, like most messages under contention.
fn asks(requests: u64, record: bool, replies: Rc<Cell<u64>>) -> Process<Message, Event> {
    Box::new(move |ctx| {
        let replies = replies.clone();
        Box::pin(async move {
            let conn = ctx.connect(ctx.find("server"));
            let client = ctx.node();
            for number in 0..requests {
                let grant = GrantId(u32::from(client.0) << 24 | number as u32);
                if record {
                    ctx.note(Event::AcquireInvoked { client, grant, resource: ResourceId::default() });
                }
                let answer = ctx.call(conn, Message::Ask(number), Duration::from_secs(1)).await;
                if let Ok(Message::Answer(_)) = answer {
                    if record {
                        ctx.note(Event::NotAcquired { client, grant, ack: Ack::Failed });
                    }
                    replies.set(replies.get() + 1);
                }
            }
        })
    })
}

/// Runs a world with five clients and five servers, all idle.
pub fn empty(host: Host, seed: u64) {
    let mut setup = setup(seed, StoredHistory(Vec::new()));
    setup.host(host);
    for name in ["client-1", "client-2", "client-3", "client-4", "client-5"] {
        setup.client(name, Box::new(|_| Box::pin(async {})));
    }
    for name in ["server-1", "server-2", "server-3", "server-4", "server-5"] {
        setup.server(name, Box::new(Server));
    }
    setup.run(async |driver| driver.run_until(SimTime(1)).await);
}

fn setup(seed: u64, observer: impl Observer<Message, Event> + 'static) -> Setup<Message, Event> {
    let latency = Dist::Uniform(Duration::from_millis(1), Duration::from_millis(10));
    let network = NetworkConfig { latency, loss_per_million: 0, transport: Transport::Stream };
    Setup::new(seed, network, Schedule::default(), Box::new(observer), u64::MAX)
}
