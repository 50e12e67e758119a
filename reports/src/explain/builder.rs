//! Builds a chain of causes: collects weighted candidates and keeps the strongest.

use std::cmp::Reverse;

use fencepost_models::history::{Cause as End, Event, GrantId};
use fencepost_scenarios::check::Evidence;
use fencepost_scenarios::property::Property;
use fencepost_sim::{NodeId, SimTime};

use super::{Cause, CauseKind};
use crate::case_record::{CaseRecord, Entry, EntryKind, FaultSpan, GrantTimeline};
use crate::text::visible;

/// The maximum number of causes in a chain.
const MOST: usize = 9;

/// The weight of the violation itself.
const VIOLATION: u8 = 11;

pub(super) struct ChainBuilder<'a> {
    pub record: &'a CaseRecord,
    /// The time of the violation.
    pub at: SimTime,
    causes: Vec<(u8, Cause)>,
}

impl<'a> ChainBuilder<'a> {
    pub fn new(record: &'a CaseRecord, at: SimTime) -> Self {
        ChainBuilder { record, at, causes: Vec::new() }
    }

    /// Adds a cause with a weight from 1 to 10.
    pub fn add(&mut self, weight: u8, at: SimTime, node: Option<NodeId>, kind: CauseKind, text: String) {
        let cause = self.cause(at, node, kind, text);
        self.push(weight, self.with_seq(cause));
    }

    /// Adds a cause that is an event of a grant.
    pub fn add_for(
        &mut self,
        grant: GrantId,
        weight: u8,
        at: SimTime,
        node: Option<NodeId>,
        kind: CauseKind,
        text: String,
    ) {
        let cause = self.cause_for(grant, at, node, kind, text);
        self.push(weight, cause);
    }

    /// Creates a cause that is an event of a grant, with its index in the record.
    pub fn cause_for(&self, grant: GrantId, at: SimTime, node: Option<NodeId>, kind: CauseKind, text: String) -> Cause {
        self.with_seq(Cause { grant: Some(grant), ..self.cause(at, node, kind, text) })
    }

    /// Adds a cause whose index in the record is known.
    pub fn push(&mut self, weight: u8, cause: Cause) {
        if !self.causes.iter().any(|(_, other)| other.at == cause.at && other.text == cause.text) {
            self.causes.push((weight, cause));
        }
    }

    fn cause(&self, at: SimTime, node: Option<NodeId>, kind: CauseKind, text: String) -> Cause {
        // A cause without an entry in the record sorts after the entries of the same time.
        let seq = usize::MAX;
        let (name, text) = (node.map(|node| visible(self.record.name(node))), visible(&text));
        Cause {
            at,
            until: None,
            node: name,
            kind,
            text,
            violates: Vec::new(),
            node_id: node,
            grant: None,
            seq,
            overwrites: false,
        }
    }

    fn with_seq(&self, cause: Cause) -> Cause {
        Cause { seq: self.seq(&cause).unwrap_or(cause.seq), ..cause }
    }

    /// Returns the index of a cause's entry in the record, if it has one.
    fn seq(&self, cause: &Cause) -> Option<usize> {
        let store = self.record.names.store;
        let is_match = |entry: &Entry| {
            cause.kind.describes(entry)
                && entry.node(store) == cause.node_id
                && cause.grant.is_none_or(|grant| entry.event().and_then(Event::grant) == Some(grant))
        };
        // A duplicated message causes two equal events at the same time.
        let taken = |seq: usize| self.causes.iter().any(|(_, other)| other.seq == seq && other.kind == cause.kind);
        let mut entries = self.record.entries_between(cause.at, cause.at);
        entries.find(|(seq, entry)| is_match(entry) && !taken(*seq)).map(|(seq, _)| seq)
    }

