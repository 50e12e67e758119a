//! Observes the world of a case: passes every event to the checkers and to a watcher, and decides when a phase ends.

use std::cell::RefCell;
use std::rc::Rc;

use fencepost_models::Wire;
use fencepost_models::history::Event;
use fencepost_sim::schedule::Placement;
use fencepost_sim::{Clocks, Message, NodeId, Observer, Occurrence, SimTime};

use crate::check::Checkers;

/// The state of a case while it runs.
pub(crate) struct CaseState {
    pub checkers: Checkers,
    /// The number of unresolved orders.
    pub open_orders: u32,
    /// The number of clients whose probe is still running.
    pub busy_clients: usize,
    pub healed: bool,
}

/// Observes a case as it runs. Observing does not change the case.
pub trait Watcher {
    /// Called for each event, in the order of the trace.
    fn record(&mut self, event: &TraceEvent<'_>);
}

/// One event of a trace, the same type for all locks.
pub struct TraceEvent<'a> {
    /// True time.
    pub at: SimTime,
    /// The clocks of all nodes before the event changes them.
    pub clocks: &'a Clocks,
    /// What happened.
    pub what: Occurrence<'a, dyn TraceMessage, Event>,
}

impl<'a> TraceEvent<'a> {
    /// Returns the history entry, if the event is one.
    pub fn event(&self) -> Option<&'a Event> {
        if let Occurrence::Note(event) = self.what { Some(event) } else { None }
    }
}

/// A message of any lock.
pub trait TraceMessage {
    /// Returns the message as text, without the wrapper that distinguishes lock and store messages.
    fn text(&self) -> String;

    /// Returns the message as written to a trace file.
    fn json(&self) -> serde_json::Value;
}

impl<L: Message> TraceMessage for Wire<L> {
    fn text(&self) -> String {
        match self {
            Wire::Lock(message) => format!("{message:?}"),
            Wire::Store(message) => format!("{message:?}"),
        }
    }

    fn json(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("messages are plain data")
    }
}

pub(crate) struct Recorder {
    pub state: Rc<RefCell<CaseState>>,
    pub clients: Vec<NodeId>,
    pub servers: Vec<NodeId>,
    pub watcher: Option<Rc<RefCell<dyn Watcher>>>,
}

impl Recorder {
    /// Returns the clients among these nodes as a bit set, and whether any node is a server of the lock.
    fn roles(&self, nodes: impl Iterator<Item = NodeId>) -> (u64, bool) {
        nodes.fold((0, false), |(clients, servers), node| {
            let client = self.clients.iter().position(|client| *client == node);
            (clients | client.map_or(0, |index| 1 << index), servers || self.servers.contains(&node))
        })
    }

    /// Returns the clients that a fault affects as a bit set, and whether the fault affects the lock's service.
    fn affected(&self, placement: &Placement) -> (u64, bool) {
        let (clients, servers) = self.roles(placement.nodes.iter().copied());
        // A fault on a client's link affects that client. Only a fault on a link between servers affects the service.
        let inner = |link: &&(NodeId, NodeId)| self.servers.contains(&link.0) && self.servers.contains(&link.1);
        let (linked, _) = self.roles(placement.links.iter().flat_map(|link| [link.0, link.1]));
        (clients | linked, servers || placement.links.iter().any(|link| inner(&link)))
    }

    fn observe(&self, at: SimTime, event: &Event) {
        self.state.borrow_mut().checkers.observe(at, event);
    }
}

impl<L: Message> Observer<Wire<L>, Event> for Recorder {
    fn note(&mut self, at: SimTime, event: &Event) -> bool {
        let state = &mut *self.state.borrow_mut();
        state.checkers.observe(at, event);
        match event {
            Event::OrderResolved { .. } => state.open_orders = state.open_orders.saturating_sub(1),
            Event::ClientDone { .. } => state.busy_clients = state.busy_clients.saturating_sub(1),
            _ => {}
        }
        match state.healed {
            false => state.open_orders == 0,
            true => matches!(event, Event::ClientDone { .. } | Event::Acquired { .. } | Event::Granted { .. }),
        }
    }

    fn fault(&mut self, at: SimTime, began: bool, placement: &Placement) {
        let (clients, servers) = self.affected(placement);
        let event = if began { Event::FaultBegan { clients, servers } } else { Event::FaultEnded { clients, servers } };
        self.observe(at, &event);
    }

    fn crashed(&mut self, at: SimTime, node: NodeId) {
        let (clients, servers) = self.roles([node].into_iter());
        if self.clients.contains(&node) {
            self.observe(at, &Event::ClientCrashed { client: node });
        }
        self.observe(at, &Event::FaultBegan { clients, servers });
    }

    fn restarted(&mut self, at: SimTime, node: NodeId) {
        let (clients, servers) = self.roles([node].into_iter());
        self.observe(at, &Event::FaultEnded { clients, servers });
    }

    fn healed(&mut self, at: SimTime) {
        self.observe(at, &Event::Healed);
        self.state.borrow_mut().healed = true;
    }

    fn sees_occurrences(&self) -> bool {
        self.watcher.is_some()
    }

    fn occurrence(&mut self, at: SimTime, what: &Occurrence<'_, Wire<L>, Event>, clocks: &Clocks) {
        if let Some(watcher) = &self.watcher {
            watcher.borrow_mut().record(&TraceEvent { at, clocks, what: without_lock(what) });
        }
    }
}

/// Returns the occurrence in a type that is independent of the lock's messages.
fn without_lock<'a, L: Message>(what: &Occurrence<'a, Wire<L>, Event>) -> Occurrence<'a, dyn TraceMessage, Event> {
    match *what {
        Occurrence::Delivered { from, to, sent_ns, message } => Occurrence::Delivered { from, to, sent_ns, message },
        Occurrence::Lost { from, to, message } => Occurrence::Lost { from, to, message },
        Occurrence::Connected { client, server } => Occurrence::Connected { client, server },
        Occurrence::Refused { node, peer } => Occurrence::Refused { node, peer },
        Occurrence::Reset { node, peer } => Occurrence::Reset { node, peer },
        Occurrence::Timer { node } => Occurrence::Timer { node },
        Occurrence::Continued { node } => Occurrence::Continued { node },
        Occurrence::Step { node, step } => Occurrence::Step { node, step },
        Occurrence::FaultBegan { fault, kind, nodes, links } => Occurrence::FaultBegan { fault, kind, nodes, links },
        Occurrence::FaultEnded { fault, placement } => Occurrence::FaultEnded { fault, placement },
        Occurrence::Crashed { node } => Occurrence::Crashed { node },
        Occurrence::Restarted { node } => Occurrence::Restarted { node },
        Occurrence::Healed => Occurrence::Healed,
        Occurrence::Note(event) => Occurrence::Note(event),
        Occurrence::Led { node, leads } => Occurrence::Led { node, leads },
    }
}
