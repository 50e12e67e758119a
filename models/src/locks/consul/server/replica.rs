//! A Consul server, beside the log.

use std::collections::BTreeMap;
use std::time::Duration;

use fencepost_sim::{Caller, MonoDeadline, NodeId, TimerId};

use super::forward::Forwards;
use super::gossip::{Gossip, PROBE_INTERVAL};
use super::machine::{Catalog, Change, Outcome, Terms};
use super::queries::{Queries, Query, Requester};
use super::sessions::schedule_invalidation;
use super::{ConsulMessage, Reply, Request};
use crate::history::{GrantId, ResourceId};
use crate::servers::raft::{Applied, Core, RaftApp, RequestError};
use crate::wire::Env;

/// structs.MaxLockDelay.
const MAX_LOCK_DELAY: Duration = Duration::from_secs(60);

/// rpc.go, `jitterFraction`.
pub(super) const JITTER_FRACTION: u32 = 16;

/// The configuration of a server.
#[derive(Clone, Copy, Debug)]
pub struct ServerConfig {
    /// `session_ttl_min`: sessions with a shorter time to live are rejected.
    pub session_ttl_min: Duration,
    /// Whether gossip ends the sessions of dead nodes.
    pub serf_health: bool,
}

/// A server. All of this is in its memory only.
pub struct Consul {
    pub(super) config: ServerConfig,
    pub(super) forwards: Forwards,
    pub(super) queries: Queries,
    pub(super) sessions: BTreeMap<GrantId, TimerId>,
    /// The ends of lock-delays, by this server's clock.
    delays: BTreeMap<ResourceId, MonoDeadline>,
    pub(super) gossip: Gossip,
}

/// The purpose of a proposal or a read.
pub enum Ticket {
    /// A requested change.
    Write(WriteTicket),
    /// A consistent query.
    Look(u64),
    /// The destruction of an expired session, and the number of failures so far.
    Invalidate(GrantId, u64),
}

/// The requester of a change.
pub struct WriteTicket {
    pub(super) requester: Requester,
    /// A session whose timer starts once it exists.
    pub(super) created: Option<(GrantId, Terms)>,
}

/// The purpose of a timer: the low byte of its tag. The rest is a number.
pub(super) mod tag {
    pub const SESSION: u64 = 0;
    pub const QUERY: u64 = 1;
    pub const HELD: u64 = 2;
    pub const GOSSIP: u64 = 3;
    /// Plus the number of the attempt.
    pub const INVALIDATE: u64 = 16;
}

type ServerCore = Core<Consul>;

impl Consul {
    /// A new server.
    pub fn new(config: ServerConfig) -> Self {
        Consul {
            config,
            forwards: Forwards::default(),
            queries: Queries::default(),
            sessions: BTreeMap::new(),
            delays: BTreeMap::new(),
            gossip: Gossip::default(),
        }
    }

    /// Serves a request as the leader; any server serves stale reads.
    pub(super) fn serve(
        &mut self,
        env: &mut Env<'_, ConsulMessage>,
        core: &mut ServerCore,
        requester: Requester,
        request: Request,
    ) {
        match request {
            Request::Ping => answer(env, requester, Reply::Pong),
            Request::CreateSession { session, terms } => self.create(env, core, requester, session, terms),
            Request::RenewSession { session } => self.renew(env, core, requester, session),
            Request::DestroySession { session } => {
                propose(core, requester, &Change::Destroy { session, expired: false })
            }
            Request::Acquire { resource, session } => self.acquire(env, core, requester, resource, session),
            Request::Release { resource, session } => propose(core, requester, &Change::Unlock { resource, session }),
            Request::Get { resource, after, wait, consistency } => {
                let timer = (after > 0).then(|| self.time_query(env, wait));
                self.open(env, core, Query { requester, resource, after, consistency, timer });
            }
        }
    }

    fn acquire(
        &mut self,
        env: &mut Env<'_, ConsulMessage>,
        core: &mut ServerCore,
        requester: Requester,
        resource: ResourceId,
        session: GrantId,
    ) {
        if self.delays.get(&resource).is_some_and(|until| !env.mono_passed(*until)) {
            return answer(env, requester, Reply::Done { ok: false });
        }
        self.delays.remove(&resource);
        propose(core, requester, &Change::Lock { resource, session });
    }

    fn fail(&mut self, env: &mut Env<'_, ConsulMessage>, ticket: Ticket, reply: Reply) {
        match ticket {
            Ticket::Write(ticket) => answer(env, ticket.requester, reply),
            Ticket::Look(number) => self.answer_query(env, number, Reply::Lost),
            Ticket::Invalidate(session, attempt) => schedule_invalidation(env, session, attempt),
        }
    }
}

fn propose(core: &mut ServerCore, requester: Requester, change: &Change) {
    core.propose(change, Ticket::Write(WriteTicket { requester, created: None }));
}

pub(super) fn answer(env: &mut Env<'_, ConsulMessage>, requester: Requester, reply: Reply) {
    match requester {
        Requester::Client(caller) => env.reply(caller, ConsulMessage::Reply(reply)),
        Requester::Server { server, number } => env.send(server, ConsulMessage::Forwarded { number, reply }),
    }
}

