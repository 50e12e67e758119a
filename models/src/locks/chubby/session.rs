//! A client's session: its local lease, jeopardy, grace, and waiting calls (section 2.8 of the paper).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::{CallError, Either, MonoDeadline, Signal, race};

use super::link::{Link, PROBE};
use super::params::ChubbyParams;
use crate::history::GrantId;
use crate::locks::chubby::server::{Call, ChubbyMessage};

/// The timeout of a call: it ends with an answer or with the session.
const LONG: Duration = Duration::from_secs(24 * 3600);

pub(super) struct Session {
    pub id: GrantId,
    link: Rc<Link>,
    params: ChubbyParams,
    epoch: Cell<u64>,
    /// The number of the last lease.
    seen: Cell<u64>,
    lease: Cell<MonoDeadline>,
    state: Cell<State>,
    /// The grant that ends with the session.
    pub held: Cell<Option<GrantId>>,
    watchers: RefCell<BTreeMap<u64, Signal>>,
    next_watcher: Cell<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Safe,
    /// The local lease is over; the master may have ended the session.
    Jeopardy,
    Expired,
}

/// The session expired before the call was answered.
pub(super) struct Lost;

/// The answer, and whether the call was sent more than once.
pub(super) struct Answer {
    pub message: ChubbyMessage,
    pub repeated: bool,
}

impl Session {
    /// Creates a session, however long it takes.
    pub async fn create(link: Rc<Link>, params: ChubbyParams, id: GrantId) -> Rc<Session> {
        loop {
            let sent = link.ctx.mono();
            match link.ctx.ask(link.conn(), ChubbyMessage::Create { session: id }, PROBE).await {
                Ok(ChubbyMessage::Created { epoch, left }) => {
                    link.on_master_found();
                    let lease = link.ctx.deadline(sent, params.trusted(left));
                    return Rc::new(Session {
                        id,
                        link,
                        params,
                        epoch: Cell::new(epoch),
                        seen: Cell::new(0),
                        lease: Cell::new(lease),
                        state: Cell::new(State::Safe),
                        held: Cell::default(),
                        watchers: RefCell::default(),
                        next_watcher: Cell::default(),
                    });
                }
                Ok(ChubbyMessage::NotMaster { master }) => link.on_redirect(master).await,
                Ok(_) => link.pause().await,
                Err(error) => link.on_failure(error).await,
            }
        }
    }

    pub fn is_expired(&self) -> bool {
        self.state.get() == State::Expired
    }

    /// Calls the master, again after each change of master, and not while the session is in jeopardy.
    pub async fn call(&self, call: Call, mut step: Option<&'static str>) -> Result<Answer, Lost> {
        let mut repeated = false;
        loop {
            match self.state.get() {
                State::Expired => return Err(Lost),
                State::Jeopardy => {
                    self.changed().await;
                    continue;
                }
                State::Safe => {}
            }
            let message = ChubbyMessage::Call { session: self.id, epoch: self.epoch.get(), call };
            let reply = self.link.ctx.ask(self.link.conn(), message, LONG);
            if let Some(step) = step.take() {
                self.link.ctx.reach_step(step).await;
            }
            match race(reply, self.changed()).await {
                Either::First(Ok(ChubbyMessage::NewEpoch { epoch })) => self.enter(epoch),
                Either::First(Ok(ChubbyMessage::NotMaster { .. }) | Err(_)) => self.link.pause().await,
                Either::First(Ok(message)) => return Ok(Answer { message, repeated }),
                Either::Second(()) => {}
            }
            repeated = true;
        }
    }

    /// Keeps the session alive as long as possible.
    pub async fn keep_alive(self: Rc<Self>) {
        let ctx = &self.link.ctx;
        let mut found = true;
        while !self.is_expired() {
            let sent = ctx.mono();
            let left = self.next_transition() - sent;
            let within = if found { left } else { left.min(PROBE) };
            let message = ChubbyMessage::KeepAlive { session: self.id, epoch: self.epoch.get(), seen: self.seen.get() };
            match ctx.ask(self.link.conn(), message, within.max(Duration::from_millis(1))).await {
                Ok(ChubbyMessage::Lease { number, held_back, left }) => {
                    found = true;
                    self.link.on_master_found();
                    self.seen.set(number);
                    // The answer left at least `held_back` after the question, so its flight took at most the rest.
                    self.extend(ctx.deadline(sent, self.params.trusted(held_back + left)));
                }
                Ok(ChubbyMessage::NewEpoch { epoch }) => self.enter(epoch),
                Ok(ChubbyMessage::Gone) => self.expire(),
                Ok(ChubbyMessage::NotMaster { master }) => {
                    found = false;
                    self.link.on_redirect(master).await;
                    self.notify();
                }
                Ok(_) => self.link.pause().await,
                Err(error) => {
                    found = false;
                    self.search(error).await;
                }
            }
            self.check_clock();
        }
    }

    async fn search(&self, error: CallError) {
        self.check_clock();
        self.link.on_failure(error).await;
        self.notify();
    }

    /// The time at which the state changes without a message from the master.
    fn next_transition(&self) -> fencepost_sim::Mono {
        let lease = self.lease.get().at;
        if self.state.get() == State::Safe { lease } else { lease + self.params.grace.0 }
    }

    fn check_clock(&self) {
        let now = self.link.ctx.mono();
        let state = self.state.get();
        if state == State::Safe && now >= self.lease.get().at {
            self.set_state(State::Jeopardy);
        }
        if state != State::Expired && now >= self.lease.get().at + self.params.grace.0 {
            self.expire();
        }
    }

    fn extend(&self, lease: MonoDeadline) {
        if lease.at > self.lease.get().at {
            self.lease.set(lease);
        }
        if self.link.ctx.mono() < self.lease.get().at {
            self.set_state(State::Safe);
        }
    }

    /// Enters the epoch of a new master. A late answer of an old one is ignored.
    fn enter(&self, epoch: u64) {
        if epoch > self.epoch.get() {
            self.epoch.set(epoch);
            self.seen.set(0);
        }
    }

    fn expire(&self) {
        self.set_state(State::Expired);
        if let Some(grant) = self.held.take() {
            self.link.ctx.report_lock_lost(grant);
        }
    }

    fn set_state(&self, state: State) {
        if self.state.replace(state) != state {
            self.notify();
        }
    }

    fn notify(&self) {
        self.watchers.borrow().values().for_each(Signal::raise);
    }

    /// Waits until the state or the master changes.
    async fn changed(&self) {
        let key = self.next_watcher.get();
        self.next_watcher.set(key + 1);
        let signal = Signal::default();
        self.watchers.borrow_mut().insert(key, signal.clone());
        let _watcher = Watcher { session: self, key };
        signal.raised().await;
    }
}

struct Watcher<'s> {
    session: &'s Session,
    key: u64,
}

impl Drop for Watcher<'_> {
    fn drop(&mut self) {
        self.session.watchers.borrow_mut().remove(&self.key);
    }
}
