//! The server side: a service is a state machine without I/O of its own. It is called with what happened, and acts through
//! its [`Env`].

use std::time::Duration;

use serde::Serialize;

use crate::clock::timers::TimerId;
use crate::disk::{DiskFate, Syncs};
use crate::message::Message;
use crate::net::Session;
use crate::node::NodeId;
use crate::stream::Stream;
use crate::time::{Mono, SimTime, Wall};
use crate::world::World;

/// The code of a server.
pub trait Service<M: Message, N: Message>: 'static {
    /// The process started: for the first time, or again after a crash with what its disk kept.
    fn on_start(&mut self, _env: &mut Env<'_, M, N>) {}

    /// A message arrived.
    fn on_message(&mut self, env: &mut Env<'_, M, N>, from: Caller, message: M);

    /// A message from another server arrived.
    fn on_peer(&mut self, _env: &mut Env<'_, M, N>, _from: NodeId, _message: M) {}

    /// A timer with this tag expired.
    fn on_timer(&mut self, _env: &mut Env<'_, M, N>, _tag: u64) {}

    /// A client connected.
    fn on_connect(&mut self, _env: &mut Env<'_, M, N>, _session: Session) {}

    /// A connection broke: its client's process ended, its client's host restarted without it, or keep-alive failed.
    fn on_disconnect(&mut self, _env: &mut Env<'_, M, N>, _session: Session) {}

    /// The process crashed. The service drops its memory; its disk loses what `disk` says.
    fn on_crash(&mut self, env: &mut Env<'_, M, N>, disk: DiskFate);

    /// Passes every log on its disk to `each`, so that faults of the disk can act on them. Without this, its disk never
    /// fails.
    fn disks(&mut self, _each: &mut dyn FnMut(&mut dyn Syncs)) {}
}

/// The sender of a request, to which the reply goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    pub(crate) session: Session,
    pub(crate) call: u64,
    pub(crate) client: NodeId,
}

impl Caller {
    /// The connection that the request came on.
    pub fn session(&self) -> Session {
        self.session
    }

    /// The client's node, for the ground truth only: real servers know only the connection.
    pub fn client(&self) -> NodeId {
        self.client
    }
}

/// A deadline by a node's wall clock. In a message it is the absolute time that servers send each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct WallDeadline {
    /// When it is due, by the wall clock.
    pub at: Wall,
    #[serde(skip)]
    pub(crate) undisturbed: SimTime,
}

impl WallDeadline {
    /// A deadline in a world whose wall clocks show the true time, for tests without a world.
    pub fn of_true_time(at: SimTime) -> Self {
        WallDeadline { at: Wall(at.0.cast_signed()), undisturbed: at }
    }
}

/// A deadline by a node's monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonoDeadline {
    /// When it is due, by the monotonic clock.
    pub at: Mono,
    pub(crate) undisturbed: SimTime,
}

/// What a service sees of its node.
pub struct Env<'a, M: Message, N: Message> {
    pub(crate) world: &'a mut World<M, N>,
    pub(crate) node: NodeId,
}

impl<M: Message, N: Message> Env<'_, M, N> {
    /// This node.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// The node's monotonic clock.
    pub fn mono(&self) -> Mono {
        self.world.mono(self.node)
    }

    /// The node's wall clock.
    pub fn wall(&self) -> Wall {
        self.world.wall(self.node)
    }

    /// The deadline `after` from now by the wall clock.
    pub fn wall_deadline(&self, after: Duration) -> WallDeadline {
        WallDeadline { at: self.wall() + after, undisturbed: self.world.now() + after }
    }

    /// The deadline `after` from now by the monotonic clock.
    pub fn mono_deadline(&self, after: Duration) -> MonoDeadline {
        MonoDeadline { at: self.mono() + after, undisturbed: self.world.now() + after }
    }

    /// Whether the wall clock has reached the deadline.
    pub fn wall_passed(&mut self, deadline: WallDeadline) -> bool {
        let passed = self.wall() >= deadline.at;
        self.world.compare_undisturbed(self.node, passed, deadline.undisturbed)
    }

    /// Whether the monotonic clock has reached the deadline.
    pub fn mono_passed(&mut self, deadline: MonoDeadline) -> bool {
        let passed = self.mono() >= deadline.at;
        self.world.compare_undisturbed(self.node, passed, deadline.undisturbed)
    }

    /// Replies to a request. The reply is lost if the connection is broken.
    pub fn reply(&mut self, to: Caller, message: impl Into<M>) {
        self.world.reply(to, message.into());
    }

    /// Sends an unsolicited message to a client. It is lost if the connection is broken.
    pub fn push(&mut self, to: Session, message: impl Into<M>) {
        self.world.push(to, message.into());
    }

    /// Closes a connection: its client sees a reset. `on_disconnect` is not called for it.
    pub fn close(&mut self, session: Session) {
        self.world.close(session);
    }

    /// Sends a message to another server, in order with all others sent there, on a connection that is opened when needed.
    /// A message is lost when the connection breaks, is silent for [`PEER_TIMEOUT`], or has a full buffer.
    ///
    /// [`PEER_TIMEOUT`]: crate::PEER_TIMEOUT
    pub fn send(&mut self, peer: NodeId, message: impl Into<M>) {
        self.world.send_to_peer(self.node, peer, message.into());
    }

    /// The node of this name.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn find(&self, name: &str) -> NodeId {
        self.world.find(name)
    }

    /// This server's stream of randomness for a purpose. Each call returns it from the start, so keep it.
    pub fn stream(&self, purpose: &str) -> Stream {
        self.world.stream(&[purpose, self.world.name(self.node)])
    }

    /// Records whether this server leads the others, so that faults can target the leader.
    pub fn lead(&mut self, leads: bool) {
        self.world.lead(self.node, leads);
    }

    /// Calls `on_timer` with the tag, `after` from now by the monotonic clock.
    pub fn set_timer(&mut self, after: Duration, tag: u64) -> TimerId {
        self.world.set_service_timer(self.node, after, tag)
    }

    /// Cancels a timer.
    pub fn cancel_timer(&mut self, timer: TimerId) {
        self.world.cancel_timer(self.node, timer);
    }

    /// Records the ground truth, for the checkers.
    pub fn note(&mut self, note: N) {
        self.world.note(&note);
    }

    /// Records it when the monotonic clock has advanced by `after`, whether or not the process still runs then.
    pub fn note_after(&mut self, after: Duration, note: N) {
        self.world.note_after(self.node, after, note);
    }
}
