//! The nodes of a world.

use serde::Serialize;

use crate::clock::Clock;
use crate::clock::changes::Strobe;
use crate::clock::timers::Timers;
use crate::message::Message;
use crate::net::Packet;
use crate::process::pause::{Pause, Withheld};
use crate::process::slowdown::ActiveSlowdown;
use crate::schedule::InjectionId;
use crate::service::Service;
use crate::time::SimTime;

/// A node, numbered from 0 in the order of deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub u16);

impl NodeId {
    /// Returns the node's index in a list of all nodes.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// The role of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A client that contends for the lock.
    Client,
    /// A server of the lock.
    Server,
    /// The store that the lock guards.
    Store,
}

/// The tag of a client that believes it holds the lock.
pub const HOLDER: &str = "holder";

/// The tag of a server that leads the others.
pub const LEADER: &str = "leader";

/// The name of the guarded store.
pub const STORE: &str = "store";

pub(crate) struct Node<M: Message, N: Message> {
    pub name: String,
    pub role: Role,
    pub clock: Clock,
    pub up: bool,
    /// Whether the host is down too, so that connections are not even refused.
    pub host_down: bool,
    pub never_restarts: bool,
    /// The number of restarts so far.
    pub incarnation: u32,
    pub paused_by: Vec<Pause>,
    pub skewed_by: Vec<(InjectionId, i64)>,
    /// All clock faults that have begun at this node.
    pub clock_faults: Vec<InjectionId>,
    pub crashed_by: Option<InjectionId>,
    pub withheld: Vec<Withheld<M>>,
    /// The number of messages to handle before any that arrive now.
    pub resuming: u32,
    /// The active slowdowns of the node or its disk.
    pub slowdowns: Vec<ActiveSlowdown>,
    /// Faults that made the disk confirm syncs without doing them, since the last crash.
    pub lies: Vec<InjectionId>,
    /// Whether messages are held back until the node's work is done.
    pub holds_back: bool,
    pub unsent: Vec<Packet<M>>,
    pub strobes: Vec<Strobe>,
    pub alarms: Timers<Alarm>,
    pub notices: Timers<N>,
    pub service: Option<Box<dyn Service<M, N>>>,
    pub tags: Vec<&'static str>,
    pub last_event: SimTime,
    /// The time at which a timer that fired early should have fired. Events before then are affected by a clock fault.
    pub early_until: SimTime,
}

/// Identifies a wait of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WaitKey {
    pub slot: u32,
    pub serial: u32,
}

/// What happens when a node's timer fires.
pub(crate) enum Alarm {
    Wait(WaitKey),
    Tag(u64),
}

impl<M: Message, N: Message> Node<M, N> {
    pub fn new(name: String, role: Role, service: Option<Box<dyn Service<M, N>>>) -> Self {
        Node {
            name,
            role,
            clock: Clock::new(),
            up: true,
            host_down: false,
            never_restarts: false,
            incarnation: 0,
            paused_by: Vec::new(),
            skewed_by: Vec::new(),
            clock_faults: Vec::new(),
            crashed_by: None,
            withheld: Vec::new(),
            resuming: 0,
            slowdowns: Vec::new(),
            lies: Vec::new(),
            holds_back: false,
            unsent: Vec::new(),
            strobes: Vec::new(),
            alarms: Timers::default(),
            notices: Timers::default(),
            service,
            tags: Vec::new(),
            last_event: SimTime(0),
            early_until: SimTime(0),
        }
    }

    /// Returns whether the node's code is currently stopped.
    pub fn paused(&self) -> bool {
        !self.paused_by.is_empty()
    }

    pub fn tag(&mut self, tag: &'static str, carries: bool) {
        self.tags.retain(|other| *other != tag);
        if carries {
            self.tags.push(tag);
        }
    }

    pub fn tagged(&self, tag: &str) -> bool {
        self.tags.contains(&tag)
    }
}