    pub fn grant(&self, grant: GrantId) -> Option<&'a GrantTimeline> {
        self.record.grant(grant)
    }

    /// Returns the name of a grant's client.
    pub fn holder(&self, grant: GrantId) -> &'a str {
        self.record.holder(grant)
    }

    pub fn has(&self, kind: CauseKind) -> bool {
        self.causes.iter().any(|(_, cause)| cause.kind == kind)
    }

    /// Adds the event that a client acquired the lock, with `aside` at the end of its text.
    pub fn acquired(&mut self, weight: u8, grant: GrantId, aside: &str) {
        let Some(timeline) = self.grant(grant) else { return };
        let holder = self.holder(grant);
        let token = timeline.token.map_or(String::new(), |token| format!(" with token {token}"));
        match (timeline.acquired, timeline.granted_by.last()) {
            (Some(at), _) => {
                let text = format!("{holder} acquired the lock{token}{}{aside}", self.servers_text(timeline));
                self.add_for(grant, weight, at, timeline.client, CauseKind::Acquired, text);
            }
            (None, Some((at, server))) => {
                let server_name = self.record.name(*server);
                let text =
                    format!("{server_name} granted the lock to {holder}, which did not receive the reply{aside}");
                self.add_for(grant, weight, *at, Some(*server), CauseKind::Granted, text);
            }
            (None, None) => {}
        }
    }

    /// Returns ` from redis-1, redis-2 and redis-3` if the lock has several servers.
    fn servers_text(&self, timeline: &GrantTimeline) -> String {
        let grantors = timeline.grantors();
        let replier = self.replier(timeline).filter(|server| self.record.servers.contains(server));
        match replier {
            Some(server) if grantors.is_empty() => format!(" by the reply of {}", self.record.name(server)),
            _ if self.record.servers.len() < 2 || grantors.is_empty() => String::new(),
            _ if grantors.len() == self.record.servers.len() => format!(" from all {} servers", grantors.len()),
            _ => format!(" from {}", self.record.names.list(grantors)),
        }
    }

    /// Returns the sender of the reply with which the client acquired the lock.
    fn replier(&self, timeline: &GrantTimeline) -> Option<NodeId> {
        let mut messages = self.record.messages();
        messages
            .find(|message| Some(message.at) == timeline.acquired && Some(message.to) == timeline.client)
            .map(|m| m.from)
    }

    /// Adds the end of the service's record of a grant, unless it is later than `before`.
    pub fn record_ended(&mut self, weight: u8, grant: GrantId, before: SimTime) {
        let Some(timeline) = self.grant(grant) else { return };
        let Some(end) = timeline.record_end(self.record.servers.len()).filter(|end| end.at <= before) else { return };
        let (holder, server) = (self.holder(grant), self.record.name(end.server));
        let text = match end.cause {
            End::Expired => {
                let majority = if timeline.grantors().len() > 1 { ", which left no majority" } else { "" };
                format!("{holder}'s lease expired on {server}'s clock{}{majority}", end.offset.clause())
            }
            End::Revoked => format!("{server} revoked {holder}'s grant: its session was lost"),
            End::Released(by) if by == grant => format!("{server} applied {holder}'s release"),
            End::Released(by) => {
                format!("{server} ended {holder}'s grant by {}'s release of another grant", self.holder(by))
            }
        };
        self.add_for(grant, weight, end.at, Some(end.server), CauseKind::Ended, text);
    }

    /// Adds the client's release of the lock, unless it is later than `before`.
    pub fn released(&mut self, weight: u8, grant: GrantId, before: SimTime) {
        let Some(timeline) = self.grant(grant) else { return };
        if let Some(at) = timeline.release_invoked.filter(|at| *at <= before) {
            let text = format!("{} released the lock", self.holder(grant));
            self.add_for(grant, weight, at, timeline.client, CauseKind::Released, text);
        }
    }

    /// Adds the servers that became leader between `from` and `to`.
    pub fn leaders(&mut self, weight: u8, from: SimTime, to: SimTime) {
        for (_, entry) in self.record.entries_between(from, to) {
            if let EntryKind::Led { node, leads: true } = entry.kind {
                let text = format!("{} became leader", self.record.name(node));
                self.add(weight, entry.at, Some(node), CauseKind::Led, text);
            }
        }
    }

    /// Adds a fault, from its start to its end.
    pub fn fault(&mut self, weight: u8, span: &FaultSpan) {
        let text = span.past(&self.record.names);
        let node = if span.fault.links.is_empty() { span.fault.nodes.first().copied() } else { None };
        let cause = self.cause(span.from, node, CauseKind::Fault, text);
        self.push(weight, Cause { until: span.to, seq: span.seq, ..cause });
    }

    /// Returns the strongest causes, in the order of the record.
    pub fn finish(mut self, evidence: &Evidence, sentence: &str) -> Vec<Cause> {
        self.mark_violation(evidence, sentence);
        self.causes.sort_by_key(|(weight, cause)| Reverse((*weight, cause.at)));
        self.causes.truncate(MOST);
        self.causes.sort_by_key(|(_, cause)| (cause.at, cause.seq));
        self.causes.into_iter().map(|(_, cause)| cause).collect()
    }

    /// Marks the cause that is the violation, or adds one if there is none.
    fn mark_violation(&mut self, evidence: &Evidence, sentence: &str) {
        let here =
            self.causes.iter_mut().filter(|(_, cause)| cause.at == evidence.at && cause.kind != CauseKind::Fault);
        let overwriter = overwriter(evidence);
        let is_overwrite =
            |cause: &Cause| overwriter.is_some() && cause.grant == overwriter && cause.kind == CauseKind::Wrote;
        if let Some((weight, cause)) = here.max_by_key(|(weight, cause)| (is_overwrite(cause), *weight)) {
            *weight = VIOLATION;
            cause.violates.push(evidence.property);
            return;
        }
        let cause = self.cause(evidence.at, None, CauseKind::Due, sentence.to_owned());
        self.causes.push((VIOLATION, Cause { violates: vec![evidence.property], ..cause }));
    }
}

