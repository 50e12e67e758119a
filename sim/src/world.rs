//! The state of a world, and what its nodes can do in it.

use std::time::Duration;

use slab::Slab;

use crate::agenda::{Agenda, Pending};
use crate::faults::Topology;
use crate::message::Message;
use crate::net::{Conn, Link, NetworkConfig};
use crate::node::{Alarm, HOLDER, LEADER, Node, NodeId, Role, STORE, WaitKey};
use crate::observer::{Clocks, Observer};
use crate::schedule::{InjectionId, Placement, Schedule};
use crate::service::Caller;
use crate::stream::{Stream, Streams};
use crate::task::Spawned;
use crate::time::{Mono, SimTime, Wall};
use crate::timers::TimerId;
use crate::trace::{Occurrence, Trace};
use crate::triggers::Triggers;
use crate::waits::{Wait, WaitKind, WaitState};

/// A world of nodes that send each other `M` and note down `N`.
pub struct World<M: Message, N: Message> {
    pub(crate) now: SimTime,
    agenda: Agenda<M>,
    pub(crate) nodes: Vec<Node<M, N>>,
    clients: Vec<NodeId>,
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
    /// Messages sent between nodes other than a separate store.
    pub(crate) lock_messages: u64,
    /// The client whose task is to run before the next event.
    pub(crate) wake: Option<NodeId>,
    /// The client that has just run, and has to be held up for it: it is slow.
    pub(crate) ran: Option<NodeId>,
    /// What the client that runs has spawned: its host takes it over as soon as it has come to rest.
    pub(crate) spawned: Vec<Spawned>,
    pub(crate) most_events: u64,
}

/// What became of an injection.
#[derive(Clone, Debug, Default)]
pub struct InjectionState {
    /// It began.
    pub fired: bool,
    /// It made a difference.
    pub touched: bool,
    /// When it began, if it did.
    pub began: SimTime,
    /// Where it began, if it did.
    pub placement: Placement,
    pub(crate) active: bool,
}

