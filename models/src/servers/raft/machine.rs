//! What is replicated, and what of it is ground truth.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use fencepost_sim::NodeId;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::history::Event;

/// What may stand in the replicated log: plain data that can be written down and read back.
pub trait Command: Clone + fmt::Debug + Serialize + DeserializeOwned + 'static {}

impl<T: Clone + fmt::Debug + Serialize + DeserializeOwned + 'static> Command for T {}

/// The state that is replicated: every server applies the same commands in the same order. It reads no clock and draws
/// no randomness, so that all replicas are equal; what depends on time is decided by the leader and proposed.
pub trait Machine: Clone + fmt::Debug + Serialize + 'static {
    /// What changes it.
    type Command: Command;
    /// What the change came to, for the server that proposed it.
    type Answer: 'static;

    /// Applies the command at `index` of the log. What it notes down counts once for the whole cluster.
    fn apply(&mut self, truth: &mut Truth, index: u64, command: &Self::Command) -> Self::Answer;
}

/// Where a machine notes down what really happened. Only the first replica that applies an entry is heard: from then on
/// the entry has taken effect, whoever applies it later.
#[derive(Debug)]
pub struct Truth {
    pub(super) server: NodeId,
    pub(super) first: bool,
    pub(super) notes: Vec<Event>,
}

impl Truth {
    pub(super) fn new(server: NodeId) -> Self {
        Truth { server, first: false, notes: Vec::new() }
    }

    /// That of the first server to apply an entry.
    #[cfg(test)]
    pub(crate) fn of_the_first(server: NodeId) -> Self {
        Truth { first: true, ..Truth::new(server) }
    }

    /// What was noted down so far.
    #[cfg(test)]
    pub(crate) fn notes(&self) -> &[Event] {
        &self.notes
    }

    /// The server that applies.
    pub fn server(&self) -> NodeId {
        self.server
    }

    /// Whether this is the first server of the cluster to apply this entry.
    pub fn first(&self) -> bool {
        self.first
    }

    /// Notes it down, if this server is the first to apply the entry.
    pub fn note(&mut self, event: Event) {
        if self.first {
            self.notes.push(event);
        }
    }
}

/// Which entries some replica of a cluster has applied: the term of each index. Where wiped disks made a cluster forget
/// what it had acknowledged, an index is applied again with another entry, which is first again.
#[derive(Clone, Debug, Default)]
pub struct Lineage(Rc<RefCell<Vec<u64>>>);

impl Lineage {
    /// Whether nobody has applied this entry before. From now on somebody has.
    pub(super) fn first(&self, index: u64, term: u64) -> bool {
        let mut terms = self.0.borrow_mut();
        let place = index as usize;
        if terms.len() <= place {
            terms.resize(place + 1, 0);
        }
        std::mem::replace(&mut terms[place], term) != term
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_first_once_and_again_only_as_another_entry() {
        let lineage = Lineage::default();
        assert!(lineage.first(3, 1) && lineage.first(2, 1));
        assert!(!lineage.clone().first(3, 1));
        assert!(lineage.first(3, 2));
    }
}
