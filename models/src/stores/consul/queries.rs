//! Queries that a server has not answered yet.

use std::collections::BTreeMap;

use fencepost_sim::{Caller, NodeId, TimerId};

use super::Consistency;
use crate::lock::ResourceId;

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
}

impl Queries {
    pub fn insert(&mut self, number: u64, query: Query) {
        self.open.insert(number, query);
    }

    pub fn get(&self, number: u64) -> Option<Query> {
        self.open.get(&number).copied()
    }

    pub fn remove(&mut self, number: u64) -> Option<Query> {
        self.open.remove(&number)
    }

    /// Those that wait for news of this key.
    pub fn about(&self, resource: ResourceId) -> Vec<u64> {
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