impl<M: Message, N: Message> World<M, N> {
    /// An empty world.
    pub(crate) fn new(
        streams: Streams,
        network: NetworkConfig,
        schedule: Schedule,
        observer: Box<dyn Observer<M, N>>,
        most_events: u64,
    ) -> Self {
        World {
            now: SimTime(0),
            agenda: Agenda::default(),
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

    /// Says that the lock's first server is the guarded store too.
    pub(crate) fn store_is_first_server(&mut self) {
        self.store = self.servers[0];
    }

    /// True time.
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// The name of a node.
    pub fn name(&self, node: NodeId) -> &str {
        &self.nodes[node.index()].name
    }

    /// The node of this name.
    pub(crate) fn find(&self, name: &str) -> NodeId {
        self.named(name).unwrap_or_else(|| panic!("no node is named `{name}`: deploy it first"))
    }

    pub(crate) fn is_client(&self, node: NodeId) -> bool {
        self.nodes[node.index()].role == Role::Client
    }

    /// What became of each injection.
    pub fn injections(&self) -> &[InjectionState] {
        &self.injected
    }

    /// Whether a fault touched a client while it held the lock.
    pub fn touched_holder(&self) -> bool {
        self.touched_holder
    }

    /// How many messages clients and the lock's servers sent each other, those that were lost too.
    pub fn lock_messages(&self) -> u64 {
        self.lock_messages
    }

    /// The hash over every event so far, and their number.
    pub fn trace(&mut self) -> (crate::trace::TraceHash, u64) {
        (self.trace.hash(), self.trace.events())
    }

    /// Whether the event budget is used up.
    pub(crate) fn exhausted(&self) -> bool {
        self.trace.events() >= self.most_events
    }

    pub(crate) fn mono(&self, node: NodeId) -> Mono {
        self.nodes[node.index()].clock.mono(self.now)
    }

    pub(crate) fn wall(&self, node: NodeId) -> Wall {
        self.nodes[node.index()].clock.wall(self.now)
    }

    /// Passes a comparison of a clock with a deadline through; where it would come out differently without clock faults,
    /// those of the node made a difference.
    pub(crate) fn compare_undisturbed(&mut self, node: NodeId, passed: bool, undisturbed: SimTime) -> bool {
        if passed != (self.now >= undisturbed) {
            self.touch_clock_faults(node);
        }
        passed
    }

    pub(crate) fn schedule_at(&mut self, at: SimTime, event: Pending<M>) {
        self.agenda.add(at.max(self.now), event);
    }

    /// The next event, if it happens by `limit`.
    pub(crate) fn pop(&mut self, limit: SimTime) -> Option<Pending<M>> {
        let (at, event) = self.agenda.pop(limit)?;
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

    // Timers.

    pub(crate) fn set_alarm(&mut self, node: NodeId, due: Mono, alarm: Alarm) -> TimerId {
        let clock = &self.nodes[node.index()].clock;
        let undisturbed = self.now + (due - clock.mono(self.now));
        let timer = self.nodes[node.index()].alarms.add(due, undisturbed, alarm);
        self.arm(node);
        timer
    }

    pub(crate) fn set_service_timer(&mut self, node: NodeId, after: Duration, tag: u64) -> TimerId {
        self.set_alarm(node, self.mono(node) + after, Alarm::Tag(tag))
    }

    pub(crate) fn cancel_timer(&mut self, node: NodeId, timer: TimerId) {
        self.nodes[node.index()].alarms.cancel(timer);
    }

    pub(crate) fn note_after(&mut self, node: NodeId, after: Duration, note: N) {
        let due = self.mono(node) + after;
        self.nodes[node.index()].notices.add(due, self.now + after, note);
        self.arm(node);
    }

    /// Puts the node's next tick into the heap, unless one stands there early enough.
    pub(crate) fn arm(&mut self, id: NodeId) {
        let now = self.now;
        let node = &mut self.nodes[id.index()];
        let alarm = node.alarms.earliest().and_then(|due| node.clock.when(due)).map(|at| at.max(now));
        if let Some(at) = alarm
            && node.alarms.arm(at)
        {
            self.schedule_at(at, Pending::Tick { node: id });
        }
        let node = &mut self.nodes[id.index()];
        let notice = node.notices.earliest().and_then(|due| node.clock.when(due)).map(|at| at.max(now));
        if let Some(at) = notice
            && node.notices.arm(at)
        {
            self.schedule_at(at, Pending::NoticeTick { node: id });
        }
    }

    // What clients wait for.

    pub(crate) fn wait(&mut self, node: NodeId, kind: WaitKind) -> WaitKey {
        self.next_wait = self.next_wait.wrapping_add(1);
        let serial = self.next_wait;
        let slot = self.waits.insert(Wait { node, serial, kind, state: WaitState::Pending, timer: None }) as u32;
        WaitKey { slot, serial }
    }

    /// Ends a wait if it is still on, and says whether it was.
    pub(crate) fn fulfil(&mut self, key: WaitKey, state: WaitState<M>) -> bool {
        let Some(wait) = self.waits.get_mut(key.slot as usize).filter(|wait| wait.pending(key)) else { return false };
        wait.state = state;
        if let Some(timer) = wait.timer.take() {
            self.nodes[wait.node.index()].alarms.cancel(timer);
        }
        true
    }

    pub(crate) fn forget_wait(&mut self, key: WaitKey) {
        let Some(wait) = self.waits.get(key.slot as usize).filter(|wait| wait.serial == key.serial) else { return };
        if let Some(timer) = wait.timer {
            let node = wait.node;
            self.nodes[node.index()].alarms.cancel(timer);
        }
        self.waits.remove(key.slot as usize);
    }

    // Faults that mattered.

    pub(crate) fn touch(&mut self, injection: InjectionId, nodes: &[NodeId]) {
        self.injected[injection.0 as usize].touched = true;
        if nodes.iter().any(|node| self.concerns_holder(*node)) {
            self.touched_holder = true;
        }
    }

    /// Whether what happens to the node happens to a grant that is held: it holds it, or is a server of the lock, which
    /// keeps it for whoever does.
    fn concerns_holder(&self, node: NodeId) -> bool {
        match self.nodes[node.index()].role {
            Role::Server => self.clients.iter().any(|client| self.nodes[client.index()].tagged(HOLDER)),
            Role::Client | Role::Store => self.nodes[node.index()].tagged(HOLDER),
        }
    }

    pub(crate) fn touch_clock_faults(&mut self, node: NodeId) {
        for i in 0..self.nodes[node.index()].clock_faults.len() {
            let injection = self.nodes[node.index()].clock_faults[i];
            // A server's deadline concerns whoever holds the lock.
            let concerned = match self.nodes[node.index()].role {
                Role::Client => vec![node],
                _ => self.clients.clone(),
            };
            self.touch(injection, &concerned);
        }
    }

    /// Something happens at the node now.
    pub(crate) fn mark_active(&mut self, id: NodeId) {
        let now = self.now;
        let node = &mut self.nodes[id.index()];
        node.last_event = now;
        if now < node.early_until {
            node.early_until = SimTime(0);
            self.touch_clock_faults(id);
        }
    }

    pub(crate) fn link(&mut self, from: NodeId, to: NodeId) -> &mut Link {
        let place = from.index() * self.nodes.len() + to.index();
        &mut self.links[place]
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
        let place = self.nodes.iter().position(|node| node.name == name);
        // A lock that lives in its store answers to the store's name, too.
        place.map(|index| NodeId(index as u16)).or_else(|| (name == STORE).then_some(self.store))
    }
}
