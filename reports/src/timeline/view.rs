//! Selects the part of a case that a timeline shows: an interval, the nodes involved and the messages between them.

use std::collections::BTreeSet;

use fencepost_models::history::GrantId;
use fencepost_scenarios::property::Property;
use fencepost_sim::{NodeId, SimTime};

use crate::case_record::{CaseRecord, FaultSpan, GrantTimeline, Message};
use crate::explain::{Cause, CauseKind, Chain};

/// The maximum number of messages: more would make the drawing unreadable.
const MOST_MESSAGES: usize = 44;
const MOST_LATE: usize = 8;

/// Events up to this long after the end of the chain are shown, too.
const AFTER_NS: u64 = 60_000_000;

/// The maximum number of nodes of a fault that get lanes because of it.
const FEW: usize = 3;

/// The number of grants shown for a case without violations.
const FIRST_GRANTS: usize = 4;

pub(super) struct DiagramView<'a> {
    pub record: &'a CaseRecord,
    pub causes: &'a [Cause],
    /// The grants shown, in the order in which they were granted.
    pub grants: Vec<&'a GrantTimeline>,
    /// The nodes with lanes, from the top: servers, clients, the store.
    pub nodes: Vec<NodeId>,
    pub from: SimTime,
    pub to: SimTime,
    pub messages: Vec<&'a Message>,
    pub spans: Vec<&'a FaultSpan>,
    /// The times between which the axis stretches gaps.
    pub moments: Vec<SimTime>,
    /// The violating causes: those of the chain, and violations at the store by the same grants.
    pub wrong: Vec<&'a Cause>,
    /// The number of nodes without a lane.
    pub left_out: usize,
}

impl<'a> DiagramView<'a> {
    pub fn new(record: &'a CaseRecord, chain: Option<&'a Chain>, all: &'a [Chain]) -> DiagramView<'a> {
        let causes = chain.map_or(&[][..], |chain| &chain.causes);
        let mut view = DiagramView {
            record,
            causes,
            grants: grants(record, chain),
            nodes: Vec::new(),
            from: SimTime(0),
            to: record.report.ended,
            messages: Vec::new(),
            spans: Vec::new(),
            moments: Vec::new(),
            wrong: chain.map_or(Vec::new(), |chain| wrong(chain, all)),
            left_out: 0,
        };
        view.set_window(chain);
        view.set_nodes();
        view.set_messages();
        view.set_spans();
        view.set_moments();
        view
    }

    /// Returns the index of a client's colour.
    pub fn colour(&self, client: Option<NodeId>) -> usize {
        let mut clients: Vec<NodeId> = Vec::new();
        for node in self.grants.iter().filter_map(|grant| grant.client).chain(self.nodes.iter().copied()) {
            if self.record.is_client(node) && !clients.contains(&node) {
                clients.push(node);
            }
        }
        let index = client.and_then(|client| clients.iter().position(|other| *other == client));
        index.unwrap_or(0) % super::style::CLIENTS
    }

    pub fn name(&self, node: NodeId) -> String {
        crate::text::clipped(self.record.name(node), 18)
    }

    /// Returns whether a cause is a violation.
    pub fn is_wrong(&self, cause: &Cause) -> bool {
        self.wrong.iter().any(|other| other.is(cause))
    }

    fn set_window(&mut self, chain: Option<&Chain>) {
        let begins = self.grants.iter().filter_map(|grant| grant.invoked.or(grant.began()));
        let causes = self.causes.iter().map(|cause| cause.at);
        self.from = begins.chain(causes.clone()).min().unwrap_or_default();
        let to = match chain {
            Some(chain) => causes.max().unwrap_or(chain.at).max(chain.at),
            None => self.grants.iter().filter_map(|grant| grant.belief_ended).max().unwrap_or(self.record.report.ended),
        };
        let near = self.own_events(to, SimTime(to.0.saturating_add(AFTER_NS))).map(|(at, _)| at).max();
        self.to = near.unwrap_or(to).max(SimTime(self.from.0 + 1));
    }

    /// Returns time and node of each event of the shown grants.
    fn own_events(&self, from: SimTime, to: SimTime) -> impl Iterator<Item = (SimTime, NodeId)> + '_ {
        self.record.events_between(from, to).filter_map(|(at, event)| {
            let (node, grant) = (event.node(self.record.names.store)?, event.grant()?);
            self.grants.iter().any(|timeline| timeline.id == grant).then_some((at, node))
        })
    }

