//! Selects the events that a log shows, and formats them as lines.

use std::collections::{BTreeMap, BTreeSet};

use fencepost_models::history::{Ack, Cause, Event, GrantId};
use fencepost_scenarios::check::Evidence;
use fencepost_sim::{NodeId, SimTime};

use super::LogOptions;
use super::elided::ElidedEvents;
use super::events;
use super::focus::Focus;
use crate::case_record::clocks::ClockOffset;
use crate::case_record::{CaseRecord, Entry, EntryKind, FaultSpan, Message};
use crate::text::seconds;

/// One piece of a log.
pub(super) enum Item {
    /// A heading between the phases of the case.
    Heading { at: SimTime, text: String },
    /// An event.
    Line(Line),
    /// A summary of events that are not shown.
    Note { at: SimTime, text: String },
}

pub(super) struct Line {
    pub at: SimTime,
    pub node: String,
    pub clocks: String,
    pub text: String,
    /// Whether the line is about a grant that the evidence names.
    pub marked: bool,
    grant: Option<GrantId>,
    /// The event and the other nodes with an equal event, if such events may join the line.
    joined: Option<(Event, Vec<NodeId>)>,
}

/// Equal events of several servers share a line if they are at most this far apart.
const JOIN_NS: u64 = 150_000_000;

/// Builds the items of a log.
pub(super) fn build(record: &CaseRecord, options: LogOptions) -> Vec<Item> {
    let focus = Focus::new(record, options.whole);
    let run_for = seconds(record.run_for.as_nanos() as u64);
    let mut builder = CaseLogBuilder {
        record,
        full: options.full,
        hidden_since: (!focus.is_shown(SimTime(0))).then_some(SimTime(0)),
        focus,
        elided: ElidedEvents::default(),
        items: vec![Item::Heading { at: SimTime(0), text: format!("run, for at most {run_for}") }],
        follower_expected: false,
        given_up: BTreeSet::new(),
        counts: record.names.initial_counts(),
        attempts: attempts_by_client(record),
    };
    record.entries.iter().for_each(|entry| builder.entry(entry));
    builder.finish()
}

struct CaseLogBuilder<'a> {
    record: &'a CaseRecord,
    full: bool,
    focus: Focus,
    elided: ElidedEvents,
    items: Vec<Item>,
    /// The start of the current hidden interval, if any.
    hidden_since: Option<SimTime>,
    /// Whether the next grant follows one that the evidence names.
    follower_expected: bool,
    /// Grants whose Belief has ended.
    given_up: BTreeSet<GrantId>,
    /// The counts of the guarded rows.
    counts: [i64; 2],
    /// The attempts of each client, in order. Searching all grants for each message would take quadratic time.
    attempts: BTreeMap<NodeId, Vec<(SimTime, GrantId)>>,
}

fn attempts_by_client(record: &CaseRecord) -> BTreeMap<NodeId, Vec<(SimTime, GrantId)>> {
    let mut attempts: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for grant in record.grants.values() {
        if let (Some(client), Some(invoked)) = (grant.client, grant.invoked) {
            attempts.entry(client).or_default().push((invoked, grant.id));
        }
    }
    attempts
}

