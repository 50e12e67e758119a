//! Records the events of a case while it runs.

use fencepost_scenarios::run::recorder::{TraceEvent, TraceMessage, Watcher};
use fencepost_sim::{NodeId, Occurrence, SimTime};

use super::clocks::ClockOffset;
use super::fault_spans::{FaultSpan, FaultSpans};
use super::fault_text::FaultRecord;
use super::names::CaseNames;
use super::{Entry, EntryKind, Message};

/// How much of a case is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// History, faults, messages to and from clients, and late or lost messages between servers.
    #[default]
    Normal,
    /// Every event, with the content of every message. Takes about 100 bytes per event.
    Full,
}

pub(super) struct Recording {
    nodes: u16,
    /// The clients are the first nodes.
    clients: u16,
    store: NodeId,
    late_ns: u64,
    detail: Detail,
    entries: Vec<Entry>,
    faults: FaultSpans,
}

impl Recording {
    pub fn new(names: &CaseNames, clients: u16, late_ns: u64, detail: Detail) -> Recording {
        let (nodes, store) = (names.len() as u16, names.store);
        Recording { nodes, clients, store, late_ns, detail, entries: Vec::new(), faults: FaultSpans::default() }
    }

    /// Takes the recorded entries and faults out of the recording.
    pub fn finish(&mut self) -> (Vec<Entry>, Vec<FaultSpan>) {
        (std::mem::take(&mut self.entries), std::mem::take(&mut self.faults).into_spans())
    }

    /// Returns the entry for a message, or `None` for routine traffic between servers.
    fn message(&self, message: Message, content: &dyn TraceMessage) -> Option<EntryKind> {
        let unusual = message.lost || message.duration_ns() > self.late_ns || self.detail == Detail::Full;
        let between_servers = message.from.0 >= self.clients && message.to.0 >= self.clients;
        let text = if unusual { content.text() } else { String::new() };
        (unusual || !between_servers).then_some(EntryKind::Message(Message { text, ..message }))
    }

    fn kind(&mut self, event: &TraceEvent<'_>) -> Option<EntryKind> {
        let (at, seq) = (event.at, self.entries.len());
        let full = self.detail == Detail::Full;
        let offset = |node: &NodeId| (*node, ClockOffset::read(event.clocks, *node, at));
        Some(match event.what {
            Occurrence::Note(event) => EntryKind::Event(event.clone()),
            Occurrence::FaultBegan { fault, kind, nodes, links } => {
                let before = nodes.iter().filter(|node| node.0 < self.nodes).map(offset).collect();
                let fault = FaultRecord { name: fault.to_owned(), kind, nodes: nodes.to_vec(), links: links.to_vec() };
                EntryKind::FaultBegan(self.faults.begin(at, seq, fault, before)?)
            }
            Occurrence::FaultEnded { fault, placement } => {
                EntryKind::FaultEnded(self.faults.end(at, fault, placement)?)
            }
            Occurrence::Crashed { node } => EntryKind::FaultBegan(self.faults.crash(at, seq, offset(&node))?),
            Occurrence::Restarted { node } => {
                self.faults.restart(at, node);
                EntryKind::Restarted(node)
            }
            Occurrence::Led { node, leads } => EntryKind::Led { node, leads },
            Occurrence::Healed => EntryKind::Healed,
            Occurrence::Delivered { from, to, sent_ns, message } => {
                let sent = SimTime(sent_ns);
                self.message(Message { from, to, sent, at, lost: false, text: String::new() }, message)?
            }
            Occurrence::Lost { from, to, message } => {
                self.message(Message { from, to, sent: at, at, lost: true, text: String::new() }, message)?
            }
            Occurrence::Reset { node, peer } => EntryKind::Reset { node, peer },
            Occurrence::Connected { client, server } if full => EntryKind::Connected { client, server },
            Occurrence::Refused { node, peer } if full => EntryKind::Refused { node, peer },
            Occurrence::Timer { node } if full => EntryKind::Timer { node },
            Occurrence::Continued { node } if full => EntryKind::Continued { node },
            Occurrence::Step { node, step } if full => EntryKind::Step { node, step: step.to_owned() },
            _ => return None,
        })
    }
}

impl Watcher for Recording {
    fn record(&mut self, event: &TraceEvent<'_>) {
        let (at, clocks) = (event.at, event.clocks);
        // An event is recorded before it affects clocks, so its effect is read at the next event.
        self.faults.read_clocks(|node| ClockOffset::read(clocks, node, at));
        if let Some(kind) = self.kind(event) {
            let mut entry = Entry { at, offset: ClockOffset::default(), kind };
            if let Some(node) = entry.node(self.store) {
                entry.offset = ClockOffset::read(clocks, node, at);
            }
            self.entries.push(entry);
        }
    }
}
