//! Writes down what happens in a case, in a form that is small enough to keep all of it.

use fencepost_models::history::Event;
use fencepost_scenarios::run::recorder::{TraceEvent, Watcher};
use fencepost_sim::{Clocks, NodeId, Occurrence, SimTime};

use super::spans::Spans;
use super::{Message, Note, Turn};
use crate::narrative::clocks::ahead;
use crate::narrative::faults::FaultRecord;

#[derive(Default)]
pub(super) struct Log {
    nodes: Vec<NodeId>,
    /// The clients come first among them.
    clients: u16,
    late_ns: u64,
    pub notes: Vec<Note>,
    pub spans: Spans,
    pub turns: Vec<Turn>,
    pub messages: Vec<Message>,
}

impl Log {
    pub fn new(nodes: impl Iterator<Item = NodeId>, clients: u16, late_ns: u64) -> Log {
        Log { nodes: nodes.collect(), clients, late_ns, ..Log::default() }
    }

    fn note(&mut self, at: SimTime, clocks: &Clocks, event: &Event) {
        let (mono_ahead, wall_ahead) = actor(event).map_or((0, 0), |node| ahead(clocks, node, at));
        self.notes.push(Note { at, event: event.clone(), mono_ahead, wall_ahead });
    }

    fn message(&mut self, message: Message) {
        // What servers say to each other all the time would fill the memory.
        let chatter = message.from.0 >= self.clients && message.to.0 >= self.clients;
        if !chatter || message.lost || message.at.0.saturating_sub(message.sent.0) > self.late_ns {
            self.messages.push(message);
        }
    }

    fn readings(&self, at: SimTime, clocks: &Clocks, nodes: &[NodeId]) -> Vec<(NodeId, i64, i64)> {
        let known = nodes.iter().filter(|node| self.nodes.contains(node));
        known.map(|node| (*node, ahead(clocks, *node, at))).map(|(node, (mono, wall))| (node, mono, wall)).collect()
    }
}

impl Watcher for Log {
    fn record(&mut self, event: &TraceEvent<'_>) {
        let (at, clocks) = (event.at, event.clocks);
        let nodes = self.spans.awaiting_clocks();
        if !nodes.is_empty() {
            let readings = self.readings(at, clocks, &nodes);
            self.spans.read_clocks(&readings);
        }
        match event.what {
            Occurrence::Note(event) => self.note(at, clocks, event),
            Occurrence::FaultBegan { fault, kind, nodes, links } => {
                let clocks = self.readings(at, clocks, nodes);
                let fault = FaultRecord { name: fault.to_owned(), kind, nodes: nodes.to_vec(), links: links.to_vec() };
                self.spans.begin(at, self.notes.len(), fault, clocks);
            }
            Occurrence::FaultEnded { fault, placement } => self.spans.ended(at, fault, placement),
            Occurrence::Crashed { node } => self.spans.crash(at, self.notes.len(), node),
            Occurrence::Restarted { node } => self.spans.restart(at, node),
            Occurrence::Led { node, leads: true } => self.turns.push(Turn::Led { at, node }),
            Occurrence::Healed => self.turns.push(Turn::Healed { at }),
            Occurrence::Delivered { from, to, sent_ns, .. } => {
                self.message(Message { from, to, sent: SimTime(sent_ns), at, lost: false });
            }
            Occurrence::Lost { from, to, .. } => self.message(Message { from, to, sent: at, at, lost: true }),
            _ => {}
        }
    }
}

/// The node at which an event happens, where its clocks may matter.
fn actor(event: &Event) -> Option<NodeId> {
    match *event {
        Event::Granted { server, .. } | Event::Ended { server, .. } => Some(server),
        Event::Acquired { client, .. } | Event::ValidityEnded { client, .. } | Event::LossObserved { client, .. } => {
            Some(client)
        }
        _ => None,
    }
}
