//! One case, watched from beginning to end and kept: what its explanation and its timeline are made from.

mod grants;
mod log;
mod spans;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use fencepost_models::history::{Event, GrantId};
use fencepost_scenarios::run::case::{self, CaseReport};
use fencepost_scenarios::run::cell::Cell;
use fencepost_sim::units::LONGEST;
use fencepost_sim::{NodeId, SimTime};

use self::log::Log;
use crate::narrative::cast::Cast;
use crate::text::visible;

pub(crate) use self::grants::{GrantStory, Written};
pub(crate) use self::spans::Span;

/// A case that ran while everything that matters for its explanation was written down.
pub struct CaseRun {
    /// What the case came to.
    pub report: CaseReport,
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) cast: Cast,
    pub(crate) servers: Vec<NodeId>,
    pub(crate) notes: Vec<Note>,
    pub(crate) spans: Vec<Span>,
    pub(crate) turns: Vec<Turn>,
    pub(crate) messages: Vec<Message>,
    pub(crate) grants: BTreeMap<GrantId, GrantStory>,
    /// A message that took longer than this is late.
    pub(crate) late_ns: u64,
}

/// An event of the history, with how far its node's clocks were ahead of true time.
pub(crate) struct Note {
    pub at: SimTime,
    pub event: Event,
    pub mono_ahead: i64,
    pub wall_ahead: i64,
}

/// What changed the scene without being a fault.
#[derive(Clone, Copy)]
pub(crate) enum Turn {
    Led { at: SimTime, node: NodeId },
    Healed { at: SimTime },
}

/// A message that arrived at `at`, or that was lost.
#[derive(Clone, Copy)]
pub(crate) struct Message {
    pub from: NodeId,
    pub to: NodeId,
    pub sent: SimTime,
    pub at: SimTime,
    pub lost: bool,
}

/// What a message may take beyond the longest latency before it is called late.
const SLACK_NS: u64 = 150_000_000;

/// Where latency has no bound, this is late.
const LATE_NS: u64 = 1_000_000_000;

impl CaseRun {
    /// Runs the case of this seed and keeps what happened.
    pub fn watch(cell: &Cell, seed: u64) -> CaseRun {
        let drawn = &*cell.drawn(seed);
        let mut cast = Cast::new(drawn);
        let late_ns = late_ns(cell);
        let log =
            Rc::new(RefCell::new(Log::new((0..cast.len() as u16).map(NodeId), drawn.scenario.clients.count, late_ns)));
        let report = case::run(cell, seed, Some(log.clone()));
        let Log { notes, spans, turns, messages, .. } = log.take();
        let spans = spans.into_spans();
        notes.iter().for_each(|note| cast.learn(&note.event));
        let clients = usize::from(drawn.scenario.clients.count);
        let servers = (clients..cast.len()).map(|id| NodeId(id as u16));
        CaseRun {
            name: visible(&cell.case_name(seed)),
            about: visible(&cell.scenario.about),
            servers: servers
                .filter(|id| *id != cast.store || id.index() == clients && cast.len() == clients + 1)
                .collect(),
            grants: grants::stories(&notes, &spans),
            report,
            cast,
            notes,
            spans,
            turns,
            messages,
            late_ns,
        }
    }

    pub(crate) fn name_of(&self, node: NodeId) -> &str {
        self.cast.name(node)
    }

    pub(crate) fn grant(&self, grant: GrantId) -> Option<&GrantStory> {
        self.grants.get(&grant)
    }

    /// The holder of a grant, by name.
    pub(crate) fn holder(&self, grant: GrantId) -> &str {
        self.cast.holder(grant)
    }

    pub(crate) fn is_client(&self, node: NodeId) -> bool {
        node != self.cast.store && !self.servers.contains(&node)
    }

    /// When the client crashed, the first time from then on.
    pub(crate) fn crashed(&self, client: NodeId, from: SimTime) -> Option<SimTime> {
        let crash = |span: &&Span| span.crashes(client) && span.from >= from;
        self.spans.iter().find(crash).map(|span| span.from)
    }

    /// The events of the history in `from..=to`.
    pub(crate) fn notes_between(&self, from: SimTime, to: SimTime) -> &[Note] {
        let first = self.notes.partition_point(|note| note.at < from);
        let end = self.notes.partition_point(|note| note.at <= to);
        &self.notes[first..end.max(first)]
    }

    /// When all faults were healed.
    pub(crate) fn healed(&self) -> Option<SimTime> {
        self.turns.iter().find_map(|turn| if let Turn::Healed { at } = turn { Some(*at) } else { None })
    }
}

#[cfg(test)]
impl CaseRun {
    /// Puts another history in place of its own.
    pub(crate) fn retell(&mut self, events: impl Iterator<Item = (SimTime, Event)>) {
        self.notes = events.map(|(at, event)| Note { at, event, mono_ahead: 0, wall_ahead: 0 }).collect();
        self.notes.iter().for_each(|note| self.cast.learn(&note.event));
        self.grants = grants::stories(&self.notes, &[]);
        self.messages.clear();
        self.turns.clear();
    }
}

fn late_ns(cell: &Cell) -> u64 {
    let longest = cell.scenario.network.latency.longest();
    if longest >= LONGEST { LATE_NS } else { longest.as_nanos() as u64 + SLACK_NS }
}
