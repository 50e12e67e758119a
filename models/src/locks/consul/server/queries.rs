//! Unanswered queries of a server.

use std::collections::BTreeMap;
use std::time::Duration;

use fencepost_sim::{Caller, NodeId, TimerId};

use super::replica::{Consul, JITTER_FRACTION, Ticket, answer, tag};
use super::{Consistency, ConsulMessage, Reply};
use crate::history::ResourceId;
use crate::servers::raft::Core;
use crate::wire::Env;

/// Config.DefaultQueryTime and Config.MaxQueryTime (agent/config/default.go).
const QUERY_TIME: Duration = Duration::from_secs(300);
const QUERY_TIME_MAX: Duration = Duration::from_secs(600);

/// The requester: a client of this server, or a server that forwarded a client's request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Requester {
    Client(Caller),
    Server { server: NodeId, number: u64 },
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Query {
    pub requester: Requester,
    pub resource: ResourceId,
    /// The query blocks until the key's index exceeds this, unless it is 0.
    pub after: u64,
    pub consistency: Consistency,
    /// The timer that ends the blocking.
    pub timer: Option<TimerId>,
}

/// The queries by number.
#[derive(Debug, Default)]
pub(super) struct Queries {
    open: BTreeMap<u64, Query>,
    next: u64,
}

impl Queries {
    fn insert(&mut self, query: Query) -> u64 {
        let number = self.next;
        self.next += 1;
        self.open.insert(number, query);
        number
    }

    fn get(&self, number: u64) -> Option<Query> {
        self.open.get(&number).copied()
    }

    fn remove(&mut self, number: u64) -> Option<Query> {
        self.open.remove(&number)
    }

    /// The queries for this key.
    fn for_key(&self, resource: ResourceId) -> Vec<u64> {
        let concerned = self.open.iter().filter(|(_, query)| query.resource == resource);
        concerned.map(|(number, _)| *number).collect()
    }

    /// The numbers of all queries.
    pub fn all(&self) -> Vec<u64> {
        self.open.keys().copied().collect()
    }

    pub fn clear(&mut self) {
        self.open.clear();
    }
}

impl Consul {
    /// Starts a query.
    pub(super) fn open(&mut self, env: &mut Env<'_, ConsulMessage>, core: &mut Core<Self>, query: Query) {
        let number = self.queries.insert(query);
        self.evaluate(env, core, number);
    }

    pub(super) fn time_query(&mut self, env: &mut Env<'_, ConsulMessage>, wait: Duration) -> TimerId {
        let wait = if wait.is_zero() { QUERY_TIME } else { wait.min(QUERY_TIME_MAX) };
        let jitter = self.forwards.stagger(env, wait / JITTER_FRACTION);
        env.set_timer(wait + jitter, tag::QUERY | self.queries.next << 8)
    }

    /// Answers a query unless it blocks; a consistent one asks a quorum first.
    fn evaluate(&mut self, env: &mut Env<'_, ConsulMessage>, core: &mut Core<Self>, number: u64) {
        let Some(query) = self.queries.get(number) else { return };
        match query.consistency {
            Consistency::Consistent if core.leads() => core.read(Ticket::Look(number)),
            Consistency::Consistent => self.answer_query(env, number, Reply::Lost),
            Consistency::Default | Consistency::Stale => self.answer_if_changed(env, core, number),
        }
    }

    pub(super) fn answer_if_changed(&mut self, env: &mut Env<'_, ConsulMessage>, core: &Core<Self>, number: u64) {
        let Some(query) = self.queries.get(number) else { return };
        let (index, holder) = core.machine().entry(query.resource);
        if query.after == 0 || index > query.after {
            self.answer_query(env, number, Reply::Entry { index, holder });
        }
    }

    pub(super) fn answer_query(&mut self, env: &mut Env<'_, ConsulMessage>, number: u64, reply: Reply) {
        let Some(query) = self.queries.remove(number) else { return };
        if let Some(timer) = query.timer {
            env.cancel_timer(timer);
        }
        answer(env, query.requester, reply);
    }

    /// Answers with the current state: the query has blocked long enough, or the state was replaced.
    pub(super) fn answer_now(&mut self, env: &mut Env<'_, ConsulMessage>, core: &Core<Self>, number: u64) {
        let Some(query) = self.queries.get(number) else { return };
        let (index, holder) = core.machine().entry(query.resource);
        self.answer_query(env, number, Reply::Entry { index, holder });
    }

    pub(super) fn wake(&mut self, env: &mut Env<'_, ConsulMessage>, core: &mut Core<Self>, resource: ResourceId) {
        for number in self.queries.for_key(resource) {
            self.evaluate(env, core, number);
        }
    }
}
