//! The memory that the members of a cluster share, across restarts of single members.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use super::HazelcastMessage;
use super::group::Note;
use crate::history::{Cause, Event, GrantId, Token};
use crate::servers::raft;
use crate::wire::Env;

/// The knowledge that a cluster keeps while any member runs: its CP group, and the grants, as ground truth.
#[derive(Default)]
pub(super) struct Cluster {
    pub running: Cell<usize>,
    /// The seed of the current group.
    pub seed: Cell<u32>,
    pub applied_entries: RefCell<raft::AppliedEntries>,
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

    /// Starts a new group with an empty log, after all members were down. Grants of the old group last for about the
    /// time to live of a session.
    pub fn reset(&self, env: &mut Env<'_, HazelcastMessage>, ttl: Duration) {
        self.seed.set(self.seed.get() + 1);
        self.applied_entries.take();
        self.applied.take();
        for grant in self.held.take() {
            env.note_after(ttl, Event::Ended { server: env.node(), grant, cause: Cause::Expired });
        }
    }
}
