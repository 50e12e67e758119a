//! A replicated list of numbers, its servers and its clients.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use fencepost_models::history::{Event, GrantId};
use fencepost_models::servers::raft::{Applied, Carries, Core, GroundTruthLog, Machine, Packet, RaftApp, RequestError};
use fencepost_models::{Ctx, Env, Wire};
use fencepost_sim::{Caller, NodeId, Process, SimTime};
use serde::{Deserialize, Serialize};

/// All numbers ever added, in order.
#[derive(Clone, Debug, Default, Serialize)]
pub struct List(pub Vec<u32>);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Add(u32);

impl Machine for List {
    type Command = Add;
    type Answer = u64;

    fn apply(&mut self, truth: &mut GroundTruthLog, _: u64, Add(number): &Add) -> u64 {
        self.0.push(*number);
        truth.note(Event::Granted { server: truth.server(), grant: GrantId(*number) });
        self.0.len() as u64
    }
}

#[derive(Clone, Debug, Serialize)]
pub enum Msg {
    Add(u32),
    Read,
    /// The length of the list after the operation.
    Length(u64),
    Failed,
    Raft(Packet<List>),
}

impl From<Packet<List>> for Msg {
    fn from(packet: Packet<List>) -> Self {
        Msg::Raft(packet)
    }
}

impl Carries<Packet<List>> for Msg {
    fn unpack(self) -> Result<Packet<List>, Self> {
        match self {
            Msg::Raft(packet) => Ok(packet),
            other => Err(other),
        }
    }
}

/// The observations of a run.
#[derive(Debug, Default)]
pub struct Seen {
    /// Each new leader and its term.
    pub leaders: Vec<(NodeId, u64)>,
    /// For each addition, the time of its acknowledgement, the number, and its position in the list, counted from 1.
    pub added: Vec<(Duration, u32, u64)>,
    /// For each read, the times of its request and reply, and the length read.
    pub reads: Vec<(Duration, Duration, u64)>,
    pub failed: u32,
    pub restored: u32,
    /// The list of each server after its latest change.
    pub lists: Vec<Vec<u32>>,
    pub granted: Vec<(SimTime, u32)>,
}

pub type Shared = Rc<RefCell<Seen>>;

pub struct Counter {
    pub seen: Shared,
    /// The index of the server.
    pub index: usize,
}

impl RaftApp for Counter {
    type Machine = List;
    type Message = Msg;
    type Ticket = Caller;

    fn on_request(&mut self, _: &mut Env<'_, Msg>, core: &mut Core<Self>, from: Caller, message: Msg) {
        match message {
            Msg::Add(number) => core.propose(&Add(number), from),
            Msg::Read => core.read(from),
            _ => {}
        }
    }

    fn on_applied(&mut self, env: &mut Env<'_, Msg>, core: &mut Core<Self>, applied: Applied<Self>) {
        assert_eq!(core.applied(), applied.index);
        self.seen.borrow_mut().lists[self.index].clone_from(&core.machine().0);
        if let Some(from) = applied.ticket {
            env.reply(from, Msg::Length(applied.answer));
        }
    }

    fn on_read(&mut self, env: &mut Env<'_, Msg>, core: &mut Core<Self>, from: Caller) {
        env.reply(from, Msg::Length(core.machine().0.len() as u64));
    }

    fn on_failed(&mut self, env: &mut Env<'_, Msg>, _: &mut Core<Self>, from: Caller, _: RequestError) {
        self.seen.borrow_mut().failed += 1;
        env.reply(from, Msg::Failed);
    }

    fn on_leader(&mut self, env: &mut Env<'_, Msg>, core: &mut Core<Self>) {
        assert!(core.leads() && core.leader() == Some(env.node()));
        self.seen.borrow_mut().leaders.push((env.node(), core.term()));
    }

    fn on_restored(&mut self, _: &mut Env<'_, Msg>, core: &mut Core<Self>) {
        let mut seen = self.seen.borrow_mut();
        seen.restored += 1;
        seen.lists[self.index].clone_from(&core.machine().0);
    }

    fn on_crash(&mut self, _: &mut Env<'_, Msg>) {
        self.seen.borrow_mut().lists[self.index].clear();
    }
}

/// The configuration of a client's loop.
#[derive(Clone)]
pub struct Work {
    pub server: String,
    /// The first number to add.
    pub from: u32,
    pub pause: Duration,
    pub adds: bool,
    pub reads: bool,
}

pub fn client(work: Work, seen: Shared) -> Process<Wire<Msg>, Event> {
    Box::new(move |ctx| Box::pin(run_client(Ctx::from(ctx), work.clone(), seen.clone())))
}

async fn run_client(ctx: Ctx<Msg>, work: Work, seen: Shared) {
    let conn = ctx.connect(ctx.find(&work.server));
    let within = Duration::from_millis(900);
    let now = || Duration::from_nanos(ctx.mono().0);
    for number in work.from.. {
        ctx.sleep(work.pause).await;
        if work.adds
            && let Ok(Msg::Length(position)) = ctx.ask(conn, Msg::Add(number), within).await
        {
            seen.borrow_mut().added.push((now(), number, position));
        }
        if work.reads {
            let asked = now();
            if let Ok(Msg::Length(length)) = ctx.ask(conn, Msg::Read, within).await {
                seen.borrow_mut().reads.push((asked, now(), length));
            }
        }
    }
}
