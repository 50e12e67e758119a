//! Keeps the history of a case: hands every event to the checkers as it happens, and says when a phase may end.

use std::cell::RefCell;
use std::rc::Rc;

use fencepost_models::Wire;
use fencepost_models::history::Event;
use fencepost_sim::schedule::Placement;
use fencepost_sim::{Clocks, Message, NodeId, Observer, Occurrence, SimTime};
use serde::Serialize;

use crate::check::Checkers;

/// What stays of a case's history while it runs.
pub(crate) struct Book {
    pub checkers: Checkers,
    /// Orders that are not resolved yet.
    pub open_orders: u32,
    /// Clients that have not finished their probe.
    pub busy_clients: usize,
    pub healed: bool,
}

/// Sees everything that happens in a case.
pub trait Watcher {
    /// Something happened. The line is its entry in the trace file.
    fn see(&mut self, sighting: &Sighting<'_>);

    /// An injection that lasted ended there. It comes right after the sighting of its end, which names the fault alone.
    fn fault_ended(&mut self, _at: SimTime, _placement: &Placement) {}

    /// Whether glances are enough for it. They cost little.
    fn only_glances(&self) -> bool {
        false
    }

    /// Something happened, for one that takes glances.
    fn glance(&mut self, _glance: &Glance<'_>) {}
}

/// One thing that happened, without what it says in a trace.
pub struct Glance<'a> {
    /// When, in true time.
    pub at: SimTime,
    /// What.
    pub what: Glimpse<'a>,
}

/// What happened, as far as somebody sees who only glances.
#[derive(Clone, Copy, Debug)]
pub enum Glimpse<'a> {
    /// A message got there that was sent at this time.
    Delivered(NodeId, NodeId, u64),
    /// Something else happened at a node.
    At(NodeId),
    /// A client passed a mark.
    Mark(NodeId, &'a str),
    /// An event of the history.
    Event(&'a Event),
}

/// One thing that happened.
pub struct Sighting<'a> {
    /// When, in true time.
    pub at: SimTime,
    /// All nodes' clocks.
    pub clocks: &'a Clocks,
    /// What, as it stands in the trace.
    pub what: &'a serde_json::Value,
    /// The event of the history, if it is one.
    pub event: Option<&'a Event>,
}

pub(crate) struct Recorder {
    pub book: Rc<RefCell<Book>>,
    pub clients: Vec<NodeId>,
    pub servers: Vec<NodeId>,
    pub watcher: Option<Rc<RefCell<dyn Watcher>>>,
}

impl Recorder {
    /// Whom a fault at these nodes concerns: the clients as a bit set, and whether the lock's servers.
    fn concerned(&self, nodes: impl Iterator<Item = NodeId>) -> (u64, bool) {
        nodes.fold((0, false), |(clients, servers), node| {
            let client = self.clients.iter().position(|client| *client == node);
            (clients | client.map_or(0, |index| 1 << index), servers || self.servers.contains(&node))
        })
    }

    fn fault_event(&self, placement: &Placement) -> (u64, bool) {
        let (clients, servers) = self.concerned(placement.nodes.iter().copied());
        // A fault on a client's own link is that client's; only one between servers concerns the service.
        let inner = |link: &&(NodeId, NodeId)| self.servers.contains(&link.0) && self.servers.contains(&link.1);
        let (linked, _) = self.concerned(placement.links.iter().flat_map(|link| [link.0, link.1]));
        (clients | linked, servers || placement.links.iter().any(|link| inner(&link)))
    }

    fn observe(&self, at: SimTime, event: &Event) {
        self.book.borrow_mut().checkers.observe(at, event);
    }
}

impl<L: Message> Observer<Wire<L>, Event> for Recorder {
    fn note(&mut self, at: SimTime, event: &Event) -> bool {
        let book = &mut *self.book.borrow_mut();
        book.checkers.observe(at, event);
        match event {
            Event::OrderResolved { .. } => book.open_orders = book.open_orders.saturating_sub(1),
            Event::ClientDone { .. } => book.busy_clients = book.busy_clients.saturating_sub(1),
            _ => {}
        }
        match book.healed {
            false => book.open_orders == 0,
            true => matches!(event, Event::ClientDone { .. } | Event::Acquired { .. } | Event::Granted { .. }),
        }
    }

    fn fault(&mut self, at: SimTime, began: bool, placement: &Placement) {
        let (clients, servers) = self.fault_event(placement);
        let event = if began { Event::FaultBegan { clients, servers } } else { Event::FaultEnded { clients, servers } };
        self.observe(at, &event);
        if let Some(watcher) = self.watcher.as_ref().filter(|_| !began) {
            watcher.borrow_mut().fault_ended(at, placement);
        }
    }

    fn crashed(&mut self, at: SimTime, node: NodeId) {
        let (clients, servers) = self.concerned([node].into_iter());
        if self.clients.contains(&node) {
            self.observe(at, &Event::ClientCrashed { client: node });
        }
        self.observe(at, &Event::FaultBegan { clients, servers });
    }

    fn restarted(&mut self, at: SimTime, node: NodeId) {
        let (clients, servers) = self.concerned([node].into_iter());
        self.observe(at, &Event::FaultEnded { clients, servers });
    }

    fn healed(&mut self, at: SimTime) {
        self.observe(at, &Event::Healed);
        self.book.borrow_mut().healed = true;
    }

    fn sees_occurrences(&self) -> bool {
        self.watcher.is_some()
    }

    fn occurrence(&mut self, at: SimTime, what: &Occurrence<'_, Wire<L>, Event>, clocks: &Clocks) {
        let Some(watcher) = &self.watcher else { return };
        if watcher.borrow().only_glances() {
            if let Some(what) = glimpse(what) {
                watcher.borrow_mut().glance(&Glance { at, what });
            }
            return;
        }
        let event = if let Occurrence::Note(event) = what { Some(*event) } else { None };
        let what = serde_json::to_value(Serialized(what)).expect("occurrences are plain data");
        watcher.borrow_mut().see(&Sighting { at, clocks, what: &what, event });
    }
}

fn glimpse<'a, L: Message>(what: &Occurrence<'a, Wire<L>, Event>) -> Option<Glimpse<'a>> {
    Some(match *what {
        Occurrence::Delivered { from, to, sent_ns, .. } => Glimpse::Delivered(from, to, sent_ns),
        Occurrence::Lost { to: node, .. }
        | Occurrence::Connected { server: node, .. }
        | Occurrence::Refused { node, .. }
        | Occurrence::Reset { node, .. }
        | Occurrence::Timer { node }
        | Occurrence::Continued { node }
        | Occurrence::Crashed { node }
        | Occurrence::Restarted { node }
        | Occurrence::Led { node, .. } => Glimpse::At(node),
        Occurrence::Mark { node, mark } => Glimpse::Mark(node, mark),
        Occurrence::Note(event) => Glimpse::Event(event),
        Occurrence::FaultBegan { .. } | Occurrence::FaultEnded { .. } | Occurrence::Healed => return None,
    })
}

#[derive(Serialize)]
#[serde(transparent)]
struct Serialized<'a, L: Serialize>(&'a Occurrence<'a, Wire<L>, Event>);