impl CaseLogBuilder<'_> {
    fn entry(&mut self, entry: &Entry) {
        let at = entry.at;
        match &entry.kind {
            EntryKind::Event(event) => self.event(entry, event),
            EntryKind::FaultBegan(index) => self.fault_began(&self.record.faults[*index]),
            EntryKind::FaultEnded(index) => self.fault_ended(at, &self.record.faults[*index]),
            EntryKind::Restarted(node) => self.show(at, Some(*node), entry.offset, "restarted".to_owned()),
            EntryKind::Led { node, leads } => {
                let text = if *leads { "became leader" } else { "lost leadership" };
                self.show(at, Some(*node), entry.offset, text.to_owned());
            }
            EntryKind::Healed => self.healed(at),
            EntryKind::Message(message) => self.message(entry, message),
            _ if self.full && self.is_shown(at) => self.technical(entry),
            _ => {}
        }
    }

    fn finish(mut self) -> Vec<Item> {
        let ended = self.record.report.ended;
        self.hide(ended);
        if let Some(since) = self.hidden_since.take() {
            self.note_for_interval(since, ended);
        }
        self.add_joined_nodes();
        for evidence in &self.record.report.evidence {
            self.mark_violation(evidence);
        }
        self.items
    }

    fn add_joined_nodes(&mut self) {
        for item in &mut self.items {
            if let Item::Line(Line { text, joined: Some((_, nodes)), .. }) = item
                && !nodes.is_empty()
            {
                *text += &format!("; likewise {}", self.record.names.list(nodes.iter().copied()));
            }
        }
    }

    /// Marks the line of a violation, or adds one.
    fn mark_violation(&mut self, evidence: &Evidence) {
        let grants = evidence.grants();
        let is_match = |line: &Line| {
            let named = line.grant.is_some_and(|grant| grants.contains(&grant));
            line.at == evidence.at && (named || grants.is_empty())
        };
        let mut lines = self.items.iter_mut().rev().filter_map(|item| match item {
            Item::Line(line) if is_match(line) => Some(line),
            _ => None,
        });
        let mark = format!("◀ {} violated", evidence.property.name());
        match lines.next() {
            Some(line) => {
                line.marked = true;
                line.text += &format!("   {mark}");
            }
            None => {
                let line = Line { marked: true, ..self.line(evidence.at, None, ClockOffset::default(), mark) };
                let index = self.items.iter().position(|item| item.at() > evidence.at).unwrap_or(self.items.len());
                self.items.insert(index, Item::Line(line));
            }
        }
    }

    /// Returns whether this time is shown. Adds a note where a hidden interval begins or ends.
    fn is_shown(&mut self, at: SimTime) -> bool {
        let shown = self.focus.is_shown(at);
        if !shown {
            self.hide(at);
        } else if let Some(since) = self.hidden_since.take() {
            self.note_for_interval(since, at);
        }
        shown
    }

    fn hide(&mut self, at: SimTime) {
        if self.hidden_since.is_none() {
            self.note_between_lines(true);
            self.elided = ElidedEvents::default();
            self.hidden_since = Some(at);
        }
    }

    fn note_for_interval(&mut self, since: SimTime, at: SimTime) {
        if let Some(mut text) = self.elided.note_for_interval(since, at) {
            let faults = self.record.faults.iter().filter(|span| span.from < at && span.is_active_at(at));
            let active: Vec<String> =
                faults.map(|span| format!("{} since {}", span.label(&self.record.names), span.from)).collect();
            if !active.is_empty() {
                text += &format!("; still active: {}", active.join(", "));
            }
            self.items.push(Item::Note { at, text });
        }
    }

    /// Adds a note about elided grants or faults. Before a milestone, many failed attempts or orders suffice.
    fn note_between_lines(&mut self, milestone: bool) {
        if self.elided.has_grants_or_faults() || (milestone && self.elided.has_many()) {
            self.note_now();
        }
    }

    fn note_now(&mut self) {
        if let Some((at, text)) = self.elided.note_between_lines(&self.record.names) {
            self.items.push(Item::Note { at, text });
        }
    }

    fn line(&self, at: SimTime, node: Option<NodeId>, offset: ClockOffset, text: String) -> Line {
        let node = node.map_or(String::new(), |node| self.record.name(node).to_owned());
        Line { at, node, clocks: offset.column(), text, marked: false, grant: None, joined: None }
    }

    /// Adds a line that is shown regardless of its grant.
    fn show(&mut self, at: SimTime, node: Option<NodeId>, offset: ClockOffset, text: String) {
        if self.is_shown(at) {
            self.note_between_lines(true);
            let line = self.line(at, node, offset, text);
            self.items.push(Item::Line(line));
        }
    }

    fn fault_began(&mut self, span: &FaultSpan) {
        let names = &self.record.names;
        if !self.focus.is_shown(span.from) {
            self.elided.count_fault(span.from, &span.fault.name);
        }
        if !span.fault.links.is_empty() {
            return self.show(span.from, None, ClockOffset::default(), span.label(names));
        }
        for node in &span.fault.nodes {
            // A clock step is shown with the offsets after the step.
            let stepped = span.fault.kind.steps_clocks();
            let offset = if stepped { span.offset_after(*node) } else { span.offset_before(*node) };
            let text = span.fault.fill(span.fault.kind.phrases.began, names, &span.details(Some(*node)));
            self.show(span.from, Some(*node), offset, text);
        }
    }

    fn fault_ended(&mut self, at: SimTime, span: &FaultSpan) {
        let names = &self.record.names;
        if !span.fault.links.is_empty() {
            return self.show(at, None, ClockOffset::default(), span.fault.links_ended(names, &span.details(None)));
        }
        for node in &span.fault.nodes {
            let mut others = self.record.faults.iter().filter(|other| other.pauses(*node) && other.is_active_at(at));
            let text = if span.pauses(*node) && others.any(|other| !std::ptr::eq(other, span)) {
                "still paused: one of its overlapping pauses ended".to_owned()
            } else {
                span.fault.fill(span.fault.kind.phrases.ended, names, &span.details(Some(*node)))
            };
            self.show(at, Some(*node), span.offset_after(*node), text);
        }
    }

    fn healed(&mut self, at: SimTime) {
        match self.hidden_since {
            Some(since) => {
                self.note_for_interval(since, at);
                self.hidden_since = Some(at);
            }
            None => self.note_now(),
        }
        let text = "healed: all faults ended, and each client tries once more to acquire".to_owned();
        self.items.push(Item::Heading { at, text });
    }

    /// Adds late and lost messages of relevant grants; in a full log, adds all messages.
    fn message(&mut self, entry: &Entry, message: &Message) {
        let (at, names) = (entry.at, &self.record.names);
        let late = self.record.is_late(message);
        let grant = self.sender_grant(message);
        let relevant = (late || message.lost) && grant.is_some_and(|grant| self.focus.is_relevant(grant));
        if !(self.full || relevant) || !self.is_shown(at) {
            return;
        }
        self.note_between_lines(false);
        let remark = match (message.lost, late) {
            (true, _) => "   (lost)".to_owned(),
            (_, true) => format!("   (late: sent {} ago)", seconds(message.duration_ns())),
            _ => String::new(),
        };
        let text = format!("{} → {} {}{remark}", names.node(message.from), names.node(message.to), message.text);
        let marked = (late || message.lost) && grant.is_some_and(|grant| self.focus.is_involved(grant));
        let line = Line { grant, marked, ..self.line(at, Some(message.to), entry.offset, text) };
        self.items.push(Item::Line(line));
    }

    /// Returns the grant under which the client of a message was working when the message was sent.
    fn sender_grant(&self, message: &Message) -> Option<GrantId> {
        let client = [message.from, message.to].into_iter().find(|node| self.record.is_client(*node))?;
        let attempts = self.attempts.get(&client)?;
        let begun = attempts.partition_point(|(invoked, _)| *invoked <= message.sent);
        attempts[..begun].last().map(|(_, grant)| *grant)
    }

    fn technical(&mut self, entry: &Entry) {
        let names = &self.record.names;
        let text = match &entry.kind {
            EntryKind::Connected { client, .. } => format!("connection from {}", names.node(*client)),
            EntryKind::Refused { peer, .. } => format!("connection refused by {}", names.node(*peer)),
            EntryKind::Reset { peer, .. } => format!("connection to {} reset", names.node(*peer)),
            EntryKind::Timer { .. } => "timer expired".to_owned(),
            EntryKind::Continued { .. } => "continued after a pause".to_owned(),
            EntryKind::Step { step, .. } => format!("step: {step}"),
            _ => return,
        };
        let line = self.line(entry.at, entry.node(names.store), entry.offset, text);
        self.items.push(Item::Line(line));
    }

    fn event(&mut self, entry: &Entry, event: &Event) {
        let at = entry.at;
        let grant = event.grant().or_else(|| match event {
            Event::OrderResolved { order, .. } => self.record.names.order(*order).grant,
            _ => None,
        });
        match (event, grant) {
            // This grant follows one that ended before its holder released it.
            (Event::Acquired { .. }, Some(grant)) if std::mem::take(&mut self.follower_expected) => {
                self.focus.follow(grant);
            }
            (Event::ReleaseInvoked { .. } | Event::LossObserved { .. }, Some(grant)) => {
                self.given_up.insert(grant);
            }
            _ => {}
        }
        if self.is_shown(at) && (self.full || self.is_relevant(at, event, grant)) {
            self.event_line(entry, event, grant);
        } else {
            self.elided.count(at, event);
        }
        if let Event::Ended { grant, cause, .. } = event {
            self.follower_expected |= self.focus.is_involved(*grant) && *cause != Cause::Released(*grant);
        }
        match *event {
            Event::WriteAccepted { grant, count, .. } => self.counts[self.record.names.row(grant)] = count,
            Event::RolledBack { count, .. } => self.counts[0] = count,
            Event::OtherRowRolledBack { resource, count, .. } => self.counts[usize::from(resource.0)] = count,
            _ => {}
        }
    }

    /// Returns whether a normal log shows an event.
    fn is_relevant(&self, at: SimTime, event: &Event, grant: Option<GrantId>) -> bool {
        if let Event::RolledBack { .. } = event {
            return true;
        }
        if matches!(event, Event::OrderResolved { .. }) && self.focus.is_violation_without_grant(at) {
            return true;
        }
        if !grant.is_some_and(|grant| self.focus.is_relevant(grant)) {
            return false;
        }
        match event {
            Event::ValidityEnded { grant, .. } => !self.given_up.contains(grant),
            // A read is shown when the store accepts it, since evidence refers to that time.
            Event::AcquireInvoked { .. } | Event::ReadOk { .. } => false,
            Event::WriteReturned { ack, .. } | Event::ReleaseReturned { ack, .. } => *ack != Ack::Ok,
            _ => true,
        }
    }

    fn event_line(&mut self, entry: &Entry, event: &Event, grant: Option<GrantId>) {
        let Some(text) = events::text(self.record, entry.at, event, self.counts) else { return };
        let node = event.node(self.record.names.store);
        if !self.full && node.is_some_and(|node| self.join_last_line(entry.at, node, event)) {
            return;
        }
        self.note_between_lines(matches!(event, Event::Acquired { .. } | Event::Granted { .. } | Event::Ended { .. }));
        let marked = grant.is_some_and(|grant| self.focus.is_involved(grant));
        let joined = matches!(event, Event::Granted { .. } | Event::Ended { .. }).then(|| (event.clone(), Vec::new()));
        let line = Line { grant, joined, marked, ..self.line(entry.at, node, entry.offset, text) };
        self.items.push(Item::Line(line));
    }

    /// Adds a server to the last line if that line has an equal event of another server at about the same time.
    fn join_last_line(&mut self, at: SimTime, node: NodeId, event: &Event) -> bool {
        let Some(Item::Line(Line { at: first_at, joined: Some((first, nodes)), .. })) = self.items.last_mut() else {
            return false;
        };
        let equal = match (&*first, event) {
            (Event::Granted { grant: a, .. }, Event::Granted { grant: b, .. }) => a == b,
            (Event::Ended { grant: a, cause: x, .. }, Event::Ended { grant: b, cause: y, .. }) => a == b && x == y,
            _ => false,
        };
        let joins = equal && at.0 - first_at.0 <= JOIN_NS;
        if joins {
            nodes.push(node);
        }
        joins
    }
}

impl Item {
    fn at(&self) -> SimTime {
        match self {
            Item::Heading { at, .. } | Item::Note { at, .. } => *at,
            Item::Line(line) => line.at,
        }
    }
}
