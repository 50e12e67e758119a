//! The server side: a service is a state machine without its own I/O. The kernel calls it for each event, and it acts
//! through its [`Env`].

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
    /// Called when the process starts, or restarts after a crash with the records that its disk kept.
    fn on_start(&mut self, _env: &mut Env<'_, M, N>) {}

    /// Called when a message arrives.
    fn on_message(&mut self, env: &mut Env<'_, M, N>, from: Caller, message: M);

    /// Called when a message from another server arrives.
    fn on_peer(&mut self, _env: &mut Env<'_, M, N>, _from: NodeId, _message: M) {}

    /// Called when a connection to or from another server is refused or reset: its process ended, its host restarted, or
    /// the connection made no progress.
    fn on_peer_lost(&mut self, _env: &mut Env<'_, M, N>, _peer: NodeId) {}

    /// Called when a timer with this tag expires.
    fn on_timer(&mut self, _env: &mut Env<'_, M, N>, _tag: u64) {}

    /// Called when a client connects.
    fn on_connect(&mut self, _env: &mut Env<'_, M, N>, _session: Session) {}

    /// Called when a connection breaks: its client's process ended, the client's host restarted, or keep-alive failed.
    fn on_disconnect(&mut self, _env: &mut Env<'_, M, N>, _session: Session) {}

    /// Called when the process crashes. The service must discard its memory and pass `disk` to its [`Disk`](crate::disk::Disk).
    fn on_crash(&mut self, env: &mut Env<'_, M, N>, disk: DiskFate);

    /// Passes every log on the disk to `each`, which lets disk faults act on it. By default, the disk never fails.
    fn disks(&mut self, _each: &mut dyn FnMut(&mut dyn Syncs)) {}
}

/// The sender of a request and recipient of the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    pub(crate) session: Session,
    pub(crate) call: u64,
    pub(crate) client: NodeId,
}

impl Caller {
    /// Returns the connection on which the request arrived.
    pub fn session(&self) -> Session {
        self.session
    }

    /// Returns the client's node. Use it only for the ground truth: real servers know only the connection.
    pub fn client(&self) -> NodeId {
        self.client
    }
}

/// A deadline by a node's wall clock. Messages carry it as an absolute time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct WallDeadline {
    /// The time of the deadline, by the wall clock.
    pub at: Wall,
    #[serde(skip)]
    pub(crate) undisturbed: SimTime,
}

impl WallDeadline {
    /// Creates a deadline for tests without a world, where wall clocks show the true time.
    pub fn of_true_time(at: SimTime) -> Self {
        WallDeadline { at: Wall(at.0.cast_signed()), undisturbed: at }
    }
}

/// A deadline by a node's monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonoDeadline {
    /// The time of the deadline, by the monotonic clock.
    pub at: Mono,
    pub(crate) undisturbed: SimTime,
}

/// A service's access to its node.
pub struct Env<'a, M: Message, N: Message> {
    pub(crate) world: &'a mut World<M, N>,
    pub(crate) node: NodeId,
}

impl<M: Message, N: Message> Env<'_, M, N> {
    /// Returns this node.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Reads the node's monotonic clock.
    pub fn mono(&self) -> Mono {
        self.world.mono(self.node)
    }

    /// Reads the node's wall clock.
    pub fn wall(&self) -> Wall {
        self.world.wall(self.node)
    }

    /// Returns the deadline that is `after` from now by the wall clock.
    pub fn wall_deadline(&self, after: Duration) -> WallDeadline {
        WallDeadline { at: self.wall() + after, undisturbed: self.world.now() + after }
    }

    /// Returns the deadline that is `after` from now by the monotonic clock.
    pub fn mono_deadline(&self, after: Duration) -> MonoDeadline {
        MonoDeadline { at: self.mono() + after, undisturbed: self.world.now() + after }
    }

    /// Returns whether the wall clock has reached the deadline.
    pub fn wall_passed(&mut self, deadline: WallDeadline) -> bool {
        let passed = self.wall() >= deadline.at;
        self.world.compare_undisturbed(self.node, passed, deadline.undisturbed)
    }

    /// Returns whether the monotonic clock has reached the deadline.
    pub fn mono_passed(&mut self, deadline: MonoDeadline) -> bool {
        let passed = self.mono() >= deadline.at;
        self.world.compare_undisturbed(self.node, passed, deadline.undisturbed)
    }

    /// Replies to a request. The reply is lost if the connection is broken.
    pub fn reply(&mut self, to: Caller, message: impl Into<M>) {
        self.world.reply(to, message.into());
    }

    /// Sends an unsolicited message to a client. The message is lost if the connection is broken.
    pub fn push(&mut self, to: Session, message: impl Into<M>) {
        self.world.push(to, message.into());
    }

    /// Closes a connection: its client sees a reset. `on_disconnect` is not called.
    pub fn close(&mut self, session: Session) {
        self.world.close(session);
    }

    /// Sends a message to another server on a connection that is opened on demand. Messages to one server arrive in order.
    /// They are lost if the connection breaks, makes no progress for [`PEER_TIMEOUT`], or has a full buffer.
    ///
    /// [`PEER_TIMEOUT`]: crate::PEER_TIMEOUT
    pub fn send(&mut self, peer: NodeId, message: impl Into<M>) {
        self.world.send_to_peer(self.node, peer, message.into());
    }

    /// Returns the node with this name.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn find(&self, name: &str) -> NodeId {
        self.world.find(name)
    }

    /// Returns this server's random stream for a purpose. Each call returns the stream from its start, so keep it.
    pub fn stream(&self, purpose: &str) -> Stream {
        self.world.stream(&[purpose, self.world.name(self.node)])
    }

    /// Returns whether the hosts of two nodes can exchange datagrams now: the links between them are open, and both hosts
    /// are up and not stopped. The state of the nodes' processes does not matter. Use it only for agents that run beside
    /// the processes and are not modelled.
    pub fn hosts_connected(&mut self, one: NodeId, other: NodeId) -> bool {
        self.world.hosts_connected(one, other)
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

    /// Records a note of the ground truth for the checkers.
    pub fn note(&mut self, note: N) {
        self.world.note(&note);
    }

    /// Records a note once the monotonic clock has advanced by `after`, whether or not the process is running then.
    pub fn note_after(&mut self, after: Duration, note: N) {
        self.world.note_after(self.node, after, note);
    }
}
