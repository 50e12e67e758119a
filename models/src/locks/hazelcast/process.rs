//! The state that all proxies of a process share: its session and its connections to the group.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::{CallError, ConnId, Either, Mono, NodeId, Task, Wall, race};

use crate::locks::hazelcast::server::{HazelcastMessage, Op, Reply, SessionId};
use crate::wire::Ctx;

/// A process with its session (cp/internal/session/AbstractProxySessionManager.java) and its invocations
/// (spi/impl/operationservice/impl/RaftInvocation.java).
pub(super) struct Process {
    pub ctx: Ctx<HazelcastMessage>,
    members: RefCell<Vec<Member>>,
    /// The last known leader.
    leader: Cell<Option<usize>>,
    cursor: Cell<usize>,
    session: RefCell<Option<Session>>,
    heartbeats: RefCell<Option<Task>>,
    /// Calls whose callers have left.
    late: RefCell<BTreeMap<u32, Task>>,
    next_late: Cell<u32>,
}

/// A member, as the process sees it.
struct Member {
    node: NodeId,
    conn: ConnId,
    /// The time of its last message, or of the first request since.
    heard: Mono,
    /// Whether a request since then is unanswered.
    owes: bool,
    /// A silent member counts as gone at least until this.
    left_until: Mono,
}

struct Session {
    id: SessionId,
    /// The number of acquires that use it (`acquireCount`).
    uses: u32,
    opened: Wall,
    ttl: Duration,
}

/// The group could not be reached in many attempts: `OperationTimeoutException`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unreachable;

/// The silence after which a caller considers a member gone (`hazelcast.max.no.heartbeat.seconds`).
pub(super) const MEMBER_TIMEOUT: Duration = Duration::from_secs(60);

/// `hazelcast.operation.call.timeout.millis`. In reality it applies only to operations that their member does not
/// report as running. Here a waiting one is requested again, which has no effect, as it has the same invocation uid.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// `hazelcast.invocation.max.retry.count`.
const TRIES: u32 = 250;

/// Retries are immediate at first (BasicInvocation.java, `MAX_FAST_INVOCATION_COUNT`), then after a pause that doubles
/// up to `hazelcast.invocation.retry.pause.millis`.
const FAST_TRIES: u32 = 5;
const RETRY_PAUSE: Duration = Duration::from_millis(500);

impl Process {
    pub fn new(ctx: Ctx<HazelcastMessage>, members: &[String]) -> Rc<Self> {
        let member = |name: &String| {
            let node = ctx.find(name);
            Member { node, conn: ctx.connect(node), heard: ctx.mono(), owes: false, left_until: Mono::default() }
        };
        let members = members.iter().map(member).collect();
        // The round starts at a random member.
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

    /// Runs an operation on the group. An unknown outcome is tried again under the same invocation uid
    /// (`isRetryableOnIndeterminateOperationState`), as long as `failOnIndeterminateOperationState` is off.
    pub async fn invoke(&self, op: Op, step: Option<&'static str>) -> Result<Reply, Unreachable> {
        for tries in 1..=TRIES {
            let target = self.target();
            let conn = self.expect_answer(target);
            let call = self.ctx.ask(conn, HazelcastMessage::Op(op.clone()), CALL_TIMEOUT);
            if let Some(step) = step.filter(|_| tries == 1) {
                self.ctx.reach_step(step).await;
            }
            match race(self.silence(target), call).await {
                Either::Second(Ok(message)) => {
                    self.on_answer(target);
                    match message {
                        HazelcastMessage::Reply(reply) => {
                            self.leader.set(Some(target));
                            return Ok(reply);
                        }
                        HazelcastMessage::NotLeader { leader } => self.leader.set(self.member_index(leader)),
                        _ => self.leader.set(None),
                    }
                }
                Either::Second(Err(CallError::TimedOut)) => {}
                Either::Second(Err(_)) => self.forget_leader(target),
                Either::First(()) => self.mark_gone(target, conn),
            }
            self.pause(tries).await;
        }
        Err(Unreachable)
    }

    /// The member to ask: the leader, or else the next one that is not gone.
    fn target(&self) -> usize {
        let (members, now) = (self.members.borrow(), self.ctx.mono());
        let there = |place: &usize| members[*place].left_until <= now;
        if let Some(leader) = self.leader.get().filter(there) {
            return leader;
        }
        let after = |step| (self.cursor.get() + step) % members.len();
        let next = (1..=members.len()).map(after).find(there).unwrap_or(after(1));
        self.cursor.set(next);
        next
    }

    fn expect_answer(&self, target: usize) -> ConnId {
        let member = &mut self.members.borrow_mut()[target];
        if !std::mem::replace(&mut member.owes, true) {
            member.heard = self.ctx.mono();
        }
        member.conn
    }

    fn on_answer(&self, target: usize) {
        let member = &mut self.members.borrow_mut()[target];
        (member.heard, member.owes) = (self.ctx.mono(), false);
    }

    /// Ends when the member with an unanswered request has been silent for so long that it counts as gone. A member
    /// that answers other requests, such as heartbeats, is alive, and an operation may wait on it without limit.
    async fn silence(&self, target: usize) {
        loop {
            let until = self.members.borrow()[target].heard + MEMBER_TIMEOUT;
            if self.ctx.mono() >= until {
                return;
            }
            self.ctx.sleep_until(until).await;
        }
    }

    /// `MemberLeftException`.
    fn mark_gone(&self, target: usize, conn: ConnId) {
        let member = &mut self.members.borrow_mut()[target];
        if member.conn == conn {
            member.conn = self.ctx.reopen(conn);
            (member.owes, member.left_until) = (false, self.ctx.mono() + MEMBER_TIMEOUT);
        }
        self.forget_leader(target);
    }

    fn forget_leader(&self, target: usize) {
        if self.leader.get() == Some(target) {
            self.leader.set(None);
        }
    }

    fn member_index(&self, node: Option<NodeId>) -> Option<usize> {
        self.members.borrow().iter().position(|member| Some(member.node) == node)
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

    /// `acquireSession`: adds a user, and opens a session if there is none or an idle one may have expired. The
    /// process's clock never expires a used session.
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
                let beat = run_heartbeats(self.clone(), heartbeat);
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

    /// Continues a call whose caller has left.
    pub fn detach(self: &Rc<Self>, call: impl Future<Output = ()> + 'static) {
        let (process, place) = (self.clone(), self.next_late.get());
        self.next_late.set(place + 1);
        let task = self.ctx.spawn(async move {
            call.await;
            process.late.borrow_mut().remove(&place);
        });
        self.late.borrow_mut().insert(place, task);
    }
}

/// `HeartbeatTask`: only for sessions in use; the next heartbeat replaces an unanswered one.
async fn run_heartbeats(process: Rc<Process>, interval: Duration) {
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
