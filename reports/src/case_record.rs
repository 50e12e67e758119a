//! The record of one case: the data that its log, explanation and timeline show, from one run.

pub(crate) mod clocks;
mod fault_spans;
mod fault_text;
mod grants;
pub(crate) mod names;
mod recording;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use fencepost_models::history::{Event, GrantId};
use fencepost_scenarios::run::case::{self, CaseReport};
use fencepost_scenarios::run::cell::Cell;
use fencepost_sim::units::LONGEST;
use fencepost_sim::{NodeId, SimTime};

use self::clocks::ClockOffset;
use self::names::CaseNames;
use self::recording::Recording;
use crate::text::visible;

pub use self::recording::Detail;

pub(crate) use self::fault_spans::FaultSpan;
pub(crate) use self::grants::{AcceptedWrite, GrantTimeline};

/// The record of one case.
pub struct CaseRecord {
    /// The result of the case.
    pub report: CaseReport,
    /// The address of the case: `SCENARIO/LOCK/SEED`.
    pub(crate) title: String,
    pub(crate) about: String,
    /// The choices that a swarm case drew.
    pub(crate) choice: Option<String>,
    pub(crate) run_for: Duration,
    pub(crate) names: CaseNames,
    pub(crate) servers: Vec<NodeId>,
    /// The entries, in the order of the trace.
    pub(crate) entries: Vec<Entry>,
    pub(crate) faults: Vec<FaultSpan>,
    pub(crate) grants: BTreeMap<GrantId, GrantTimeline>,
    /// A message that took longer than this is late.
    pub(crate) late_ns: u64,
}

/// One entry of a record.
pub(crate) struct Entry {
    pub at: SimTime,
    /// The clock offsets of the node at which it happened.
    pub offset: ClockOffset,
    pub kind: EntryKind,
}

/// The kind of an entry. Faults are indices into [`CaseRecord::faults`].
pub(crate) enum EntryKind {
    Event(Event),
    FaultBegan(usize),
    FaultEnded(usize),
    Restarted(NodeId),
    Led { node: NodeId, leads: bool },
    Healed,
    Message(Message),
    Connected { client: NodeId, server: NodeId },
    Refused { node: NodeId, peer: NodeId },
    Reset { node: NodeId, peer: NodeId },
    Timer { node: NodeId },
    Continued { node: NodeId },
    Step { node: NodeId, step: String },
}

/// A message that arrived or was lost.
pub(crate) struct Message {
    pub from: NodeId,
    pub to: NodeId,
    pub sent: SimTime,
    /// The time at which it arrived or was lost.
    pub at: SimTime,
    pub lost: bool,
    /// The content, or an empty string if the record does not need it.
    pub text: String,
}

impl Message {
    pub fn duration_ns(&self) -> u64 {
        self.at.0.saturating_sub(self.sent.0)
    }
}

impl Entry {
    pub fn event(&self) -> Option<&Event> {
        if let EntryKind::Event(event) = &self.kind { Some(event) } else { None }
    }

    /// Returns the node at which it happened, if any.
    pub fn node(&self, store: NodeId) -> Option<NodeId> {
        match &self.kind {
            EntryKind::Event(event) => event.node(store),
            EntryKind::Message(message) => Some(message.to),
            EntryKind::Connected { server: node, .. }
            | EntryKind::Restarted(node)
            | EntryKind::Led { node, .. }
            | EntryKind::Refused { node, .. }
            | EntryKind::Reset { node, .. }
            | EntryKind::Timer { node }
            | EntryKind::Continued { node }
            | EntryKind::Step { node, .. } => Some(*node),
            EntryKind::FaultBegan(_) | EntryKind::FaultEnded(_) | EntryKind::Healed => None,
        }
    }
}

/// A message is late if it took longer than the maximum latency by more than this.
const SLACK_NS: u64 = 150_000_000;

/// A message is late if it took longer than this and the latency has no bound.
const LATE_NS: u64 = 1_000_000_000;

impl CaseRecord {
    /// Runs the case with this seed and records what the explanation, the timeline and the normal log show.
    pub fn watch(cell: &Cell, seed: u64) -> CaseRecord {
        CaseRecord::watch_with(cell, seed, Detail::Normal)
    }

