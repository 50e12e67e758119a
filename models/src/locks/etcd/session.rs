//! A lease with keep-alives: `concurrency.Session` (concurrency/session.go, client/v3/lease.go).

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::{CallError, Mono, MonoDeadline, Task, race};

use super::link::Link;
use crate::grant::{LockError, Reason};
use crate::history::GrantId;
use crate::locks::etcd::server::{EtcdMessage, LeaseId};

/// A session. It ends when its lease is gone, or after the lease's duration without an answer.
pub(super) struct Session {
    state: Rc<State>,
    _keeper: Task,
    notifier: Cell<Option<Task>>,
}

struct State {
    link: Rc<Link>,
    lease: LeaseId,
    started: Mono,
    /// The end of the session without further answers.
    ends: Cell<MonoDeadline>,
    next: Cell<Mono>,
    done: Cell<bool>,
    /// The grant that ends with the session.
    grant: Cell<Option<GrantId>>,
}

/// The first deadline, before any answer (`defaultTTL`; with a dial timeout, that plus a second).
const FIRST: Duration = Duration::from_secs(5);

/// The interval of checks whether a keep-alive is due, and the pause after a broken stream (`retryConnWait`,
/// `sendKeepAliveLoop`).
const SEND_LOOP: Duration = Duration::from_millis(500);

/// The interval of checks whether the deadline has passed (`deadlineLoop`).
const DEADLINE_LOOP: Duration = Duration::from_secs(1);

impl Session {
    /// Gets a lease and starts its keep-alives.
    pub async fn open(link: &Rc<Link>, seconds: u64, give_up: Mono) -> Result<Self, LockError> {
        let reply = link.repeat(EtcdMessage::GrantLease { seconds }, Some(give_up)).await;
        // An unknown lease has no effect on the lock.
        let reply = reply.map_err(|error| LockError::Failed(Reason::Call(error)))?;
        let EtcdMessage::Leased { lease, .. } = reply else { return Err(LockError::Failed(Reason::NotHeld)) };
        let now = link.ctx.mono();
        let state = Rc::new(State {
            link: link.clone(),
            lease,
            started: now,
            ends: Cell::new(link.ctx.deadline(now, FIRST)),
            next: Cell::new(now),
            done: Cell::new(false),
            grant: Cell::new(None),
        });
        let keeper = link.ctx.spawn(keep_session(state.clone()));
        Ok(Session { state, _keeper: keeper, notifier: Cell::new(None) })
    }

    pub fn lease(&self) -> LeaseId {
        self.state.lease
    }

    pub fn done(&self) -> bool {
        self.state.done.get()
    }

    /// Binds the grant to the session: it is reported lost when the session ends, or at once if it has ended.
    pub fn protect(&self, grant: GrantId) {
        self.state.grant.set(Some(grant));
        if self.done() {
            let state = self.state.clone();
            self.notifier.set(Some(self.state.link.ctx.spawn(async move {
                state.link.ctx.sleep(Duration::ZERO).await;
                state.end();
            })));
        }
    }

    pub fn unprotect(&self) {
        self.state.grant.set(None);
    }
}

async fn keep_session(state: Rc<State>) {
    race(state.keep_alive(), state.deadline()).await;
    state.end();
}

impl State {
    /// Ends when the lease is gone. A broken stream is replaced by one to the next member.
    async fn keep_alive(&self) {
        let ctx = &self.link.ctx;
        loop {
            let started = ctx.mono();
            if let Some(member) = self.link.pick() {
                while self.renew(started, member).await.is_ok() {
                    if self.done.get() {
                        return;
                    }
                }
            }
            ctx.sleep(SEND_LOOP).await;
        }
    }

    /// Sends a keep-alive on a stream that started at `started`. The next one is due a third of the lease after the
    /// answer.
    async fn renew(&self, started: Mono, member: usize) -> Result<(), CallError> {
        let ctx = &self.link.ctx;
        ctx.sleep_until(next_iteration(started, self.next.get(), SEND_LOOP)).await;
        let lease = self.lease;
        match self.link.stream(member, EtcdMessage::KeepAlive { lease }, None).await? {
            EtcdMessage::Alive { seconds: 0 } => self.done.set(true),
            EtcdMessage::Alive { seconds } => {
                let (now, lasts) = (ctx.mono(), Duration::from_secs(seconds));
                self.next.set(now + lasts / 3);
                self.ends.set(ctx.deadline(now, lasts));
            }
            _ => return Err(CallError::TimedOut),
        }
        Ok(())
    }

    async fn deadline(&self) {
        let ctx = &self.link.ctx;
        while !ctx.passed(self.ends.get()) {
            ctx.sleep_until(next_iteration(self.started, self.ends.get().at, DEADLINE_LOOP)).await;
        }
    }

    /// `Session.Done`.
    fn end(&self) {
        self.done.set(true);
        if let Some(grant) = self.grant.take() {
            self.link.ctx.report_lock_lost(grant);
        }
    }
}

/// The first iteration, at or after `time`, of a loop that started at `started`.
fn next_iteration(started: Mono, time: Mono, every: Duration) -> Mono {
    let iterations = (time - started).as_nanos().div_ceil(every.as_nanos());
    started + every * iterations as u32
}
