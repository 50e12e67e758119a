//! Hazelcast's `FencedLock` (cp/internal/datastructures/lock/proxy/AbstractFencedLockProxy.java) and its servers: see
//! [`crate::locks::hazelcast::server`]. [`Hazelcast`] has the default settings: no CP members, "unsafe mode".
//! [`HazelcastCp`] has a CP group.
//!
//! A holder's belief never ends by its own clock: the client treats a session in use as valid, and the servers do not
//! report that they closed it. The holder learns of it when its next operation meets a session that is gone or another
//! one: `LockOwnershipLostException`.

mod cp;
mod info;
mod params;
mod process;
pub mod server;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::{CallError, Either, Mono, race};

pub use self::cp::HazelcastCp;
pub use self::params::{HazelcastCpParams, HazelcastParams};
use self::process::{Process, Unreachable};
use crate::grant::{Attempt, Grant, LockError, Reason};
use crate::history::ResourceId;
use crate::info::LockInfo;
use crate::lock::Lock;
use crate::locks::hazelcast::server::{Endpoint, HazelcastMessage, Op, Reply, SessionId, UnsafeMember};
use crate::site::Site;
use crate::wire::Ctx;

/// `FencedLock` without CP members.
pub struct Hazelcast(Client);

/// A proxy of a `FencedLock`, as one thread uses it.
struct Client {
    proxy: Rc<Proxy>,
    /// The grant that the client believes to hold.
    outer: Option<Grant>,
    /// The number of nested acquires.
    depth: u32,
    /// The number of threads left behind in an unanswered call.
    thread: u32,
    next_unlock: u64,
}

struct Proxy {
    process: Rc<Process>,
    resource: ResourceId,
    /// The session with which the thread holds the lock (`lockedSessionIds`).
    locked: Cell<Option<SessionId>>,
    /// The pending request: its session and requested wait.
    asked: Cell<Option<(SessionId, u64)>>,
}

/// The extra time for an answer to `tryLock` after the requested wait: the server checks every 500 ms, and commits. The
/// library itself waits without limit.
const ANSWER: Duration = Duration::from_secs(2);

const LOST: LockError = LockError::Failed(Reason::NotHeld);

impl From<Unreachable> for LockError {
    fn from(_: Unreachable) -> Self {
        LockError::Unknown(Reason::Call(CallError::TimedOut))
    }
}

impl Lock for Hazelcast {
    const INFO: LockInfo = info::INFO;
    type Params = HazelcastParams;
    type Message = HazelcastMessage;

    fn deploy(params: &HazelcastParams, site: &mut Site<'_, HazelcastMessage>) {
        UnsafeMember::deploy(site, &params.server_names(), params.cp());
    }

    fn connect(params: &HazelcastParams, ctx: Ctx<HazelcastMessage>, resource: ResourceId) -> Self {
        Hazelcast(Client::new(ctx, &params.server_names(), resource))
    }

    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        self.0.acquire(attempt).await
    }

    async fn release(&mut self, _: &Grant) -> Result<(), LockError> {
        self.0.release().await
    }

    async fn check(&mut self, grant: &Grant) -> Result<bool, LockError> {
        self.0.check(grant).await
    }

    fn takeover_bound(params: &HazelcastParams, allowance: &BoundAllowance) -> Duration {
        params.takeover_bound(allowance)
    }
}

impl Client {
    fn new(ctx: Ctx<HazelcastMessage>, members: &[String], resource: ResourceId) -> Self {
        let process = Process::new(ctx, members);
        let proxy = Rc::new(Proxy { process, resource, locked: Cell::default(), asked: Cell::default() });
        Client { proxy, outer: None, depth: 0, thread: 0, next_unlock: 0 }
    }

