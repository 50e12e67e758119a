//! Writes down what happens in a case, in a form that is small enough to keep all of it.

use fencepost_models::history::Event;
use fencepost_scenarios::run::recorder::{Sighting, Watcher};
use fencepost_sim::schedule::Placement;
use fencepost_sim::{Clocks, NodeId, SimTime};
use serde_json::Value;

use super::spans::Spans;
use super::{Message, Note, Turn};
use crate::narrative::clocks::ahead;
use crate::narrative::faults::Begun;

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

    fn occurrence(&mut self, at: SimTime, clocks: &Clocks, kind: &str, fields: &Value) {
        match kind {
            "fault-began" => {
                let fault = Begun::read(fields);
                let clocks = self.readings(at, clocks, &fault.nodes);
                self.spans.begin(at, self.notes.len(), fault, clocks);
            }
            "fault-ended" => self.spans.ending(fields["fault"].as_str().unwrap_or_default()),
            "crashed" => self.spans.crash(at, self.notes.len(), node(fields, "node")),
            "restarted" => self.spans.restart(at, node(fields, "node")),
            "led" if fields["leads"] == true => self.turns.push(Turn::Led { at, node: node(fields, "node") }),
            "healed" => self.turns.push(Turn::Healed { at }),
            "delivered" => self.message(at, fields, false),
            "lost" => self.message(at, fields, true),
            _ => {}
        }
    }

    fn message(&mut self, at: SimTime, fields: &Value, lost: bool) {
        let sent = SimTime(fields["sent_ns"].as_u64().unwrap_or(at.0));
        let message = Message { from: node(fields, "from"), to: node(fields, "to"), sent, at, lost };
        // What servers say to each other all the time would fill the memory.
        let chatter = message.from.0 >= self.clients && message.to.0 >= self.clients;
        if !chatter || message.lost || at.0.saturating_sub(sent.0) > self.late_ns {
            self.messages.push(message);
        }
    }

    fn readings(&self, at: SimTime, clocks: &Clocks, nodes: &[NodeId]) -> Vec<(NodeId, i64, i64)> {
        let known = nodes.iter().filter(|node| self.nodes.contains(node));
        known.map(|node| (*node, ahead(clocks, *node, at))).map(|(node, (mono, wall))| (node, mono, wall)).collect()
    }
}

impl Watcher for Log {
    fn see(&mut self, sighting: &Sighting<'_>) {
        let (at, clocks) = (sighting.at, sighting.clocks);
        let nodes = self.spans.awaiting_clocks();
        if !nodes.is_empty() {
            let readings = self.readings(at, clocks, &nodes);
            self.spans.read_clocks(&readings);
        }
        match (sighting.event, sighting.what) {
            (Some(event), _) => self.note(at, clocks, event),
            (None, Value::Object(tagged)) => {
                if let Some((kind, fields)) = tagged.iter().next() {
                    self.occurrence(at, clocks, kind, fields);
                }
            }
            (None, Value::String(kind)) => self.occurrence(at, clocks, kind, &Value::Null),
            _ => {}
        }
    }

    fn fault_ended(&mut self, at: SimTime, placement: &Placement) {
        self.spans.ended(at, placement);
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

fn node(fields: &Value, key: &str) -> NodeId {
    NodeId(fields[key].as_u64().and_then(|id| u16::try_from(id).ok()).unwrap_or(u16::MAX))
}
