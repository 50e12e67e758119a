//! This kernel, bare and with everything that a run records.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::disk::DiskFate;
use fencepost_sim::schedule::Schedule;
use fencepost_sim::time::SimTime;
use fencepost_sim::units::Dist;
use fencepost_sim::{Caller, Env, NetworkConfig, Observer, Process, Service, Setup, Transport};
use serde::Serialize;

use crate::Workload;

#[derive(Clone, Debug, Serialize)]
enum Message {
    Ask(u64),
    Answer(u64),
}

#[derive(Clone, Debug, Serialize)]
enum Note {
    Asked { client: u16, number: u64 },
    Answered { client: u16, number: u64 },
}

struct Server;

impl Service<Message, Note> for Server {
    fn on_message(&mut self, env: &mut Env<'_, Message, Note>, from: Caller, message: Message) {
        if let Message::Ask(number) = message {
            env.reply(from, Message::Answer(number));
        }
    }

    fn on_crash(&mut self, _: &mut Env<'_, Message, Note>, _: DiskFate) {}
}

/// Keeps the notes, as a history would.
struct Notes(Vec<(SimTime, Note)>);

impl Observer<Message, Note> for Notes {
    fn note(&mut self, at: SimTime, note: &Note) -> bool {
        self.0.push((at, note.clone()));
        false
    }
}

pub fn bare(workload: Workload, seed: u64) -> u64 {
    run(workload, seed, false)
}

pub fn traced(workload: Workload, seed: u64) -> u64 {
    run(workload, seed, true)
}

fn run(workload: Workload, seed: u64, traced: bool) -> u64 {
    let replies = Rc::new(Cell::new(0));
    let mut setup = setup(seed);
    if !traced {
        setup.untraced();
    }
    for client in 0..workload.clients {
        setup.client(format!("client-{client}"), asks(workload.requests, traced, replies.clone()));
    }
    setup.server("server", Box::new(Server));
    setup.run(async |driver| driver.run_until(SimTime(u64::MAX / 2)).await);
    replies.get()
}

fn asks(requests: u64, noting: bool, replies: Rc<Cell<u64>>) -> Process<Message, Note> {
    Box::new(move |ctx| {
        let replies = replies.clone();
        Box::pin(async move {
            let conn = ctx.connect(ctx.find("server"));
            let client = ctx.node().0;
            for number in 0..requests {
                if noting {
                    ctx.note(Note::Asked { client, number });
                }
                let answer = ctx.call(conn, Message::Ask(number), Duration::from_secs(1)).await;
                if let Ok(Message::Answer(number)) = answer {
                    if noting {
                        ctx.note(Note::Answered { client, number });
                    }
                    replies.set(replies.get() + 1);
                }
            }
        })
    })
}

/// Five clients and five servers that do nothing.
pub fn empty(seed: u64) {
    let mut setup = setup(seed);
    for name in ["client-1", "client-2", "client-3", "client-4", "client-5"] {
        setup.client(name, Box::new(|_| Box::pin(async {})));
    }
    for name in ["server-1", "server-2", "server-3", "server-4", "server-5"] {
        setup.server(name, Box::new(Server));
    }
    setup.run(async |driver| driver.run_until(SimTime(1)).await);
}

fn setup(seed: u64) -> Setup<Message, Note> {
    let latency = Dist::Uniform(Duration::from_millis(1), Duration::from_millis(10));
    let network = NetworkConfig { latency, loss_per_million: 0, transport: Transport::Stream };
    Setup::new(seed, network, Schedule::default(), Box::new(Notes(Vec::new())), u64::MAX)
}
