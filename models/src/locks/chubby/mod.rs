//! Chubby's locks, as its paper describes them. See [`crate::locks::chubby::server`] for the cell.
//!
//! A client has one session, which it keeps alive by KeepAlives that the master delays. Its local lease is a
//! conservative copy of the master's: the answer's time in flight and the difference of clock rates count against it.
//! When the local lease is over, the session is in jeopardy: calls wait, [`Lock::check`] too. If a master answers within
//! the grace period, the session is safe again and the lock still held; otherwise both are lost.

mod info;
mod link;
mod params;
pub mod server;
mod session;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::{CallError, Either, Task, race};

use self::link::{Link, PROBE};
pub use self::params::ChubbyParams;
use self::session::{Answer, Session};
use crate::grant::{Attempt, Grant, LockError, Reason};
use crate::history::{GrantId, ResourceId};
use crate::info::LockInfo;
use crate::lock::Lock;
use crate::locks::chubby::server::{Call, Chubby, ChubbyMessage, Database};
use crate::servers::raft::deploy;
use crate::site::Site;
use crate::wire::Ctx;

/// A client of a Chubby cell.
pub struct ChubbyLock {
    params: ChubbyParams,
    ctx: Ctx<ChubbyMessage>,
    resource: ResourceId,
    link: Rc<Link>,
    session: Option<(Rc<Session>, Task)>,
    /// Abandoned attempts, until the master has closed their handles.
    closing: Vec<Closing>,
}

struct Closing {
    done: Rc<Cell<bool>>,
    _task: Task,
}

/// An application's pause after a failed attempt. Our choice: the paper gives none.
const AFTER_ERROR: Duration = Duration::from_secs(1);

impl Lock for ChubbyLock {
    const INFO: LockInfo = info::INFO;
    type Params = ChubbyParams;
    type Message = ChubbyMessage;

    fn deploy(params: &ChubbyParams, site: &mut Site<'_, ChubbyMessage>) {
        let timing = params.timing();
        deploy(site, &params.server_names(), params.raft(), Database::default(), |_| Chubby::new(timing));
    }

    fn connect(params: &ChubbyParams, ctx: Ctx<ChubbyMessage>, resource: ResourceId) -> Self {
        let link = Rc::new(Link::new(ctx.clone(), &params.server_names()));
        ChubbyLock { params: params.clone(), ctx, resource, link, session: None, closing: Vec::new() }
    }

    /// An abandoned attempt closes its handle, however long that takes.
    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        self.closing.retain(|closing| !closing.done.get());
        let handle = attempt.id;
        let session = self.session(attempt).await?;
        let lock_delay = self.params.lock_delay.0;
        let acquire = session.call(Call::Acquire { resource: self.resource, handle, lock_delay }, Some("acquire-sent"));
        match race(acquire, self.ctx.sleep_until(attempt.give_up)).await {
            Either::First(Ok(Answer { message: ChubbyMessage::Acquired { generation }, .. })) => {
                session.held.set(Some(handle));
                Ok(Grant { id: handle, token: Some(generation), valid_until: None })
            }
            Either::First(Ok(_)) => Err(LockError::Failed(Reason::NotHeld)),
            Either::First(Err(_)) => Err(LockError::Unknown(Reason::NotHeld)),
            Either::Second(()) => {
                self.close(session.clone(), handle);
                Err(LockError::Unknown(Reason::Call(CallError::TimedOut)))
            }
        }
    }

    async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        let holds = |session: &&(Rc<Session>, Task)| session.0.held.get() == Some(grant.id);
        let Some((session, _)) = self.session.as_ref().filter(holds) else {
            return Err(LockError::Failed(Reason::NotHeld));
        };
        session.held.set(None);
        let release = Call::Release { resource: self.resource, handle: grant.id };
        match session.call(release, Some("release-sent")).await {
            Ok(Answer { message: ChubbyMessage::Released { held }, repeated }) if held || repeated => Ok(()),
            _ => Err(LockError::Failed(Reason::NotHeld)),
        }
    }

    /// `CheckSequencer`: asks the master. The call waits while the session is in jeopardy, and fails if it expires.
    async fn check(&mut self, grant: &Grant) -> Result<bool, LockError> {
        let holds = |session: &&(Rc<Session>, Task)| session.0.held.get() == Some(grant.id);
        let Some((session, _)) = self.session.as_ref().filter(holds) else { return Ok(false) };
        let check = Call::Check { resource: self.resource, handle: grant.id };
        let answer = session.call(check, None).await;
        Ok(matches!(answer, Ok(Answer { message: ChubbyMessage::Checked { valid: true }, .. })))
    }

    fn retry_delay(&mut self) -> Duration {
        AFTER_ERROR
    }

    /// A session ends with its lease, by the master's monotonic clock: slow rates and stopped machines lengthen it,
    /// clock steps do not. Then comes the lock-delay. A dead host leaves a KeepAlive with the master, whose answer
    /// extends the lease once more: nearly two leases in all. A new master gives every session a whole lease again,
    /// waits until each has answered or ended, and restarts the lock-delay. A client may have to ask each replica once
    /// to find it.
    fn takeover_bound(params: &ChubbyParams, allowance: &BoundAllowance) -> Duration {
        let undisturbed = 2 * params.lease.0 + params.lock_delay.0 + AFTER_ERROR;
        if *allowance == BoundAllowance::default() {
            return undisturbed;
        }
        let election = 2 * params.raft().max_failover_time();
        let again = allowance.stretch_mono(election + params.lease.0 + undisturbed);
        again + allowance.reconnect + 2 * PROBE * u32::from(params.replicas)
    }

    fn progress_bound(params: &ChubbyParams, allowance: &BoundAllowance) -> Duration {
        Self::takeover_bound(
            params,
            &BoundAllowance { reconnect: allowance.reconnect.max(Duration::from_nanos(1)), ..*allowance },
        )
    }
}

impl ChubbyLock {
    /// Returns the session, or creates one if none is alive.
    async fn session(&mut self, attempt: Attempt) -> Result<Rc<Session>, LockError> {
        if let Some((session, _)) = self.session.as_ref().filter(|(session, _)| !session.is_expired()) {
            return Ok(session.clone());
        }
        let begin = Session::create(self.link.clone(), self.params.clone(), attempt.id);
        let Either::First(session) = race(begin, self.ctx.sleep_until(attempt.give_up)).await else {
            return Err(LockError::Failed(Reason::Busy));
        };
        let task = self.ctx.spawn(session.clone().keep_alive());
        self.session = Some((session.clone(), task));
        Ok(session)
    }

    fn close(&mut self, session: Rc<Session>, handle: GrantId) {
        let done = Rc::new(Cell::new(false));
        let (resource, flag) = (self.resource, done.clone());
        let task = self.ctx.spawn(async move {
            session.call(Call::Release { resource, handle }, None).await.ok();
            flag.set(true);
        });
        self.closing.push(Closing { done, _task: task });
    }
}