    fn set_nodes(&mut self) {
        let mut shown: BTreeSet<NodeId> = self.causes.iter().filter_map(|cause| cause.node_id).collect();
        shown.extend(self.own_events(self.from, self.to).map(|(_, node)| node));
        for cause in self.causes.iter().filter(|cause| cause.kind == CauseKind::Fault) {
            let span = self.record.faults.iter().find(|span| span.seq == cause.seq);
            let few = span.filter(|span| span.fault.nodes.len() <= FEW);
            shown.extend(few.into_iter().flat_map(|span| span.fault.nodes.iter().copied()));
        }
        let record = self.record;
        // The labels of the store are below its lane, even where it is the only server.
        let order = |node: &NodeId| match (*node == record.names.store, record.servers.contains(node)) {
            (true, _) => 2,
            (false, true) => 0,
            (false, false) => 1,
        };
        let mut nodes: Vec<NodeId> = shown.into_iter().filter(|node| node.index() < record.names.len()).collect();
        nodes.sort_by_key(|node| (order(node), *node));
        self.left_out = record.names.len() - nodes.len();
        self.nodes = nodes;
    }

    /// Selects messages that affected the grants, and messages that were late or lost.
    fn set_messages(&mut self) {
        let moments: BTreeSet<(NodeId, SimTime)> =
            self.own_events(self.from, self.to).map(|(at, node)| (node, at)).collect();
        let clients: BTreeSet<NodeId> = self.grants.iter().filter_map(|grant| grant.client).collect();
        let shown = |message: &&Message| {
            let lanes = self.nodes.contains(&message.from) && self.nodes.contains(&message.to);
            let client = clients.contains(&message.from) || clients.contains(&message.to);
            lanes && client && message.sent >= self.from && message.at <= self.to
        };
        let (mut own, mut late) = (Vec::new(), Vec::new());
        for message in self.record.messages().filter(shown) {
            let matters =
                moments.contains(&(message.to, message.at)) || moments.contains(&(message.from, message.sent));
            let slow = message.lost || self.record.is_late(message);
            match (matters, slow) {
                (true, _) => own.push(message),
                (false, true) if late.len() < MOST_LATE => late.push(message),
                _ => {}
            }
        }
        // If there are too many, reads and writes take priority.
        let with_store = |message: &&Message| [message.from, message.to].contains(&self.record.names.store);
        own.sort_by_key(|message| !with_store(message));
        own.truncate(MOST_MESSAGES);
        own.extend(late);
        own.sort_by_key(|message| (message.sent, message.at));
        self.messages = own;
    }

    fn set_spans(&mut self) {
        let shown =
            |span: &&FaultSpan| span.overlaps(self.from, self.to) && self.nodes.iter().any(|node| span.touches(*node));
        self.spans = self.record.faults.iter().filter(shown).collect();
        let named =
            |span: &FaultSpan| self.causes.iter().any(|cause| cause.kind == CauseKind::Fault && cause.seq == span.seq);
        self.spans.sort_by_key(|span| (!named(span), span.from));
        self.spans.truncate(10);
    }

    fn set_moments(&mut self) {
        let mut moments: Vec<SimTime> = self.own_events(self.from, self.to).map(|(at, _)| at).collect();
        moments.extend([self.from, self.to]);
        moments.extend(self.causes.iter().flat_map(|cause| [Some(cause.at), cause.until]).flatten());
        moments.extend(self.messages.iter().flat_map(|message| [message.sent, message.at]));
        moments.retain(|at| (self.from..=self.to).contains(at));
        moments.sort_unstable();
        moments.dedup();
        self.moments = moments;
    }
}

fn wrong<'a>(chain: &Chain, all: &'a [Chain]) -> Vec<&'a Cause> {
    let shown = |other: &&Chain| {
        other.property == chain.property
            || chain.explains(other) && matches!(other.property, Property::EffectExclusion | Property::NoLostUpdate)
    };
    all.iter().filter(shown).flat_map(|chain| &chain.causes).filter(|cause| !cause.violates.is_empty()).collect()
}

fn grants<'a>(record: &'a CaseRecord, chain: Option<&Chain>) -> Vec<&'a GrantTimeline> {
    let mut grants: Vec<&GrantTimeline> = match chain {
        Some(chain) => {
            let mut ids: Vec<GrantId> = chain.grants.clone();
            ids.dedup();
            ids.iter().filter_map(|grant| record.grant(*grant)).collect()
        }
        None => record.grants.values().filter(|grant| grant.acquired.is_some()).take(FIRST_GRANTS).collect(),
    };
    let servers = record.servers.len();
    grants.sort_by_key(|grant| (grant.granted(servers), grant.id));
    grants
}
