//! A replicated server as the simulated world runs it.

use fencepost_sim::disk::{DiskFate, Syncs};
use fencepost_sim::stream::Stream;
use fencepost_sim::{Caller, Message, NodeId, Service, Session};

use super::config::Config;
use super::core::{Core, Place};
use super::log::Log;
use super::machine::{Lineage, Machine};
use super::packet::{Carries, Packet};
use super::replica::Replica;
use crate::history::Event;
use crate::site::Site;
use crate::wire::{Env, Wire};

/// What a server does beside its log: its clients' requests, and what only the leader does. All of it is in memory only.
///
/// Each function may propose, read, reply, push and set timers. Timers may have any tag but `u64::MAX`.
pub trait Duties: Sized + 'static {
    /// What is replicated.
    type Machine: Machine;
    /// What servers and clients say to each other; replicas' packets among it.
    type Message: Message + Carries<Packet<Self::Machine>>;
    /// Says to whom the outcome of a proposal or a read matters, such as a [`Caller`]. It never leaves the server.
    type Ticket: 'static;

    /// The process started. What its disk kept of the log is being applied afterwards.
    fn on_start(&mut self, _env: &mut Env<'_, Self::Message>, _core: &mut Core<Self>) {}

    /// A client asks.
    fn on_request(
        &mut self,
        env: &mut Env<'_, Self::Message>,
        core: &mut Core<Self>,
        from: Caller,
        message: Self::Message,
    );

    /// Another server says something that is no packet of the replicas.
    fn on_peer(
        &mut self,
        _env: &mut Env<'_, Self::Message>,
        _core: &mut Core<Self>,
        _from: NodeId,
        _message: Self::Message,
    ) {
    }

    /// This server applied an entry; `core.machine()` is the state just after it.
    fn on_applied(&mut self, env: &mut Env<'_, Self::Message>, core: &mut Core<Self>, applied: Applied<Self>);

    /// A read may be answered from `core.machine()`.
    fn on_read(&mut self, _env: &mut Env<'_, Self::Message>, _core: &mut Core<Self>, _ticket: Self::Ticket) {}

    /// A proposal or a read brought no answer.
    fn on_lost(&mut self, env: &mut Env<'_, Self::Message>, core: &mut Core<Self>, ticket: Self::Ticket, loss: Loss);

    /// This server leads from now on, and has applied all that was acknowledged before.
    fn on_leader(&mut self, _env: &mut Env<'_, Self::Message>, _core: &mut Core<Self>) {}

    /// It learnt that it leads no longer. What only the leader holds is to be dropped.
    fn on_deposed(&mut self, _env: &mut Env<'_, Self::Message>, _core: &mut Core<Self>) {}

    /// It learnt of another leader, of a new term, or that there is no leader.
    fn on_news(&mut self, _env: &mut Env<'_, Self::Message>, _core: &mut Core<Self>) {}

    /// It had fallen so far behind that the leader sent it the whole state.
    fn on_restored(&mut self, _env: &mut Env<'_, Self::Message>, _core: &mut Core<Self>) {}

    /// A timer ran out that was set with this tag.
    fn on_timer(&mut self, _env: &mut Env<'_, Self::Message>, _core: &mut Core<Self>, _tag: u64) {}

    /// A client connected.
    fn on_connect(&mut self, _env: &mut Env<'_, Self::Message>, _core: &mut Core<Self>, _session: Session) {}

    /// A connection is gone.
    fn on_disconnect(&mut self, _env: &mut Env<'_, Self::Message>, _core: &mut Core<Self>, _session: Session) {}

    /// The process crashed: all that was in memory is to be dropped. The log is taken care of.
    fn on_crash(&mut self, env: &mut Env<'_, Self::Message>);
}

/// An entry that was applied.
pub struct Applied<D: Duties> {
    /// Its place in the log.
    pub index: u64,
    /// What it says.
    pub command: <D::Machine as Machine>::Command,
    /// What it came to.
    pub answer: <D::Machine as Machine>::Answer,
    /// If this server proposed it, since it last started, and has not given it up: the ticket.
    pub ticket: Option<D::Ticket>,
}

/// Why a proposal or a read brought no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// There was no leader to bring the proposal to, and it was not held: it certainly does not take effect.
    NoLeader,
    /// Nothing came back in time: a proposal may have taken effect, or may still.
    TimedOut,
}

/// A server of a replicated cluster.
pub struct Server<D: Duties> {
    duties: D,
    core: Option<Core<D>>,
    kept: Option<(Log<D::Machine>, Option<Stream>)>,
    /// Numbers of requests are never used again, as etcd's, which begin with the time (pkg/idutil/id.go).
    next_request: u64,
    empty: D::Machine,
    names: Vec<String>,
    /// From 1: raft has no replica 0.
    number: u8,
    config: Config,
    lineage: Lineage,
}

const TICK: u64 = u64::MAX;

/// Deploys a cluster of servers with these names. `empty` is the state before the first entry; `duties` makes those of
/// the n-th server.
pub fn deploy<D: Duties>(
    site: &mut Site<'_, D::Message>,
    names: &[String],
    config: Config,
    empty: D::Machine,
    mut duties: impl FnMut(usize) -> D,
) {
    let lineage = Lineage::default();
    for (n, name) in names.iter().enumerate() {
        site.server(name, Server::new(duties(n), n, names.to_vec(), config, empty.clone(), lineage.clone()));
    }
}

impl<D: Duties> Server<D> {
    /// The n-th server (from 0) of the cluster with these names, all of which share one `lineage`.
    pub fn new(duties: D, n: usize, names: Vec<String>, config: Config, empty: D::Machine, lineage: Lineage) -> Self {
        let kept = Some((Log::new(names.len(), empty.clone(), config.fsync), None));
        let number = u8::try_from(n + 1).expect("a cluster has a handful of servers");
        Server { duties, core: None, kept, next_request: 0, empty, names, number, config, lineage }
    }

    fn act(&mut self, env: &mut Env<'_, D::Message>, act: impl FnOnce(&mut D, &mut Env<'_, D::Message>, &mut Core<D>)) {
        let Some(core) = &mut self.core else { return };
        act(&mut self.duties, env, core);
        core.work(&mut self.duties, env);
    }
}

impl<D: Duties> Service<Wire<D::Message>, Event> for Server<D> {
    fn on_start(&mut self, env: &mut Env<'_, D::Message>) {
        let Some((log, stream)) = self.kept.take() else { return };
        let mut stream = stream.unwrap_or_else(|| env.stream("raft"));
        // Servers do not start at the very same moment: their ticks are not in step.
        let until_tick = stream.between(1, self.config.heartbeat.as_nanos() as u64);
        let members = self.names.iter().map(|name| env.find(name)).collect();
        let replica = Replica::start(self.number.into(), self.config, log, stream);
        let place = Place { config: self.config, members, me: self.number, lineage: self.lineage.clone() };
        self.core = Some(Core::new(place, replica, self.next_request));
        env.set_timer(std::time::Duration::from_nanos(until_tick), TICK);
        self.act(env, |duties, env, core| duties.on_start(env, core));
    }

    fn on_message(&mut self, env: &mut Env<'_, D::Message>, from: Caller, message: Wire<D::Message>) {
        let Wire::Lock(message) = message else { return };
        self.act(env, |duties, env, core| duties.on_request(env, core, from, message));
    }

    fn on_peer(&mut self, env: &mut Env<'_, D::Message>, from: NodeId, message: Wire<D::Message>) {
        let Wire::Lock(message) = message else { return };
        self.act(env, |duties, env, core| match message.unpack() {
            Ok(packet) => core.step(packet),
            Err(message) => duties.on_peer(env, core, from, message),
        });
    }

    fn on_timer(&mut self, env: &mut Env<'_, D::Message>, tag: u64) {
        if tag == TICK {
            env.set_timer(self.config.heartbeat, TICK);
        }
        self.act(env, |duties, env, core| match tag {
            TICK => core.tick(),
            tag => duties.on_timer(env, core, tag),
        });
    }

    fn on_connect(&mut self, env: &mut Env<'_, D::Message>, session: Session) {
        self.act(env, |duties, env, core| duties.on_connect(env, core, session));
    }

    fn on_disconnect(&mut self, env: &mut Env<'_, D::Message>, session: Session) {
        self.act(env, |duties, env, core| duties.on_disconnect(env, core, session));
    }

    fn disks(&mut self, each: &mut dyn FnMut(&mut dyn Syncs)) {
        let running = self.core.as_mut().map(|core| core.replica.log());
        let log = running.or(self.kept.as_mut().map(|(log, _)| log));
        log.into_iter().for_each(|log| each(log.disk()));
    }

    fn on_crash(&mut self, env: &mut Env<'_, D::Message>, disk: DiskFate) {
        self.duties.on_crash(env);
        let Some(core) = self.core.take() else { return };
        env.lead(false);
        self.next_request = core.next_request;
        let (mut log, stream) = core.replica.stop(self.empty.clone());
        log.crash(disk, self.empty.clone());
        self.kept = Some((log, Some(stream)));
    }
}
