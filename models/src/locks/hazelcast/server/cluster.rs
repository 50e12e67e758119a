//! What the members of a cluster remember together, whoever of them restarts.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use super::HazelcastMessage;
use super::group::Note;
use crate::history::{Cause, Event, GrantId, Token};
use crate::servers::raft;
use crate::wire::Env;

/// What a cluster remembers for as long as one of its members runs: that its CP members were found, and so which group
/// there is. Beside it, for the ground truth, what was granted.
#[derive(Default)]
pub(super) struct Cluster {
    pub running: Cell<usize>,
    /// The group that there is.
    pub seed: Cell<u32>,
    pub lineage: RefCell<raft::AppliedEntries>,
    applied: Cell<Token>,
    held: RefCell<Vec<GrantId>>,
}

impl Cluster {
    pub fn applied(&self, index: Token, notes: &[Note]) {
        if index <= self.applied.replace(index.max(self.applied.get())) {
            return;
        }
        for note in notes {
            match note {
                Note::Granted(grant) => self.held.borrow_mut().push(*grant),
                Note::Ended(grant, _) => self.held.borrow_mut().retain(|held| held != grant),
            }
        }
    }

    /// Nobody remembers: the members that start now are a new cluster with a new group, whose log begins anew. What the
    /// old one had granted was given for about the time to live of a session.
    pub fn forget(&self, env: &mut Env<'_, HazelcastMessage>, ttl: Duration) {
        self.seed.set(self.seed.get() + 1);
        self.lineage.take();
        self.applied.take();
        for grant in self.held.take() {
            env.note_after(ttl, Event::Ended { server: env.node(), grant, cause: Cause::Expired });
        }
    }
}
