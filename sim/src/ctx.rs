//! The client side: the API of a client's code on its node, and the futures that it awaits.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::message::Message;
use crate::net::ConnId;
use crate::node::{Alarm, HOLDER, NodeId, WaitKey};
use crate::service::MonoDeadline;
use crate::stream::Stream;
use crate::task::{Spawned, Task};
use crate::time::{Mono, Wall};
use crate::waits::{CallError, WaitKind, WaitState};
use crate::world::World;

/// A client's access to its node: clocks, connections and randomness. Clients have no other clock or way to wait.
pub struct Ctx<M: Message, N: Message> {
    world: Rc<RefCell<World<M, N>>>,
    node: NodeId,
}

impl<M: Message, N: Message> Clone for Ctx<M, N> {
    fn clone(&self) -> Self {
        Ctx { world: self.world.clone(), node: self.node }
    }
}

impl<M: Message, N: Message> Ctx<M, N> {
    pub(crate) fn new(world: Rc<RefCell<World<M, N>>>, node: NodeId) -> Self {
        Ctx { world, node }
    }

    /// Returns the incarnation of the running process; `None` while it is down.
    pub(crate) fn incarnation(&self) -> Option<u32> {
        let world = self.world.borrow();
        let node = &world.nodes[self.node.index()];
        node.up.then_some(node.incarnation)
    }

    /// Takes the tasks spawned since the last call.
    pub(crate) fn take_spawned(&self) -> Vec<Spawned> {
        std::mem::take(&mut self.world.borrow_mut().spawned)
    }

    /// Returns this node.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Returns the node with this name.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn find(&self, name: &str) -> NodeId {
        self.world.borrow().find(name)
    }

    /// Reads the node's monotonic clock.
    pub fn mono(&self) -> Mono {
        self.world.borrow().mono(self.node)
    }

    /// Reads the node's wall clock.
    pub fn wall(&self) -> Wall {
        self.world.borrow().wall(self.node)
    }

    /// Returns the deadline that is `after` later than `from`, an earlier reading of the monotonic clock.
    pub fn deadline(&self, from: Mono, after: Duration) -> MonoDeadline {
        let world = self.world.borrow();
        let elapsed = world.mono(self.node) - from;
        MonoDeadline { at: from + after, undisturbed: world.now() + after.saturating_sub(elapsed) }
    }

    /// Returns whether the monotonic clock has reached the deadline.
    pub fn passed(&self, deadline: MonoDeadline) -> bool {
        let mut world = self.world.borrow_mut();
        let passed = world.mono(self.node) >= deadline.at;
        world.compare_undisturbed(self.node, passed, deadline.undisturbed)
    }

    /// Waits for `duration`, measured by the monotonic clock.
    pub fn sleep(&self, duration: Duration) -> Sleep<M, N> {
        self.sleep_until(self.mono() + duration)
    }

    /// Waits until the monotonic clock has reached `due`.
    pub fn sleep_until(&self, due: Mono) -> Sleep<M, N> {
        let mut world = self.world.borrow_mut();
        let key = world.wait(self.node, WaitKind::Sleep);
        let timer = world.set_alarm(self.node, due, Alarm::Wait(key));
        world.waits[key.slot as usize].timer = Some(timer);
        Sleep(Waiting { world: self.world.clone(), key })
    }

    /// Waits until all faults are healed.
    pub fn healing(&self) -> Sleep<M, N> {
        let mut world = self.world.borrow_mut();
        let key = world.wait(self.node, WaitKind::Healing);
        if world.healed {
            world.complete_wait(key, WaitState::Over);
        }
        Sleep(Waiting { world: self.world.clone(), key })
    }

    /// Returns whether all faults are healed.
    pub fn healed(&self) -> bool {
        self.world.borrow().healed
    }

    /// Creates a connection to a server. The first call opens it, as does the first call after it breaks.
    pub fn connect(&self, server: NodeId) -> ConnId {
        self.world.borrow_mut().connect(self.node, server)
    }

    /// Closes a connection and returns a new one to the same server, which the first call opens.
    #[must_use = "the old connection is closed"]
    pub fn reopen(&self, conn: ConnId) -> ConnId {
        self.world.borrow_mut().reopen(conn)
    }

    /// Returns whether the connection is open, as far as this side knows.
    pub fn seems_open(&self, conn: ConnId) -> bool {
        self.world.borrow().seems_open(conn)
    }

    /// Sends a request immediately, and returns a future that resolves to its reply. The call times out after `within`.
    pub fn call(&self, conn: ConnId, message: impl Into<M>, within: Duration) -> Call<M, N> {
        let mut world = self.world.borrow_mut();
        let key = world.wait(self.node, WaitKind::Call(conn));
        let due = world.mono(self.node) + within;
        let timer = world.set_alarm(self.node, due, Alarm::Wait(key));
        world.waits[key.slot as usize].timer = Some(timer);
        world.request(conn, key, message.into());
        Call(Waiting { world: self.world.clone(), key })
    }

    /// Waits for the next message that the server pushes on the connection, and returns at once if one has already arrived.
    /// Fails if the connection is not open or breaks.
    pub fn receive(&self, conn: ConnId) -> Call<M, N> {
        let mut world = self.world.borrow_mut();
        let key = world.wait(self.node, WaitKind::Receive(conn));
        if let Some(message) = world.pushed(conn) {
            world.complete_wait(key, WaitState::Reply(message));
        } else if !world.seems_open(conn) {
            world.complete_wait(key, WaitState::Failed(CallError::Reset));
        }
        Call(Waiting { world: self.world.clone(), key })
    }

    /// Runs code concurrently with the process's main code, such as a watchdog or a heartbeat. It runs until it returns, the
    /// [`Task`] is dropped or the process crashes.
    pub fn spawn(&self, code: impl Future<Output = ()> + 'static) -> Task {
        let (task, spawned) = Task::new(code);
        self.world.borrow_mut().spawned.push(spawned);
        task
    }

    /// Marks that the client has reached `step`, which can trigger faults. If the client is paused, waits until it resumes.
    pub async fn reach_step(&self, step: &'static str) {
        let wait = {
            let mut world = self.world.borrow_mut();
            world.reach_step(self.node, step);
            world.wait_at_step(self.node)
        };
        if let Some(key) = wait {
            Sleep(Waiting { world: self.world.clone(), key }).await;
        }
    }

    /// Records a note for the checkers.
    pub fn note(&self, note: N) {
        self.world.borrow_mut().note(&note);
    }

    /// Records a note when the monotonic clock reaches `due`, whether or not the process is running then.
    pub fn note_at(&self, due: Mono, note: N) {
        let after = due - self.mono();
        self.world.borrow_mut().note_after(self.node, after, note);
    }

    /// Records whether this client believes it holds the lock, so that faults can target the holder.
    pub fn set_holder(&self, holds: bool) {
        self.world.borrow_mut().nodes[self.node.index()].tag(HOLDER, holds);
    }

    /// Returns this client's random stream for a purpose.
    pub fn stream(&self, purpose: &str) -> Stream {
        let world = self.world.borrow();
        world.stream(&[purpose, world.name(self.node)])
    }
}

