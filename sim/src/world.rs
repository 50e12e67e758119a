//! The state of a world. The other modules implement its behaviour: see the crate's documentation.

use slab::Slab;

use crate::event_queue::{EventQueue, Pending};
use crate::faults::Topology;
use crate::faults::triggers::Triggers;
use crate::message::Message;
use crate::net::{Conn, Link, NetworkConfig};
use crate::node::{LEADER, Node, NodeId, Role, STORE, WaitKey};
use crate::observer::{Clocks, Observer};
use crate::schedule::{Placement, Schedule};
use crate::service::Caller;
use crate::stream::{Stream, Streams};
use crate::task::Spawned;
use crate::time::{Mono, SimTime, Wall};
use crate::trace::{Occurrence, Trace};
use crate::waits::{Wait, WaitKind, WaitState};

/// A world of nodes that send each other messages `M` and record notes `N`.
pub struct World<M: Message, N: Message> {
    pub(crate) now: SimTime,
    events: EventQueue<M>,
    pub(crate) nodes: Vec<Node<M, N>>,
    pub(crate) clients: Vec<NodeId>,
    servers: Vec<NodeId>,
    store: NodeId,
    pub(crate) network: NetworkConfig,
    pub(crate) links: Vec<Link>,
    pub(crate) conns: Vec<Conn<M>>,
    pub(crate) waits: Slab<Wait<M>>,
    next_wait: u32,
    pub(crate) schedule: Schedule,
    pub(crate) injected: Vec<InjectionState>,
    pub(crate) triggers: Triggers,
    pub(crate) streams: Streams,
    pub(crate) trace: Trace,
    pub(crate) observer: Box<dyn Observer<M, N>>,
    pub(crate) observed: bool,
    pub(crate) healed: bool,
    pub(crate) halted: bool,
    pub(crate) touched_holder: bool,
    /// The number of messages sent, except those from or to a separate store.
    pub(crate) lock_messages: u64,
    /// The client whose task runs before the next event.
    pub(crate) wake: Option<NodeId>,
    /// The slow client that has just run and must now be delayed.
    pub(crate) ran: Option<NodeId>,
    /// Tasks that the running client has spawned and its host has not taken yet.
    pub(crate) spawned: Vec<Spawned>,
    pub(crate) most_events: u64,
}

/// The state of an injection.
#[derive(Clone, Debug, Default)]
pub struct InjectionState {
    /// Whether the injection began.
    pub fired: bool,
    /// Whether the injection changed anything.
    pub touched: bool,
    /// When the injection began, if it did.
    pub began: SimTime,
    /// Where the injection acts, if it began.
    pub placement: Placement,
    pub(crate) active: bool,
}

impl<M: Message, N: Message> World<M, N> {
    /// Creates an empty world.
    pub(crate) fn new(
        streams: Streams,
        network: NetworkConfig,
        schedule: Schedule,
        observer: Box<dyn Observer<M, N>>,
        most_events: u64,
    ) -> Self {
        World {
            now: SimTime(0),
            events: EventQueue::default(),
            nodes: Vec::new(),
            clients: Vec::new(),
            servers: Vec::new(),
            store: NodeId(0),
            network,
            links: Vec::new(),
            conns: Vec::new(),
            waits: Slab::new(),
            next_wait: 0,
            injected: vec![InjectionState::default(); schedule.injections.len()],
            triggers: Triggers::default(),
            schedule,
            streams,
            trace: Trace::default(),
            observed: observer.sees_occurrences(),
            observer,
            healed: false,
            halted: false,
            touched_holder: false,
            lock_messages: 0,
            wake: None,
            ran: None,
            spawned: Vec::new(),
            most_events,
        }
    }

    pub(crate) fn add(&mut self, node: Node<M, N>) -> NodeId {
        let id = NodeId(self.nodes.len() as u16);
        match node.role {
            Role::Client => self.clients.push(id),
            Role::Server => self.servers.push(id),
            Role::Store => self.store = id,
        }
        self.nodes.push(node);
        id
    }

    /// Makes the lock's first server also the guarded store.
    pub(crate) fn store_is_first_server(&mut self) {
        self.store = self.servers[0];
    }

    /// Returns the true time.
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// Returns the name of a node.
    pub fn name(&self, node: NodeId) -> &str {
        &self.nodes[node.index()].name
    }

    /// Returns the node with this name.
    pub(crate) fn find(&self, name: &str) -> NodeId {
        self.named(name).unwrap_or_else(|| panic!("no node is named `{name}`: deploy it first"))
    }

    pub(crate) fn is_client(&self, node: NodeId) -> bool {
        self.nodes[node.index()].role == Role::Client
    }

    /// Returns the state of each injection.
    pub fn injections(&self) -> &[InjectionState] {
        &self.injected
    }

