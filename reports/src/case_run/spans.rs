//! Faults, each from when it began to when it was over.

use fencepost_sim::faults::{Crash, FaultKind};
use fencepost_sim::schedule::Placement;
use fencepost_sim::{NodeId, SimTime};

use crate::narrative::faults::FaultRecord;

/// One injection of a fault.
pub(crate) struct Span {
    pub fault: FaultRecord,
    pub from: SimTime,
    /// How many events the history had when it began.
    pub seq: usize,
    /// Open if it lasted to the end of the case.
    pub to: Option<SimTime>,
    /// What it did to its nodes' clocks: how much further ahead of true time the monotonic and the wall clock were
    /// when it was over.
    pub shifts: Vec<(NodeId, i64, i64)>,
    /// The clocks when it began.
    before: Vec<(NodeId, i64, i64)>,
}

impl Span {
    /// Whether the node crashed.
    pub fn crashes(&self, node: NodeId) -> bool {
        self.fault.kind.crashes() && self.fault.nodes.contains(&node)
    }

    /// Whether the node's process or machine was paused.
    pub fn pauses(&self, node: NodeId) -> bool {
        self.fault.kind.pauses() && self.fault.nodes.contains(&node)
    }

    pub fn overlaps(&self, from: SimTime, to: SimTime) -> bool {
        self.from <= to && self.to.is_none_or(|end| end >= from)
    }

    pub fn touches(&self, node: NodeId) -> bool {
        self.fault.nodes.contains(&node) || self.fault.links.iter().any(|link| link.0 == node || link.1 == node)
    }

    fn is_at(&self, placement: &Placement) -> bool {
        self.fault.nodes == placement.nodes && self.fault.links == placement.links
    }

    fn waits_for_clocks(&self) -> bool {
        self.shifts.is_empty() && self.to.is_some() && self.fault.kind.clock.is_some()
    }
}

#[derive(Default)]
pub(super) struct Spans {
    spans: Vec<Span>,
    /// A crash that is just happening.
    crashing: Option<FaultRecord>,
    /// Spans whose effect on clocks shows at the next moment.
    awaiting: Vec<usize>,
}

impl Spans {
    pub fn begin(&mut self, at: SimTime, seq: usize, fault: FaultRecord, before: Vec<(NodeId, i64, i64)>) {
        if fault.kind.crashes() {
            self.crashing = Some(fault);
            return;
        }
        let to = fault.kind.steps_clocks().then_some(at);
        self.spans.push(Span { fault, from: at, seq, to, shifts: Vec::new(), before });
        if to.is_some() {
            self.awaiting.push(self.spans.len() - 1);
        }
    }

    /// Other faults crash nodes, too.
    pub fn crash(&mut self, at: SimTime, seq: usize, node: NodeId) {
        let cause = self.crashing.as_ref().or(self.spans.last().filter(|span| span.from == at).map(|span| &span.fault));
        let name = cause.map_or(String::new(), |fault| fault.name.clone());
        if let Some(last) =
            self.spans.last_mut().filter(|span| span.fault.kind.crashes() && span.from == at && span.fault.name == name)
        {
            last.fault.nodes.push(node);
            return;
        }
        let fault = FaultRecord { name, kind: Crash::INFO, nodes: vec![node], links: Vec::new() };
        self.spans.push(Span { fault, from: at, seq, to: None, shifts: Vec::new(), before: Vec::new() });
    }

    pub fn restart(&mut self, at: SimTime, node: NodeId) {
        let down = |span: &&mut Span| span.crashes(node) && span.to.is_none();
        if let Some(span) = self.spans.iter_mut().rev().find(down) {
            span.to = Some(at);
        }
    }

    pub fn ended(&mut self, at: SimTime, name: &str, placement: &Placement) {
        let is_it = |span: &Span| span.to.is_none() && span.fault.name == name && span.is_at(placement);
        if let Some(place) = self.spans.iter().position(is_it) {
            self.spans[place].to = Some(at);
            if self.spans[place].waits_for_clocks() {
                self.awaiting.push(place);
            }
        }
    }

    /// The nodes whose clocks a fault has just changed.
    pub fn awaiting_clocks(&self) -> Vec<NodeId> {
        self.awaiting.iter().flat_map(|place| self.spans[*place].fault.nodes.iter().copied()).collect()
    }

    pub fn read_clocks(&mut self, readings: &[(NodeId, i64, i64)]) {
        for place in std::mem::take(&mut self.awaiting) {
            let span = &mut self.spans[place];
            let shift = |(node, mono, wall): &(NodeId, i64, i64)| {
                let now = readings.iter().find(|reading| reading.0 == *node)?;
                Some((*node, now.1 - mono, now.2 - wall))
            };
            span.shifts = span.before.iter().filter_map(shift).collect();
        }
    }

    pub fn into_spans(self) -> Vec<Span> {
        self.spans
    }
}