impl RaftApp for Consul {
    type Machine = Catalog;
    type Message = ConsulMessage;
    type Ticket = Ticket;

    fn on_start(&mut self, env: &mut Env<'_, ConsulMessage>, _: &mut ServerCore) {
        if self.config.serf_health {
            let until = self.forwards.stagger(env, PROBE_INTERVAL);
            env.set_timer(until, tag::GOSSIP);
        }
    }

    fn on_request(
        &mut self,
        env: &mut Env<'_, ConsulMessage>,
        core: &mut ServerCore,
        from: Caller,
        message: ConsulMessage,
    ) {
        if let ConsulMessage::Request(request) = message {
            self.on_new_request(env, core, Requester::Client(from), request);
        }
    }

    fn on_peer(
        &mut self,
        env: &mut Env<'_, ConsulMessage>,
        core: &mut ServerCore,
        from: NodeId,
        message: ConsulMessage,
    ) {
        match message {
            ConsulMessage::Forward { number, request } => {
                self.on_new_request(env, core, Requester::Server { server: from, number }, request);
            }
            ConsulMessage::Forwarded { number, reply } => self.on_forwarded(env, core, number, reply),
            _ => {}
        }
    }

    fn on_applied(&mut self, env: &mut Env<'_, ConsulMessage>, core: &mut ServerCore, applied: Applied<Self>) {
        let reply = match &applied.answer {
            Outcome::Invalid => Reply::Invalid,
            Outcome::Done(ok) => Reply::Done { ok: *ok },
            Outcome::Ended { freed, lock_delay } => {
                let delay = (*lock_delay).min(MAX_LOCK_DELAY);
                for resource in freed.iter().filter(|_| !delay.is_zero()) {
                    self.delays.insert(*resource, env.mono_deadline(delay));
                }
                Reply::Done { ok: true }
            }
        };
        if let Some(Ticket::Write(ticket)) = applied.ticket {
            if let Some((session, terms)) = ticket.created.filter(|_| core.leads()) {
                self.time_session(env, session, terms);
            }
            answer(env, ticket.requester, reply);
        }
        match (applied.command, applied.answer) {
            (Change::Destroy { session, .. }, outcome) => {
                self.end_session(env, session);
                if let Outcome::Ended { freed, .. } = outcome {
                    freed.into_iter().for_each(|resource| self.wake(env, core, resource));
                }
            }
            (Change::Lock { resource, .. } | Change::Unlock { resource, .. }, Outcome::Done(true)) => {
                self.wake(env, core, resource);
            }
            _ => {}
        }
    }

    fn on_read(&mut self, env: &mut Env<'_, ConsulMessage>, core: &mut ServerCore, ticket: Ticket) {
        if let Ticket::Look(number) = ticket {
            self.answer_if_changed(env, core, number);
        }
    }

    fn on_failed(&mut self, env: &mut Env<'_, ConsulMessage>, _: &mut ServerCore, ticket: Ticket, error: RequestError) {
        let reply = match error {
            RequestError::NoLeader => Reply::NoLeader,
            RequestError::TimedOut => Reply::Lost,
        };
        self.fail(env, ticket, reply);
    }

    fn on_leader(&mut self, env: &mut Env<'_, ConsulMessage>, core: &mut ServerCore) {
        for (session, terms) in core.machine().sessions() {
            self.time_session(env, session, terms);
        }
    }

    fn on_deposed(&mut self, env: &mut Env<'_, ConsulMessage>, core: &mut ServerCore) {
        std::mem::take(&mut self.sessions).into_values().for_each(|timer| env.cancel_timer(timer));
        for ticket in core.take_pending() {
            self.fail(env, ticket, Reply::Lost);
        }
    }

    fn on_leadership_change(&mut self, env: &mut Env<'_, ConsulMessage>, core: &mut ServerCore) {
        self.fail_forwarded(env, core);
    }

    /// The state from a snapshot has no delays, and queries on the old state return (state.Store.AbandonCh).
    fn on_restored(&mut self, env: &mut Env<'_, ConsulMessage>, core: &mut ServerCore) {
        self.delays.clear();
        for number in self.queries.all() {
            self.answer_now(env, core, number);
        }
    }

    fn on_timer(&mut self, env: &mut Env<'_, ConsulMessage>, core: &mut ServerCore, tag: u64) {
        let number = tag >> 8;
        match tag & 0xff {
            tag::SESSION => {
                self.sessions.remove(&GrantId(number as u32));
                self.invalidate(env, core, GrantId(number as u32), 0);
            }
            tag::QUERY => self.answer_now(env, core, number),
            tag::GOSSIP => {
                env.set_timer(PROBE_INTERVAL, tag::GOSSIP);
                self.probe(env, core);
            }
            tag::HELD => self.retry_held(env, core, number),
            kind => self.invalidate(env, core, GrantId(number as u32), kind - tag::INVALIDATE),
        }
    }

    fn on_crash(&mut self, _: &mut Env<'_, ConsulMessage>) {
        self.forwards.clear();
        self.queries.clear();
        self.sessions.clear();
        self.delays.clear();
        self.gossip = Gossip::default();
    }
}
