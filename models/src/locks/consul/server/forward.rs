//! How requests come to the leader (agent/consul/rpc.go, `forward`).

use std::collections::BTreeMap;
use std::time::Duration;

use fencepost_sim::stream::Stream;
use fencepost_sim::{Mono, NodeId};

use super::queries::Asker;
use super::server::{Consul, JITTER_FRACTION, answer, tag};
use super::{Consistency, ConsulMessage, Reply, Request};
use crate::servers::raft::Core;
use crate::wire::Env;

/// Config.RPCHoldTimeout: a request is held for so long where there is no leader (agent/config/default.go,
/// `rpc_hold_timeout`).
pub const HOLD: Duration = Duration::from_secs(7);

/// Requests of which another server, or time, must say what becomes of them.
#[derive(Default)]
pub(super) struct Forwards {
    next: u64,
    held: BTreeMap<u64, Waiting>,
    /// What was passed on, to whom, in which term.
    passed: BTreeMap<u64, (Waiting, NodeId, u64)>,
    stream: Option<Stream>,
}

struct Waiting {
    asker: Asker,
    request: Request,
    /// No longer held after this.
    until: Mono,
}

impl Forwards {
    /// A random part of the span (lib.RandomStagger).
    pub fn stagger(&mut self, env: &Env<'_, ConsulMessage>, most: Duration) -> Duration {
        let stream = self.stream.get_or_insert_with(|| env.stream("stagger"));
        Duration::from_nanos(stream.between(0, most.as_nanos() as u64))
    }

    /// All that was in memory. The stream goes on where it was.
    pub fn clear(&mut self) {
        self.held.clear();
        self.passed.clear();
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

impl Consul {
    /// A request came in.
    pub(super) fn take(
        &mut self,
        env: &mut Env<'_, ConsulMessage>,
        core: &mut Core<Self>,
        asker: Asker,
        request: Request,
    ) {
        let until = env.mono() + HOLD;
        self.route(env, core, Waiting { asker, request, until });
    }

    /// Serves it, passes it on, or holds it.
    fn route(&mut self, env: &mut Env<'_, ConsulMessage>, core: &mut Core<Self>, waiting: Waiting) {
        let stale = matches!(waiting.request, Request::Get { consistency: Consistency::Stale, .. } | Request::Ping);
        if core.leads() || stale {
            return self.serve(env, core, waiting.asker, waiting.request);
        }
        let elsewhere = core.leader().filter(|leader| *leader != env.node());
        // What was passed on once is held rather than passed on again: two servers may take each other for the leader.
        let first_hand = matches!(waiting.asker, Asker::Client(_));
        let Some(leader) = elsewhere.filter(|_| first_hand) else { return self.hold(env, waiting) };
        let number = self.forwards.number();
        env.send(leader, ConsulMessage::Forward { number, request: waiting.request.clone() });
        self.forwards.passed.insert(number, (waiting, leader, core.term()));
    }

    fn hold(&mut self, env: &mut Env<'_, ConsulMessage>, waiting: Waiting) {
        if env.mono() >= waiting.until {
            return answer(env, waiting.asker, Reply::NoLeader);
        }
        let (number, jitter) = (self.forwards.number(), self.forwards.stagger(env, HOLD / JITTER_FRACTION));
        env.set_timer(jitter, tag::HELD | number << 8);
        self.forwards.held.insert(number, waiting);
    }

    pub(super) fn take_again(&mut self, env: &mut Env<'_, ConsulMessage>, core: &mut Core<Self>, number: u64) {
        if let Some(waiting) = self.forwards.held.remove(&number) {
            self.route(env, core, waiting);
        }
    }

    /// The leader answered. That it does not lead is no answer yet (rpc.go, `canRetry`).
    pub(super) fn pass_back(
        &mut self,
        env: &mut Env<'_, ConsulMessage>,
        core: &mut Core<Self>,
        number: u64,
        reply: Reply,
    ) {
        let Some((waiting, ..)) = self.forwards.passed.remove(&number) else { return };
        match reply {
            Reply::NoLeader if env.mono() < waiting.until => self.route(env, core, waiting),
            reply => answer(env, waiting.asker, reply),
        }
    }

    /// What was passed on to a server that no longer leads, or leads anew, is lost: its process crashed, or the
    /// connection broke, or it was deposed. Consul tries a read again if the connection broke, but finds the same dead
    /// leader then, until a new one is elected, and reports that as an error.
    pub(super) fn recall(&mut self, env: &mut Env<'_, ConsulMessage>, core: &Core<Self>) {
        let (leader, term) = (core.leader(), core.term());
        let lost = self.forwards.passed.extract_if(.., |_, (_, to, then)| Some(*to) != leader || *then != term);
        for (_, (waiting, ..)) in lost {
            answer(env, waiting.asker, Reply::Lost);
        }
    }
}
