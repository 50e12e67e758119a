//! The state of a client's connection, and those who wait for its change.

use std::cell::{Ref, RefCell, RefMut};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use fencepost_sim::{ConnId, Mono, Signal, Wall};

use crate::history::{GrantId, ResourceId};
use crate::locks::zookeeper::server::{Path, SessionId};

/// The state of a handle.
pub(super) struct State {
    pub connected: Option<ConnId>,
    /// The number of connections and disconnections.
    pub epoch: u64,
    /// The number of events that wake waiters: a watch fired, or the connection changed.
    pub events: u64,
    pub session: Option<SessionId>,
    /// The number of abandoned sessions.
    pub given_up: u64,
    /// The session's timeout; before there is one, the requested timeout.
    pub timeout: Duration,
    /// The last zxid seen in the session.
    pub seen: u64,
    pub heard: Mono,
    pub sent: Mono,
    /// The time since which Curator's state is SUSPENDED.
    pub suspended: Option<Wall>,
    /// The grant under which Curator's user works, and whether the user was told to stop.
    pub holding: Option<(GrantId, bool)>,
    /// The pending background deletions.
    pub chores: VecDeque<Chore>,
    waiting: BTreeMap<u64, Signal>,
    waits: u64,
}

/// A background deletion of Curator, however long it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chore {
    /// A node (`guaranteed()`: FailedOperationManager.java).
    Delete(Path),
    /// The node of an attempt, if its creation took effect (FindAndDeleteProtectedNodeInBackground.java).
    Find(ResourceId, GrantId),
}

/// The state, shared by all parts of a process.
pub(super) struct Board(RefCell<State>);

impl Board {
    /// Before the first connection.
    pub fn new(now: Mono, wanted: Duration) -> Self {
        Board(RefCell::new(State {
            connected: None,
            epoch: 0,
            events: 0,
            session: None,
            given_up: 0,
            timeout: wanted,
            seen: 0,
            heard: now,
            sent: now,
            suspended: None,
            holding: None,
            chores: VecDeque::new(),
            waiting: BTreeMap::new(),
            waits: 0,
        }))
    }

    pub fn borrow(&self) -> Ref<'_, State> {
        self.0.borrow()
    }

    /// For changes that wake no waiter.
    pub fn borrow_mut(&self) -> RefMut<'_, State> {
        self.0.borrow_mut()
    }

    /// Waits until the condition holds.
    pub async fn wait_until(&self, holds: impl Fn(&State) -> bool) {
        loop {
            let wait = {
                let state = &mut *self.0.borrow_mut();
                if holds(state) {
                    return;
                }
                state.waits += 1;
                let (number, signal) = (state.waits, Signal::default());
                state.waiting.insert(number, signal.clone());
                Wait { board: self, number, signal }
            };
            wait.signal.raised().await;
        }
    }

    /// Changes the state and wakes all waiters.
    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let (changed, signals) = {
            let state = &mut *self.0.borrow_mut();
            let signals: Vec<Signal> = state.waiting.values().cloned().collect();
            (change(state), signals)
        };
        signals.iter().for_each(Signal::raise);
        changed
    }
}

impl State {
    pub fn is_connected(&self) -> bool {
        self.connected.is_some()
    }
}

/// A waiter for a change of the state.
struct Wait<'a> {
    board: &'a Board,
    number: u64,
    signal: Signal,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.board.0.borrow_mut().waiting.remove(&self.number);
    }
}
