//! A replicated server as a service of the simulated world.

use std::time::Duration;

use fencepost_sim::disk::{DiskFate, Syncs};
use fencepost_sim::stream::Stream;
use fencepost_sim::{Caller, NodeId, Service, Session};

use super::config::Config;
use super::core::{Core, Membership, RaftApp};
use super::log::Log;
use super::machine::AppliedEntries;
use super::packet::Carries;
use super::replica::Replica;
use crate::history::Event;
use crate::site::Site;
use crate::wire::{Env, Wire};

/// A server of a replicated cluster. The log of a stopped one is in `stopped`.
pub struct Server<A: RaftApp> {
    app: A,
    core: Option<Core<A>>,
    stopped: Option<(Log<A::Machine>, Option<Stream>)>,
    /// Request numbers never repeat, like etcd's, which start with the time (pkg/idutil/id.go).
    next_request: u64,
    empty: A::Machine,
    names: Vec<String>,
    /// From 1: raft has no replica 0.
    number: u8,
    config: Config,
    applied: AppliedEntries,
}

const TICK: u64 = u64::MAX;
const WATCH: u64 = u64::MAX - 1;

/// Deploys a cluster of servers with these names. `empty` is the state before the first entry; `app` creates the app of
/// the n-th server (from 0).
pub fn deploy<A: RaftApp>(
    site: &mut Site<'_, A::Message>,
    names: &[String],
    config: Config,
    empty: A::Machine,
    mut app: impl FnMut(usize) -> A,
) {
    let applied = AppliedEntries::default();
    for (n, name) in names.iter().enumerate() {
        site.server(name, Server::new(app(n), n, names.to_vec(), config, empty.clone(), applied.clone()));
    }
}

impl<A: RaftApp> Server<A> {
    /// The n-th server (from 0) of the cluster with these names, all of which share one `applied`.
    pub fn new(
        app: A,
        n: usize,
        names: Vec<String>,
        config: Config,
        empty: A::Machine,
        applied: AppliedEntries,
    ) -> Self {
        let stopped = Some((Log::new(names.len(), empty.clone(), config.fsync), None));
        let number = u8::try_from(n + 1).expect("a cluster has few servers");
        Server { app, core: None, stopped, next_request: 0, empty, names, number, config, applied }
    }

    /// Records that another server left the cluster. See [`Core::mark_gone`].
    pub fn mark_gone(&mut self, server: NodeId) {
        if let Some(core) = &mut self.core {
            core.mark_gone(server);
        }
    }

    fn run(
        &mut self,
        env: &mut Env<'_, A::Message>,
        call: impl FnOnce(&mut A, &mut Env<'_, A::Message>, &mut Core<A>),
    ) {
        let Some(core) = &mut self.core else { return };
        call(&mut self.app, env, core);
        core.process_output(&mut self.app, env);
    }
}

impl<A: RaftApp> Service<Wire<A::Message>, Event> for Server<A> {
    fn on_start(&mut self, env: &mut Env<'_, A::Message>) {
        let Some((log, stream)) = self.stopped.take() else { return };
        let mut stream = stream.unwrap_or_else(|| env.stream("raft"));
        // Servers do not tick in step.
        let until_tick = stream.between(1, self.config.heartbeat.as_nanos() as u64);
        let members = self.names.iter().map(|name| env.find(name)).collect();
        // Nor do they start in step.
        let until_watch =
            self.config.watch.map(|watch| Duration::from_nanos(stream.between(1, watch.jitter.as_nanos() as u64)));
        let replica = Replica::start(self.number.into(), self.config, log, stream);
        let membership =
            Membership { config: self.config, members, me: self.number, applied_by_any: self.applied.clone() };
        self.core = Some(Core::new(membership, replica, self.next_request));
        env.set_timer(Duration::from_nanos(until_tick), TICK);
        if let Some(until) = until_watch {
            env.set_timer(until, WATCH);
        }
        self.run(env, |app, env, core| app.on_start(env, core));
    }

    fn on_message(&mut self, env: &mut Env<'_, A::Message>, from: Caller, message: Wire<A::Message>) {
        let Wire::Lock(message) = message else { return };
        self.run(env, |app, env, core| app.on_request(env, core, from, message));
    }

    fn on_peer(&mut self, env: &mut Env<'_, A::Message>, from: NodeId, message: Wire<A::Message>) {
        let Wire::Lock(message) = message else { return };
        self.run(env, |app, env, core| match message.unpack() {
            Ok(packet) => core.step(env, packet),
            Err(message) => app.on_peer(env, core, from, message),
        });
    }

    fn on_timer(&mut self, env: &mut Env<'_, A::Message>, tag: u64) {
        if tag == TICK {
            env.set_timer(self.config.heartbeat, TICK);
        }
        self.run(env, |app, env, core| match tag {
            TICK => core.tick(env),
            WATCH => {
                if let Some(next) = core.check_silence(env) {
                    env.set_timer(next, WATCH);
                }
            }
            tag => app.on_timer(env, core, tag),
        });
    }

    fn on_connect(&mut self, env: &mut Env<'_, A::Message>, session: Session) {
        self.run(env, |app, env, core| app.on_connect(env, core, session));
    }

    fn on_disconnect(&mut self, env: &mut Env<'_, A::Message>, session: Session) {
        self.run(env, |app, env, core| app.on_disconnect(env, core, session));
    }

    fn disks(&mut self, each: &mut dyn FnMut(&mut dyn Syncs)) {
        let running = self.core.as_mut().map(|core| core.replica.log());
        let log = running.or(self.stopped.as_mut().map(|(log, _)| log));
        log.into_iter().for_each(|log| each(log.disk()));
    }

    fn on_crash(&mut self, env: &mut Env<'_, A::Message>, disk: DiskFate) {
        self.app.on_crash(env);
        let Some(core) = self.core.take() else { return };
        env.lead(false);
        self.next_request = core.next_request;
        let (mut log, stream) = core.replica.stop(self.empty.clone());
        log.crash(disk, self.empty.clone());
        self.stopped = Some((log, Some(stream)));
    }
}