    /// Returns whether a fault affected the holder of the lock, or a server while a client held it.
    pub fn touched_holder(&self) -> bool {
        self.touched_holder
    }

    /// Returns the number of messages between clients and the lock's servers, including lost ones.
    pub fn lock_messages(&self) -> u64 {
        self.lock_messages
    }

    /// Returns the hash over all events so far, and their number.
    pub fn trace(&mut self) -> (crate::trace::TraceHash, u64) {
        (self.trace.hash(), self.trace.events())
    }

    /// Returns whether the event budget is used up.
    pub(crate) fn exhausted(&self) -> bool {
        self.trace.events() >= self.most_events
    }

    pub(crate) fn mono(&self, node: NodeId) -> Mono {
        self.nodes[node.index()].clock.mono(self.now)
    }

    pub(crate) fn wall(&self, node: NodeId) -> Wall {
        self.nodes[node.index()].clock.wall(self.now)
    }

    pub(crate) fn schedule_at(&mut self, at: SimTime, event: Pending<M>) {
        self.events.add(at.max(self.now), event);
    }

    /// Pops the next event, unless it is after `limit`.
    pub(crate) fn pop(&mut self, limit: SimTime) -> Option<Pending<M>> {
        let (at, event) = self.events.pop(limit)?;
        self.now = at;
        Some(event)
    }

    pub(crate) fn record(&mut self, occurrence: &Occurrence<'_, M, N>) {
        self.trace.record(self.now, occurrence);
        if self.observed {
            let clocks = self.nodes.iter().map(|node| &node.clock);
            self.observer.occurrence(self.now, occurrence, &Clocks::new(self.now, clocks));
        }
    }

    pub(crate) fn note(&mut self, note: &N) {
        self.record(&Occurrence::Note(note));
        if self.observer.note(self.now, note) {
            self.halted = true;
        }
    }

    pub(crate) fn lead(&mut self, node: NodeId, leads: bool) {
        if self.nodes[node.index()].tagged(LEADER) != leads {
            self.nodes[node.index()].tag(LEADER, leads);
            self.record(&Occurrence::Led { node, leads });
        }
    }

    pub(crate) fn wait(&mut self, node: NodeId, kind: WaitKind) -> WaitKey {
        self.next_wait = self.next_wait.wrapping_add(1);
        let serial = self.next_wait;
        let slot = self.waits.insert(Wait { node, serial, kind, state: WaitState::Pending, timer: None }) as u32;
        WaitKey { slot, serial }
    }

    /// Ends a wait, and returns whether it was still pending.
    pub(crate) fn complete_wait(&mut self, key: WaitKey, state: WaitState<M>) -> bool {
        let Some(wait) = self.waits.get_mut(key.slot as usize).filter(|wait| wait.pending(key)) else { return false };
        wait.state = state;
        if let Some(timer) = wait.timer.take() {
            self.nodes[wait.node.index()].alarms.cancel(timer);
        }
        true
    }

    pub(crate) fn cancel_wait(&mut self, key: WaitKey) {
        let Some(wait) = self.waits.get(key.slot as usize).filter(|wait| wait.serial == key.serial) else { return };
        if let Some(timer) = wait.timer {
            let node = wait.node;
            self.nodes[node.index()].alarms.cancel(timer);
        }
        self.waits.remove(key.slot as usize);
    }

    pub(crate) fn hosts_connected(&mut self, one: NodeId, other: NodeId) -> bool {
        let runs = |node: NodeId| {
            let node = &self.nodes[node.index()];
            !node.host_down && !node.paused_by.iter().any(|pause| pause.machine)
        };
        let run = runs(one) && runs(other);
        run && (one == other || !(self.link(one, other).closed() || self.link(other, one).closed()))
    }

    pub(crate) fn link(&mut self, from: NodeId, to: NodeId) -> &mut Link {
        let index = from.index() * self.nodes.len() + to.index();
        &mut self.links[index]
    }

    pub(crate) fn stream(&self, label: &[&str]) -> Stream {
        self.streams.labelled(label)
    }

    pub(crate) fn reply(&mut self, to: Caller, message: M) {
        self.send_reply(to, message);
    }
}

impl<M: Message, N: Message> Topology for World<M, N> {
    fn clients(&self) -> &[NodeId] {
        &self.clients
    }

    fn servers(&self) -> &[NodeId] {
        &self.servers
    }

    fn store(&self) -> NodeId {
        self.store
    }

    fn all(&self) -> Vec<NodeId> {
        (0..self.nodes.len() as u16).map(NodeId).collect()
    }

    fn named(&self, name: &str) -> Option<NodeId> {
        let found = self.nodes.iter().position(|node| node.name == name);
        // If the lock's server is the store, the name of the store means that server.
        found.map(|index| NodeId(index as u16)).or_else(|| (name == STORE).then_some(self.store))
    }
}
