//! The faults of a case, each from its start to its end.

use fencepost_sim::faults::{Crash, FaultKind};
use fencepost_sim::schedule::Placement;
use fencepost_sim::{NodeId, SimTime};

use super::clocks::ClockOffset;
use super::names::CaseNames;
use crate::text::{moment, seconds, signed_seconds};

use super::fault_text::{Details, FaultRecord};

/// One injection of a fault.
pub(crate) struct FaultSpan {
    pub fault: FaultRecord,
    pub from: SimTime,
    /// The index of its entry in the record.
    pub seq: usize,
    /// The end, or `None` if it was active until the end of the case.
    pub to: Option<SimTime>,
    /// The clock offsets of its nodes at its start.
    before: Vec<(NodeId, ClockOffset)>,
    /// The clock offsets of its nodes after its end, or after its effect if it is instant.
    after: Vec<(NodeId, ClockOffset)>,
}

impl FaultSpan {
    fn new(fault: FaultRecord, from: SimTime, seq: usize, before: Vec<(NodeId, ClockOffset)>) -> FaultSpan {
        FaultSpan { fault, from, seq, to: None, before, after: Vec::new() }
    }

    pub fn crashes(&self, node: NodeId) -> bool {
        self.fault.kind.crashes() && self.fault.nodes.contains(&node)
    }

    /// Returns whether the fault pauses the node's process or machine.
    pub fn pauses(&self, node: NodeId) -> bool {
        self.fault.kind.pauses() && self.fault.nodes.contains(&node)
    }

    pub fn overlaps(&self, from: SimTime, to: SimTime) -> bool {
        self.from <= to && self.to.is_none_or(|end| end >= from)
    }

    pub fn is_active_at(&self, at: SimTime) -> bool {
        self.from <= at && self.to.is_none_or(|end| end > at)
    }

    pub fn touches(&self, node: NodeId) -> bool {
        self.fault.nodes.contains(&node) || self.fault.links.iter().any(|link| link.0 == node || link.1 == node)
    }

    /// Returns the clock offsets of a node at the start of the fault.
    pub fn offset_before(&self, node: NodeId) -> ClockOffset {
        self.before.iter().find(|(other, _)| *other == node).map_or(ClockOffset::default(), |(_, offset)| *offset)
    }

    /// Returns the clock offsets of a node after the fault.
    pub fn offset_after(&self, node: NodeId) -> ClockOffset {
        let after = self.after.iter().find(|(other, _)| *other == node);
        after.map_or_else(|| self.offset_before(node), |(_, offset)| *offset)
    }

    /// Returns how much the clock offsets of a node changed while the fault was active.
    pub fn shift(&self, node: NodeId) -> ClockOffset {
        self.offset_after(node) - self.offset_before(node)
    }

    /// Returns the values that phrases need for this injection at one of its nodes.
    pub fn details(&self, node: Option<NodeId>) -> Details {
        let duration = self.to.map(|to| seconds(to.0 - self.from.0));
        let shift = node.or(self.fault.nodes.first().copied()).map_or(ClockOffset::default(), |node| self.shift(node));
        let known = !self.after.is_empty();
        Details {
            lasted: duration.as_ref().map_or(String::new(), |duration| format!(" {duration}")),
            duration: duration.unwrap_or_default(),
            until: self.to.map_or(" until the end".to_owned(), |to| format!(" until {}", moment(to))),
            restart: match self.to {
                Some(to) => format!(" and restarted at {}", moment(to)),
                None => " and did not restart".to_owned(),
            },
            step: if known { format!(" {}", signed_seconds(shift.wall)) } else { String::new() },
            drift: if known { format!(", {} in all", signed_seconds(shift.mono)) } else { String::new() },
        }
    }

    /// Returns a clause in the past tense: `client-2 was paused until 24.000 s (gc)`.
    pub fn past(&self, names: &CaseNames) -> String {
        self.fault.past(names, &self.details(None))
    }

    /// Returns a short label: `clock of redis-1 stepped +30.0 s (step)`.
    pub fn label(&self, names: &CaseNames) -> String {
        self.fault.summary(names, &self.details(None))
    }

    /// Returns the label for the lane of a node that the fault stops: `paused 15.0 s (gc)`.
    pub fn lane_label(&self, names: &CaseNames) -> String {
        self.fault.fill(self.fault.kind.phrases.lane, names, &self.details(None))
    }

    fn is(&self, name: &str, placement: &Placement) -> bool {
        self.fault.name == name && self.fault.nodes == placement.nodes && self.fault.links == placement.links
    }
}

/// Collects the spans of a case while it runs.
#[derive(Default)]
pub(super) struct FaultSpans {
    spans: Vec<FaultSpan>,
    /// A fault that is about to crash its nodes. Its span begins when the first node crashes.
    crashing: Option<FaultRecord>,
    /// Spans whose effect on clocks must be read at the next event.
    unread: Vec<usize>,
}

impl FaultSpans {
    /// Starts the span of a fault and returns its index. Returns `None` for a crash, whose span starts later.
    pub fn begin(
        &mut self,
        at: SimTime,
        seq: usize,
        fault: FaultRecord,
        before: Vec<(NodeId, ClockOffset)>,
    ) -> Option<usize> {
        if fault.kind.crashes() {
            self.crashing = Some(fault);
            return None;
        }
        let instant = fault.kind.steps_clocks();
        let index = self.add(FaultSpan::new(fault, at, seq, before));
        if instant {
            self.spans[index].to = Some(at);
            self.unread.push(index);
        }
        Some(index)
    }

    /// Records the crash of a node by a crash fault or another fault at that time. Returns the index of a new span.
    pub fn crash(&mut self, at: SimTime, seq: usize, node: (NodeId, ClockOffset)) -> Option<usize> {
        let cause = self.crashing.as_ref().or(self.spans.last().filter(|span| span.from == at).map(|span| &span.fault));
        let name = cause.map_or(String::new(), |fault| fault.name.clone());
        let same = |span: &&mut FaultSpan| span.fault.kind.crashes() && span.from == at && span.fault.name == name;
        if let Some(last) = self.spans.last_mut().filter(same) {
            last.fault.nodes.push(node.0);
            last.before.push(node);
            return None;
        }
        let fault = FaultRecord { name, kind: Crash::INFO, nodes: vec![node.0], links: Vec::new() };
        Some(self.add(FaultSpan::new(fault, at, seq, vec![node])))
    }

    pub fn restart(&mut self, at: SimTime, node: NodeId) {
        if let Some(span) = self.spans.iter_mut().rev().find(|span| span.to.is_none() && span.crashes(node)) {
            span.to = Some(at);
        }
    }

    /// Ends the span of a fault and returns its index.
    pub fn end(&mut self, at: SimTime, name: &str, placement: &Placement) -> Option<usize> {
        let index = self.spans.iter().position(|span| span.to.is_none() && span.is(name, placement))?;
        self.spans[index].to = Some(at);
        self.unread.push(index);
        Some(index)
    }

    /// Reads the clocks that faults have just changed.
    pub fn read_clocks(&mut self, read: impl Fn(NodeId) -> ClockOffset) {
        for index in self.unread.drain(..) {
            let span = &mut self.spans[index];
            span.after = span.before.iter().map(|(node, _)| (*node, read(*node))).collect();
        }
    }

    pub fn into_spans(self) -> Vec<FaultSpan> {
        self.spans
    }

    fn add(&mut self, span: FaultSpan) -> usize {
        self.spans.push(span);
        self.spans.len() - 1
    }
}