/// Returns the grant that overwrote another's update. Its time does not identify it: both writes may be simultaneous.
fn overwriter(evidence: &Evidence) -> Option<GrantId> {
    match (evidence.property, evidence.grants().as_slice()) {
        (Property::NoLostUpdate, [_, by]) => Some(*by),
        _ => None,
    }
}

impl CauseKind {
    /// Returns whether a cause of this kind can describe `entry`.
    fn describes(self, entry: &Entry) -> bool {
        let Some(event) = entry.event() else {
            return match entry.kind {
                EntryKind::Led { .. } => self == CauseKind::Led,
                EntryKind::Healed => self == CauseKind::Healed,
                _ => false,
            };
        };
        match self {
            CauseKind::Waited => matches!(event, Event::AcquireInvoked { .. } | Event::Enqueued { .. }),
            CauseKind::Acquired => matches!(event, Event::Acquired { .. }),
            CauseKind::Granted | CauseKind::Kept => matches!(event, Event::Granted { .. }),
            CauseKind::Ended => matches!(event, Event::Ended { .. }),
            CauseKind::Read => matches!(event, Event::ReadAccepted { .. }),
            CauseKind::Sent => matches!(event, Event::WriteInvoked { .. }),
            CauseKind::Wrote => matches!(event, Event::WriteAccepted { .. }),
            CauseKind::Refused => matches!(event, Event::OperationRefused { .. }),
            CauseKind::Released => matches!(event, Event::ReleaseInvoked { .. }),
            CauseKind::RolledBack => matches!(event, Event::RolledBack { .. }),
            CauseKind::Other => matches!(
                event,
                Event::ValidityEnded { .. }
                    | Event::WriteReturned { .. }
                    | Event::OrderResolved { .. }
                    | Event::NestedInvoked { .. }
                    | Event::NestedReturned { .. }
                    | Event::NestedReleaseInvoked { .. }
                    | Event::NestedReleaseReturned { .. }
            ),
            CauseKind::Fault | CauseKind::Led | CauseKind::Healed | CauseKind::Due => false,
        }
    }
}