    /// Runs the case with this seed and records it at this level of detail.
    pub fn watch_with(cell: &Cell, seed: u64, detail: Detail) -> CaseRecord {
        let drawn = &*cell.drawn(seed);
        let late_ns = late_ns(drawn);
        let clients = drawn.scenario.clients.count;
        let mut names = CaseNames::new(drawn);
        let recording = Rc::new(RefCell::new(Recording::new(&names, clients, late_ns, detail)));
        let report = case::run(cell, seed, Some(recording.clone()));
        let (entries, faults) = recording.borrow_mut().finish();
        entries.iter().filter_map(Entry::event).for_each(|event| names.observe(event));
        let servers = (clients..names.len() as u16).map(NodeId);
        // A store that is the only node besides the clients serves the lock as well.
        let is_server = |node: &NodeId| *node != names.store || names.len() == usize::from(clients) + 1;
        CaseRecord {
            title: visible(&cell.case_name(seed)),
            about: visible(&cell.scenario.about),
            choice: drawn.choice.as_ref().map(|choice| visible(&choice.to_string())),
            run_for: drawn.scenario.run_for,
            servers: servers.filter(is_server).collect(),
            grants: grants::timelines(&entries, &faults),
            report,
            names,
            entries,
            faults,
            late_ns,
        }
    }

    pub(crate) fn name(&self, node: NodeId) -> &str {
        self.names.node(node)
    }

    pub(crate) fn grant(&self, grant: GrantId) -> Option<&GrantTimeline> {
        self.grants.get(&grant)
    }

    /// Returns the name of a grant's client.
    pub(crate) fn holder(&self, grant: GrantId) -> &str {
        self.names.holder(grant)
    }

    pub(crate) fn is_client(&self, node: NodeId) -> bool {
        node != self.names.store && !self.servers.contains(&node)
    }

    pub(crate) fn is_late(&self, message: &Message) -> bool {
        message.duration_ns() > self.late_ns
    }

    /// Returns the time of the client's first crash at or after `from`.
    pub(crate) fn crashed(&self, client: NodeId, from: SimTime) -> Option<SimTime> {
        self.faults.iter().find(|span| span.crashes(client) && span.from >= from).map(|span| span.from)
    }

    /// Returns the entries in `from..=to`, each with its index.
    pub(crate) fn entries_between(
        &self,
        from: SimTime,
        to: SimTime,
    ) -> impl DoubleEndedIterator<Item = (usize, &Entry)> {
        let first = self.entries.partition_point(|entry| entry.at < from);
        let end = self.entries.partition_point(|entry| entry.at <= to).max(first);
        self.entries[first..end].iter().enumerate().map(move |(index, entry)| (first + index, entry))
    }

    /// Returns the events of the history in `from..=to`.
    pub(crate) fn events_between(
        &self,
        from: SimTime,
        to: SimTime,
    ) -> impl DoubleEndedIterator<Item = (SimTime, &Event)> {
        self.entries_between(from, to).filter_map(|(_, entry)| Some((entry.at, entry.event()?)))
    }

    pub(crate) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.entries.iter().filter_map(|entry| match &entry.kind {
            EntryKind::Message(message) => Some(message),
            _ => None,
        })
    }

    /// Returns the time at which all faults were healed.
    pub(crate) fn healed(&self) -> Option<SimTime> {
        self.entries.iter().find(|entry| matches!(entry.kind, EntryKind::Healed)).map(|entry| entry.at)
    }

    /// Returns whether another grant is on record at a server, or believed to be held by its client, at this time.
    pub(crate) fn is_held_by_other(&self, grant: GrantId, at: SimTime) -> bool {
        let holds = |timeline: &GrantTimeline| {
            let mut records = timeline.records().into_iter();
            timeline.believed_at(at) || records.any(|(_, from, to)| from <= at && to.is_none_or(|to| to > at))
        };
        self.grants.iter().any(|(id, timeline)| *id != grant && holds(timeline))
    }
}

#[cfg(test)]
impl CaseRecord {
    /// Replaces the history.
    pub(crate) fn set_history(&mut self, events: impl Iterator<Item = (SimTime, Event)>) {
        let entry = |(at, event)| Entry { at, offset: ClockOffset::default(), kind: EntryKind::Event(event) };
        self.entries = events.map(entry).collect();
        self.entries.iter().filter_map(Entry::event).for_each(|event| self.names.observe(event));
        self.grants = grants::timelines(&self.entries, &[]);
        self.faults.clear();
    }
}

fn late_ns(cell: &Cell) -> u64 {
    let longest = cell.scenario.network.latency.longest();
    if longest >= LONGEST { LATE_NS } else { longest.as_nanos() as u64 + SLACK_NS }
}
