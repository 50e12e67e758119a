//! What all proxies of a process share: how they reach the group, and its session.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::{ConnId, NodeId, Task, Wall};

use crate::stores::hazelcast::{HazelcastMessage, Op, Reply, SessionId};
use crate::wire::Ctx;

/// A process with its session (cp/internal/session/AbstractProxySessionManager.java) and its invocations
/// (spi/impl/operationservice/impl/RaftInvocation.java).
pub(super) struct Process {
    pub ctx: Ctx<HazelcastMessage>,
    members: RefCell<Vec<(NodeId, ConnId)>>,
    /// The member that was last known to lead.
    leader: Cell<Option<usize>>,
    cursor: Cell<usize>,
    session: RefCell<Option<Session>>,
    heartbeats: RefCell<Option<Task>>,
    /// Calls that nobody waits for any longer.
    late: RefCell<BTreeMap<u32, Task>>,
    next_late: Cell<u32>,
}

struct Session {
    id: SessionId,
    /// How many acquires use it (`acquireCount`).
    uses: u32,
    opened: Wall,
    ttl: Duration,
}

/// The group could not be reached, although it was asked again and again: `OperationTimeoutException`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unreachable;

/// A member that says nothing for so long has left, for its caller (`hazelcast.max.no.heartbeat.seconds`).
pub(super) const MEMBER_TIMEOUT: Duration = Duration::from_secs(60);

/// `hazelcast.invocation.max.retry.count`.
const TRIES: u32 = 250;

/// Retries are immediate at first (BasicInvocation.java, `MAX_FAST_INVOCATION_COUNT`), then after a time that doubles, up
/// to `hazelcast.invocation.retry.pause.millis`.
const FAST_TRIES: u32 = 5;
const RETRY_PAUSE: Duration = Duration::from_millis(500);

impl Process {
    pub fn new(ctx: Ctx<HazelcastMessage>, members: &[String]) -> Rc<Self> {
        let members = members.iter().map(|name| ctx.find(name)).map(|node| (node, ctx.connect(node))).collect();
        // Members begin their round anywhere.
        let cursor = Cell::new(usize::from(ctx.node().0));
        Rc::new(Process {
            ctx,
            members: RefCell::new(members),
            leader: Cell::default(),
            cursor,
            session: RefCell::default(),
            heartbeats: RefCell::default(),
            late: RefCell::default(),
            next_late: Cell::default(),
        })
    }

    /// Has the group carry out an operation. What is indeterminate is tried again under the same invocation uid
    /// (`isRetryableOnIndeterminateOperationState`), as long as `failOnIndeterminateOperationState` is off.
    pub async fn invoke(&self, op: Op, mark: Option<&'static str>) -> Result<Reply, Unreachable> {
        for tries in 1..=TRIES {
            let target = self.target();
            let conn = self.members.borrow()[target].1;
            let call = self.ctx.ask(conn, HazelcastMessage::Op(op.clone()), MEMBER_TIMEOUT);
            if let Some(mark) = mark.filter(|_| tries == 1) {
                self.ctx.safepoint(mark).await;
            }
            match call.await {
                Ok(HazelcastMessage::Reply(reply)) => {
                    self.leader.set(Some(target));
                    return Ok(reply);
                }
                Ok(HazelcastMessage::NotLeader { leader }) => self.leader.set(leader.and_then(|node| self.place(node))),
                Ok(_) => self.leader.set(None),
                Err(_) => {
                    self.leader.set(None);
                    self.members.borrow_mut()[target].1 = self.ctx.reopen(conn);
                }
            }
            self.pause(tries).await;
        }
        Err(Unreachable)
    }

    fn target(&self) -> usize {
        self.leader.get().unwrap_or_else(|| {
            let next = (self.cursor.get() + 1) % self.members.borrow().len();
            self.cursor.set(next);
            next
        })
    }

    fn place(&self, node: NodeId) -> Option<usize> {
        self.members.borrow().iter().position(|(member, _)| *member == node)
    }

    async fn pause(&self, tries: u32) {
        if tries >= FAST_TRIES {
            let exponent = (tries - FAST_TRIES).min(16);
            self.ctx.sleep(Duration::from_millis(1 << exponent).min(RETRY_PAUSE)).await;
        }
    }

    /// The session of the process, if there is one.
    pub fn session(&self) -> Option<SessionId> {
        self.session.borrow().as_ref().map(|session| session.id)
    }

    /// `acquireSession`: counts one more user, and opens a session if there is none or an idle one may have expired. One
    /// that is used is never taken for expired by the process's own clock.
    pub async fn acquire_session(self: &Rc<Self>) -> Result<SessionId, Unreachable> {
        let valid = |session: &Session| session.uses > 0 || self.ctx.wall() <= session.opened + session.ttl;
        if !self.session.borrow().as_ref().is_some_and(valid) {
            self.open_session().await?;
        }
        let mut session = self.session.borrow_mut();
        let session = session.as_mut().ok_or(Unreachable)?;
        session.uses += 1;
        Ok(session.id)
    }

    async fn open_session(self: &Rc<Self>) -> Result<(), Unreachable> {
        if let Reply::Session { session: id, ttl, heartbeat } = self.invoke(Op::CreateSession, None).await? {
            *self.session.borrow_mut() = Some(Session { id, uses: 0, opened: self.ctx.wall(), ttl });
            if self.heartbeats.borrow().is_none() {
                let beat = beat(self.clone(), heartbeat);
                *self.heartbeats.borrow_mut() = Some(self.ctx.spawn(beat));
            }
        }
        Ok(())
    }

    /// `releaseSession`.
    pub fn release_session(&self, id: SessionId) {
        if let Some(session) = self.session.borrow_mut().as_mut().filter(|session| session.id == id) {
            session.uses = session.uses.saturating_sub(1);
        }
    }

    /// `invalidateSession`: no more heartbeats for it.
    pub fn invalidate_session(&self, id: SessionId) {
        self.session.borrow_mut().take_if(|session| session.id == id);
    }

    /// Lets a call go on that nobody waits for any longer.
    pub fn leave(self: &Rc<Self>, call: impl Future<Output = ()> + 'static) {
        let (process, place) = (self.clone(), self.next_late.get());
        self.next_late.set(place + 1);
        let task = self.ctx.spawn(async move {
            call.await;
            process.late.borrow_mut().remove(&place);
        });
        self.late.borrow_mut().insert(place, task);
    }
}

/// `HeartbeatTask`: sessions in use only; a heartbeat that was not answered is given up for the next.
async fn beat(process: Rc<Process>, interval: Duration) {
    let mut _last = None;
    loop {
        process.ctx.sleep(interval).await;
        let used = process.session.borrow().as_ref().filter(|session| session.uses > 0).map(|session| session.id);
        if let Some(session) = used {
            _last = Some(process.ctx.spawn(beat_once(process.clone(), session)));
        }
    }
}

async fn beat_once(process: Rc<Process>, session: SessionId) {
    if let Ok(Reply::SessionExpired) = process.invoke(Op::Heartbeat { session }, None).await {
        process.invalidate_session(session);
    }
}
