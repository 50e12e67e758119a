//! The replicated state machine and the record of its true events.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use fencepost_sim::NodeId;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::history::Event;

/// A command of the replicated log: plain, serializable data.
pub trait Command: Clone + fmt::Debug + Serialize + DeserializeOwned + 'static {}

impl<T: Clone + fmt::Debug + Serialize + DeserializeOwned + 'static> Command for T {}

/// The replicated state: every server applies the same commands in the same order. It reads no clock and draws no
/// randomness, so all replicas are equal. The leader decides what depends on time and proposes it.
pub trait Machine: Clone + fmt::Debug + Serialize + 'static {
    /// A change of the state.
    type Command: Command;
    /// The result of a command, for the server that proposed it.
    type Answer: 'static;

    /// Applies the command at `index` of the log. What it writes to `truth` counts once for the whole cluster.
    fn apply(&mut self, truth: &mut GroundTruthLog, index: u64, command: &Self::Command) -> Self::Answer;
}

/// The ground truth that a machine reports. Only the report of the first replica that applies an entry counts: the
/// entry takes effect then.
#[derive(Debug)]
pub struct GroundTruthLog {
    pub(super) server: NodeId,
    pub(super) is_first: bool,
    pub(super) notes: Vec<Event>,
}

impl GroundTruthLog {
    pub(super) fn new(server: NodeId) -> Self {
        GroundTruthLog { server, is_first: false, notes: Vec::new() }
    }

    /// The log of the first server to apply an entry.
    #[cfg(test)]
    pub(crate) fn first_applier(server: NodeId) -> Self {
        GroundTruthLog { is_first: true, ..GroundTruthLog::new(server) }
    }

    #[cfg(test)]
    pub(crate) fn notes(&self) -> &[Event] {
        &self.notes
    }

    /// The server that applies the entry.
    pub fn server(&self) -> NodeId {
        self.server
    }

    /// Whether this server is the first of the cluster to apply this entry.
    pub fn is_first(&self) -> bool {
        self.is_first
    }

    /// Records an event, if this server is the first to apply the entry.
    pub fn note(&mut self, event: Event) {
        if self.is_first {
            self.notes.push(event);
        }
    }
}

/// The entries that any replica of a cluster has applied: a term for each index. If wiped disks lost acknowledged
/// entries, an index may be applied again with another entry, which is then the first again.
#[derive(Clone, Debug, Default)]
pub struct AppliedEntries(Rc<RefCell<Vec<u64>>>);

impl AppliedEntries {
    /// Records that a replica applies this entry. Returns whether it is the first to do so.
    pub(super) fn record(&self, index: u64, term: u64) -> bool {
        let mut terms = self.0.borrow_mut();
        let index = index as usize;
        if terms.len() <= index {
            terms.resize(index + 1, 0);
        }
        std::mem::replace(&mut terms[index], term) != term
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_first_once_and_another_entry_is_first_again() {
        let applied = AppliedEntries::default();
        assert!(applied.record(3, 1) && applied.record(2, 1));
        assert!(!applied.clone().record(3, 1));
        assert!(applied.record(3, 2));
    }
}
