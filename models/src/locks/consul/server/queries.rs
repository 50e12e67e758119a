//! Queries that a server has not answered yet.

use std::collections::BTreeMap;
use std::time::Duration;

use fencepost_sim::{Caller, NodeId, TimerId};

use super::server::{Consul, JITTER_FRACTION, Ticket, answer, tag};
use super::{Consistency, ConsulMessage, Reply};
use crate::history::ResourceId;
use crate::servers::raft::Core;
use crate::wire::Env;

/// Config.DefaultQueryTime and Config.MaxQueryTime (agent/config/default.go).
const QUERY_TIME: Duration = Duration::from_secs(300);
const QUERY_TIME_MAX: Duration = Duration::from_secs(600);

/// Who waits for an answer: a client of this server, or a server that passed a client's request on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asker {
    Client(Caller),
    Server { server: NodeId, number: u64 },
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Query {
    pub asker: Asker,
    pub resource: ResourceId,
    /// It blocks while the key's index is not beyond this, unless it is 0.
    pub after: u64,
    pub consistency: Consistency,
    /// When it no longer blocks.
    pub timer: Option<TimerId>,
}

/// Each query by its number.
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

    /// Those that wait for news of this key.
    fn about(&self, resource: ResourceId) -> Vec<u64> {
        let concerned = self.open.iter().filter(|(_, query)| query.resource == resource);
        concerned.map(|(number, _)| *number).collect()
    }

    /// The numbers of all.
    pub fn all(&self) -> Vec<u64> {
        self.open.keys().copied().collect()
    }

    pub fn clear(&mut self) {
        self.open.clear();
    }
}

impl Consul {
    /// A query begins.
    pub(super) fn open(&mut self, env: &mut Env<'_, ConsulMessage>, core: &mut Core<Self>, query: Query) {
        let number = self.queries.insert(query);
        self.look(env, core, number);
    }

    pub(super) fn time_query(&mut self, env: &mut Env<'_, ConsulMessage>, wait: Duration) -> TimerId {
        let wait = if wait.is_zero() { QUERY_TIME } else { wait.min(QUERY_TIME_MAX) };
        let jitter = self.forwards.stagger(env, wait / JITTER_FRACTION);
        env.set_timer(wait + jitter, tag::QUERY | self.queries.next << 8)
    }

    /// Answers a query unless it blocks; one that must be consistent only after a quorum was asked.
    fn look(&mut self, env: &mut Env<'_, ConsulMessage>, core: &mut Core<Self>, number: u64) {
        let Some(query) = self.queries.get(number) else { return };
        match query.consistency {
            Consistency::Consistent if core.leads() => core.read(Ticket::Look(number)),
            Consistency::Consistent => self.answer_query(env, number, Reply::Lost),
            Consistency::Default | Consistency::Stale => self.answer_news(env, core, number),
        }
    }

    pub(super) fn answer_news(&mut self, env: &mut Env<'_, ConsulMessage>, core: &Core<Self>, number: u64) {
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
        answer(env, query.asker, reply);
    }

    /// Answers with what there is: the query has blocked long enough, or the state is another one altogether.
    pub(super) fn answer_now(&mut self, env: &mut Env<'_, ConsulMessage>, core: &Core<Self>, number: u64) {
        let Some(query) = self.queries.get(number) else { return };
        let (index, holder) = core.machine().entry(query.resource);
        self.answer_query(env, number, Reply::Entry { index, holder });
    }

    pub(super) fn wake(&mut self, env: &mut Env<'_, ConsulMessage>, core: &mut Core<Self>, resource: ResourceId) {
        for number in self.queries.about(resource) {
            self.look(env, core, number);
        }
    }
}