    /// `tryLockAndGetFence`. A thread whose call is not answered in time stays in it, as the library's do. If it gets
    /// the lock later, it unlocks, since its caller no longer wants it. A holder has only its own thread.
    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        let call = Call { attempt, thread: self.thread, timeout_ms: None };
        let proxy = self.proxy.clone();
        let locked = if self.depth > 0 {
            proxy.try_lock(call, Some("acquire-sent")).await
        } else {
            let patience = proxy.process.ctx.sleep_until(attempt.give_up + ANSWER);
            match race(proxy.try_lock(call, Some("acquire-sent")), patience).await {
                Either::First(locked) => locked,
                Either::Second(()) => return Err(self.leave_thread(call)),
            }
        };
        match locked {
            Ok(grant) => {
                self.depth += 1;
                Ok(*self.outer.insert(grant))
            }
            Err(error) => {
                self.observe_loss();
                Err(error)
            }
        }
    }

    async fn release(&mut self) -> Result<(), LockError> {
        let Some(outer) = self.outer else { return Err(LOST) };
        self.next_unlock += 1;
        let released = self.proxy.unlock(self.thread, self.next_unlock, &outer, Some("release-sent")).await;
        self.depth = self.depth.saturating_sub(1);
        if self.proxy.locked.get().is_none() {
            (self.outer, self.depth) = (None, 0);
        }
        released
    }

    /// `isLockedByCurrentThread`: compares the session with the local one, then asks the servers for the owner. The call
    /// waits for an answer without limit.
    async fn check(&mut self, grant: &Grant) -> Result<bool, LockError> {
        if self.outer.is_none_or(|outer| outer.id != grant.id) {
            return Ok(false);
        }
        let Proxy { process, resource, locked, .. } = &*self.proxy;
        let session = process.session().filter(|session| locked.get() == Some(*session));
        let mut holds = false;
        if let Some(session) = session {
            let endpoint = Endpoint { session, thread: self.thread };
            holds = match process.invoke(Op::GetOwner { resource: *resource }, None).await? {
                Reply::Owner { owner } => owner == Some(endpoint),
                _ => false,
            };
        }
        if !holds {
            locked.set(None);
            self.observe_loss();
        }
        Ok(holds)
    }

    /// Leaves the thread in its call; the work continues in another one.
    fn leave_thread(&mut self, call: Call) -> LockError {
        let Proxy { process, resource, asked, .. } = &*self.proxy;
        self.thread += 1;
        if let Some((session, timeout_ms)) = asked.take() {
            process.release_session(session);
            let (locked, asked) = (Cell::default(), Cell::default());
            let left = Proxy { process: process.clone(), resource: *resource, locked, asked };
            let call = Call { timeout_ms: Some(timeout_ms), ..call };
            process.detach(async move {
                if let Ok(grant) = left.try_lock(call, None).await {
                    left.unlock(call.thread, 0, &grant, None).await.ok();
                }
            });
        }
        LockError::from(Unreachable)
    }

    /// Reports the loss that an operation of the holder has found: `LockOwnershipLostException`.
    fn observe_loss(&mut self) {
        if self.proxy.locked.get().is_none()
            && let Some(outer) = self.outer.take()
        {
            self.depth = 0;
            self.proxy.process.ctx.report_lock_lost(outer.id);
        }
    }
}

/// A call of `tryLock`.
#[derive(Clone, Copy)]
struct Call {
    attempt: Attempt,
    thread: u32,
    /// The wait that a repeated request had asked for.
    timeout_ms: Option<u64>,
}

impl Proxy {
    async fn try_lock(&self, call: Call, step: Option<&'static str>) -> Result<Grant, LockError> {
        let process = &self.process;
        loop {
            let session = process.acquire_session().await?;
            if self.locked.get().is_some_and(|locked| locked != session) {
                self.locked.set(None);
                process.release_session(session);
                return Err(LOST);
            }
            let reply = self.ask(call, session, step).await;
            match reply {
                Ok(Reply::Locked { fence, attempt }) => {
                    self.locked.set(Some(session));
                    return Ok(Grant { id: attempt, token: Some(fence), valid_until: None });
                }
                Ok(Reply::SessionExpired) => {
                    process.invalidate_session(session);
                    if self.locked.take().is_some() {
                        return Err(LOST);
                    }
                    if self.time_left(call.attempt.give_up).is_zero() {
                        return Err(LockError::Failed(Reason::Busy));
                    }
                }
                Ok(_) => {
                    process.release_session(session);
                    return Err(LockError::Failed(Reason::Busy));
                }
                Err(unreachable) => {
                    process.release_session(session);
                    return Err(unreachable.into());
                }
            }
        }
    }

    async fn ask(&self, call: Call, session: SessionId, step: Option<&'static str>) -> Result<Reply, Unreachable> {
        let timeout_ms = call.timeout_ms.unwrap_or_else(|| self.time_left(call.attempt.give_up).as_millis() as u64);
        self.asked.set(Some((session, timeout_ms)));
        let (resource, endpoint) = (self.resource, Endpoint { session, thread: call.thread });
        let (uid, attempt) = (call.attempt.id.0.into(), call.attempt.id);
        let reply = self.process.invoke(Op::TryLock { resource, endpoint, uid, timeout_ms, attempt }, step).await;
        self.asked.set(None);
        reply
    }

    fn time_left(&self, until: Mono) -> Duration {
        until - self.process.ctx.mono()
    }

    /// `unlock`, whose requests have their own numbers.
    async fn unlock(
        &self,
        thread: u32,
        number: u64,
        grant: &Grant,
        step: Option<&'static str>,
    ) -> Result<(), LockError> {
        let Some(session) = self.process.session().filter(|session| self.locked.get() == Some(*session)) else {
            self.locked.set(None);
            return Err(LOST);
        };
        let endpoint = Endpoint { session, thread };
        let (resource, uid, on_behalf) = (self.resource, 1 << 32 | number, grant.id);
        match self.process.invoke(Op::Unlock { resource, endpoint, uid, on_behalf }, step).await? {
            Reply::Unlocked { still } => {
                self.locked.set(still.then_some(session));
                self.process.release_session(session);
                Ok(())
            }
            Reply::SessionExpired => {
                self.process.invalidate_session(session);
                self.locked.set(None);
                Err(LOST)
            }
            _ => {
                self.locked.set(None);
                Err(LOST)
            }
        }
    }
}
