//! Forwarding of requests to the leader (agent/consul/rpc.go, `forward`).

use std::collections::BTreeMap;
use std::time::Duration;

use fencepost_sim::stream::Stream;
use fencepost_sim::{Mono, NodeId};

use super::queries::Requester;
use super::replica::{Consul, JITTER_FRACTION, answer, tag};
use super::{Consistency, ConsulMessage, Reply, Request};
use crate::servers::raft::Core;
use crate::wire::Env;

/// Config.RPCHoldTimeout: a request without a leader is held for this long (agent/config/default.go,
/// `rpc_hold_timeout`).
pub const HOLD: Duration = Duration::from_secs(7);

/// Requests that wait for another server or for a leader.
#[derive(Default)]
pub(super) struct Forwards {
    next: u64,
    held: BTreeMap<u64, Waiting>,
    /// Forwarded requests, with the leader and its term.
    forwarded: BTreeMap<u64, (Waiting, NodeId, u64)>,
    stream: Option<Stream>,
}

struct Waiting {
    requester: Requester,
    request: Request,
    /// The end of the hold.
    until: Mono,
}

impl Forwards {
    /// A random duration up to `most` (lib.RandomStagger).
    pub fn stagger(&mut self, env: &Env<'_, ConsulMessage>, most: Duration) -> Duration {
        let stream = self.stream.get_or_insert_with(|| env.stream("stagger"));
        Duration::from_nanos(stream.between(0, most.as_nanos() as u64))
    }

    /// Drops everything but the stream, as a crash does.
    pub fn clear(&mut self) {
        self.held.clear();
        self.forwarded.clear();
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

impl Consul {
    /// Handles a new request.
    pub(super) fn on_new_request(
        &mut self,
        env: &mut Env<'_, ConsulMessage>,
        core: &mut Core<Self>,
        requester: Requester,
        request: Request,
    ) {
        let until = env.mono() + HOLD;
        self.route(env, core, Waiting { requester, request, until });
    }

    /// Serves, forwards or holds a request.
    fn route(&mut self, env: &mut Env<'_, ConsulMessage>, core: &mut Core<Self>, waiting: Waiting) {
        let stale = matches!(waiting.request, Request::Get { consistency: Consistency::Stale, .. } | Request::Ping);
        if core.leads() || stale {
            return self.serve(env, core, waiting.requester, waiting.request);
        }
        let elsewhere = core.leader().filter(|leader| *leader != env.node());
        // A forwarded request is held rather than forwarded again: two servers may take each other for the leader.
        let from_client = matches!(waiting.requester, Requester::Client(_));
        let Some(leader) = elsewhere.filter(|_| from_client) else { return self.hold(env, waiting) };
        let number = self.forwards.number();
        env.send(leader, ConsulMessage::Forward { number, request: waiting.request.clone() });
        self.forwards.forwarded.insert(number, (waiting, leader, core.term()));
    }

    fn hold(&mut self, env: &mut Env<'_, ConsulMessage>, waiting: Waiting) {
        if env.mono() >= waiting.until {
            return answer(env, waiting.requester, Reply::NoLeader);
        }
        let (number, jitter) = (self.forwards.number(), self.forwards.stagger(env, HOLD / JITTER_FRACTION));
        env.set_timer(jitter, tag::HELD | number << 8);
        self.forwards.held.insert(number, waiting);
    }

    pub(super) fn retry_held(&mut self, env: &mut Env<'_, ConsulMessage>, core: &mut Core<Self>, number: u64) {
        if let Some(waiting) = self.forwards.held.remove(&number) {
            self.route(env, core, waiting);
        }
    }

    /// Handles the leader's answer. "Not the leader" is no final answer (rpc.go, `canRetry`).
    pub(super) fn on_forwarded(
        &mut self,
        env: &mut Env<'_, ConsulMessage>,
        core: &mut Core<Self>,
        number: u64,
        reply: Reply,
    ) {
        let Some((waiting, ..)) = self.forwards.forwarded.remove(&number) else { return };
        match reply {
            Reply::NoLeader if env.mono() < waiting.until => self.route(env, core, waiting),
            reply => answer(env, waiting.requester, reply),
        }
    }

    /// Fails the requests forwarded to a server that no longer leads, or leads in a new term: its process crashed, the
    /// connection broke, or it was deposed. Consul retries a read if the connection broke, but then finds the same dead
    /// leader until a new one is elected, and reports an error.
    pub(super) fn fail_forwarded(&mut self, env: &mut Env<'_, ConsulMessage>, core: &Core<Self>) {
        let (leader, term) = (core.leader(), core.term());
        let lost = self.forwards.forwarded.extract_if(.., |_, (_, to, then)| Some(*to) != leader || *then != term);
        for (_, (waiting, ..)) in lost {
            answer(env, waiting.requester, Reply::Lost);
        }
    }
}