/// A pending wait of a client. Dropping it cancels the wait.
struct Waiting<M: Message, N: Message> {
    world: Rc<RefCell<World<M, N>>>,
    key: WaitKey,
}

impl<M: Message, N: Message> Waiting<M, N> {
    fn poll(&self) -> Poll<WaitState<M>> {
        let mut world = self.world.borrow_mut();
        match world.waits.get_mut(self.key.slot as usize).filter(|wait| wait.serial == self.key.serial) {
            Some(wait) if matches!(wait.state, WaitState::Pending) => Poll::Pending,
            Some(wait) => Poll::Ready(std::mem::replace(&mut wait.state, WaitState::Over)),
            None => Poll::Pending,
        }
    }
}

impl<M: Message, N: Message> Drop for Waiting<M, N> {
    fn drop(&mut self) {
        self.world.borrow_mut().cancel_wait(self.key);
    }
}

/// A future that completes at a time or an event.
#[must_use = "a sleep does nothing unless it is awaited"]
pub struct Sleep<M: Message, N: Message>(Waiting<M, N>);

impl<M: Message, N: Message> Future for Sleep<M, N> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        self.0.poll().map(|_| ())
    }
}

/// A future that resolves to the reply to a request that was already sent, or to a pushed message.
#[must_use = "the reply is discarded unless the call is awaited"]
pub struct Call<M: Message, N: Message>(Waiting<M, N>);

impl<M: Message, N: Message> Future for Call<M, N> {
    type Output = Result<M, CallError>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll().map(|state| match state {
            WaitState::Reply(message) => Ok(message),
            WaitState::Failed(error) => Err(error),
            WaitState::Pending | WaitState::Over => unreachable!("a call ends exactly once, with a reply or an error"),
        })
    }
}

/// Which of two futures was ready first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Either<A, B> {
    /// The first future, even if both were ready at once.
    First(A),
    /// The second future.
    Second(B),
}

/// Waits for one of two futures to complete, and drops the other. Polls `first` before `second`.
pub async fn race<A: Future, B: Future>(first: A, second: B) -> Either<A::Output, B::Output> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    poll_fn(|cx| {
        if let Poll::Ready(output) = first.as_mut().poll(cx) {
            return Poll::Ready(Either::First(output));
        }
        second.as_mut().poll(cx).map(Either::Second)
    })
    .await
}
