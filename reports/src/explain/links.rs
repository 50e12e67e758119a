//! A chain while it is put together: every candidate for a link, with how much it matters.

use fencepost_models::history::{Cause as End, Event, GrantId};
use fencepost_scenarios::check::Evidence;
use fencepost_scenarios::property::Property;
use fencepost_sim::{NodeId, SimTime};

use super::{Cause, CauseKind, moment};
use crate::case_run::{CaseRun, GrantStory, Message, Span};
use crate::narrative::clocks::seconds;
use crate::text::visible;

/// More than this nobody reads.
const MOST: usize = 9;

/// Differences of clocks below this are not worth a word.
const SLIGHT_NS: i64 = 500_000;

pub(super) struct Links<'a> {
    pub run: &'a CaseRun,
    /// When the property was violated.
    pub at: SimTime,
    links: Vec<(u8, Cause)>,
}

impl<'a> Links<'a> {
    pub fn new(run: &'a CaseRun, at: SimTime) -> Self {
        Links { run, at, links: Vec::new() }
    }

    /// Adds a link that matters so much, from 1 to 10.
    pub fn add(&mut self, weight: u8, at: SimTime, node: Option<NodeId>, kind: CauseKind, text: String) {
        let cause = self.cause(at, node, kind, text);
        self.push(weight, self.placed(cause));
    }

    /// The same for what happened to a grant.
    pub fn add_of(
        &mut self,
        grant: GrantId,
        weight: u8,
        at: SimTime,
        node: Option<NodeId>,
        kind: CauseKind,
        text: String,
    ) {
        let cause = Cause { grant: Some(grant), ..self.cause(at, node, kind, text) };
        self.push(weight, self.placed(cause));
    }

    /// Adds a link that knows its place in the history.
    pub fn push(&mut self, weight: u8, cause: Cause) {
        if !self.links.iter().any(|(_, link)| link.at == cause.at && link.text == cause.text) {
            self.links.push((weight, cause));
        }
    }

    fn cause(&self, at: SimTime, node: Option<NodeId>, kind: CauseKind, text: String) -> Cause {
        // What is no event of the history was there before the events of its moment, or is found out after them.
        let seq = if matches!(kind, CauseKind::Led | CauseKind::Healed) { 0 } else { usize::MAX };
        let (name, text) = (node.map(|node| visible(self.run.name_of(node))), visible(&text));
        Cause { at, until: None, node: name, kind, text, violates: Vec::new(), place: node, grant: None, seq }
    }

    fn placed(&self, cause: Cause) -> Cause {
        Cause { seq: self.seq(&cause).unwrap_or(cause.seq), ..cause }
    }

    /// The place in the history of the event that a cause tells.
    fn seq(&self, cause: &Cause) -> Option<usize> {
        let first = self.run.notes.partition_point(|note| note.at < cause.at);
        let here = self.run.notes_between(cause.at, cause.at).iter();
        let told = |event: &Event| {
            tells(cause.kind, event)
                && event.node(self.run.cast.store) == cause.place
                && cause.grant.is_none_or(|grant| event.grant() == Some(grant))
        };
        // A message that came twice makes two such events at once.
        let taken = |seq: usize| self.links.iter().any(|(_, link)| link.seq == seq && link.kind == cause.kind);
        let mut events = here.enumerate().map(|(place, note)| (first + place, &note.event));
        events.find(|(seq, event)| told(event) && !taken(*seq)).map(|(seq, _)| seq)
    }

    pub fn story(&self, grant: GrantId) -> Option<&'a GrantStory> {
        self.run.grant(grant)
    }

    /// `client-2`, or `somebody`.
    pub fn who(&self, grant: GrantId) -> &'a str {
        self.run.holder(grant)
    }

    pub fn has(&self, kind: CauseKind) -> bool {
        self.links.iter().any(|(_, link)| link.kind == kind)
    }

    /// A client got the lock; `aside` says what else was true at that moment.
    pub fn acquired(&mut self, weight: u8, grant: GrantId, aside: &str) {
        let Some(story) = self.story(grant) else { return };
        let who = self.who(grant);
        let token = story.token.map_or(String::new(), |token| format!(" with token {token}"));
        match (story.acquired, story.given.last()) {
            (Some(at), _) => {
                let text = format!("{who} acquired the lock{token}{}{aside}", self.from(story));
                self.add_of(grant, weight, at, story.client, CauseKind::Acquired, text);
            }
            (None, Some((at, server))) => {
                let text =
                    format!("{} gave the lock to {who}, which never learnt of it{aside}", self.run.name_of(*server));
                self.add_of(grant, weight, *at, Some(*server), CauseKind::Granted, text);
            }
            (None, None) => {}
        }
    }

    /// From which servers, where there are several.
    fn from(&self, story: &GrantStory) -> String {
        let givers = story.givers();
        if let Some(other) =
            self.informant(story).filter(|server| givers.is_empty() && self.run.servers.contains(server))
        {
            return format!(" on the word of {}", self.run.name_of(other));
        }
        if self.run.servers.len() < 2 || givers.is_empty() {
            return String::new();
        }
        match givers.len() == self.run.servers.len() {
            true => format!(" from all {} servers", givers.len()),
            false => format!(" from {}", self.run.cast.list(givers)),
        }
    }

    /// Whose message told the client that it had the lock.
    fn informant(&self, story: &GrantStory) -> Option<NodeId> {
        let here = |message: &&Message| Some(message.at) == story.acquired && Some(message.to) == story.client;
        self.run.messages.iter().find(here).map(|message| message.from)
    }

    /// The service had the grant on record no longer.
    pub fn record_ended(&mut self, weight: u8, grant: GrantId, before: SimTime) {
        let Some(story) = self.story(grant) else { return };
        let Some(end) = story.record_end(self.run.servers.len()).filter(|end| end.at <= before) else { return };
        let (who, server) = (self.who(grant), self.run.name_of(end.server));
        let text = match end.cause {
            End::Expired => {
                let many = if story.givers().len() > 1 { ", and no majority was left" } else { "" };
                format!("{who}'s lease ended on {server}'s clock{}{many}", ahead(end.mono_ahead, end.wall_ahead))
            }
            End::Revoked => format!("{server} took the lock back from {who}, whose session was over"),
            End::Released(by) if by == grant => format!("{server} freed the lock, which {who} had released"),
            End::Released(by) => {
                format!(
                    "{server} ended {who}'s grant on a release of {}, which was meant for another grant",
                    self.who(by)
                )
            }
        };
        self.add_of(grant, weight, end.at, Some(end.server), CauseKind::Ended, text);
    }

    /// The client let go of the lock, as far as it was concerned.
    pub fn released(&mut self, weight: u8, grant: GrantId, before: SimTime) {
        let Some(story) = self.story(grant) else { return };
        if let Some(at) = story.released.filter(|at| *at <= before) {
            let text = format!("{} released the lock", self.who(grant));
            self.add_of(grant, weight, at, story.client, CauseKind::Released, text);
        }
    }

    /// A server began to lead, in this stretch of time.
    pub fn leaders(&mut self, weight: u8, from: SimTime, to: SimTime) {
        for turn in &self.run.turns {
            if let crate::case_run::Turn::Led { at, node } = *turn
                && (from..=to).contains(&at)
            {
                let text = format!("{} began to lead the others", self.run.name_of(node));
                self.add(weight, at, Some(node), CauseKind::Led, text);
            }
        }
    }

    /// A fault, from its beginning to its end.
    pub fn fault(&mut self, weight: u8, span: &Span) {
        let text = super::faults::words(self.run, span);
        let node = if span.fault.links.is_empty() { span.fault.nodes.first().copied() } else { None };
        let cause = self.cause(span.from, node, CauseKind::Fault, text);
        self.push(weight, Cause { until: span.to, seq: span.seq, ..cause });
    }

    /// How many attempts of others came to nothing in this stretch of time.
    pub fn vain_attempts(&self, from: SimTime, to: SimTime) -> usize {
        let notes = self.run.notes_between(from, to).iter();
        notes.filter(|note| matches!(note.event, Event::NotAcquired { .. })).count()
    }

    /// The chain, without what matters least where it is too long.
    pub fn finish(mut self, evidence: &Evidence, sentence: &str) -> Vec<Cause> {
        self.name_violation(evidence, sentence);
        // What matters least goes first, and of that the earliest.
        self.links.sort_by_key(|link| std::cmp::Reverse((link.0, link.1.at)));
        self.links.truncate(MOST);
        // A fault counts the events before it.
        self.links.sort_by_key(|(_, link)| (link.at, link.seq, link.kind != CauseKind::Fault));
        self.links.into_iter().map(|(_, cause)| cause).collect()
    }

    /// The violation is where it happened, or a link of its own.
    fn name_violation(&mut self, evidence: &Evidence, sentence: &str) {
        let here = self.links.iter_mut().filter(|(_, link)| link.at == evidence.at && link.kind != CauseKind::Fault);
        let culprit = overwriter(evidence);
        let guilty = |link: &Cause| culprit.is_some() && link.grant == culprit && link.kind == CauseKind::Wrote;
        if let Some((weight, link)) = here.max_by_key(|(weight, link)| (guilty(link), *weight)) {
            *weight = 11;
            link.violates.push(evidence.property);
            return;
        }
        self.add(11, evidence.at, None, CauseKind::Due, sentence.to_owned());
        if let Some((_, link)) = self.links.last_mut() {
            link.violates.push(evidence.property);
        }
    }
}

/// The grant that overwrote another's update: what it overwrote may have been written at the same nanosecond.
fn overwriter(evidence: &Evidence) -> Option<GrantId> {
    match (evidence.property, evidence.grants().as_slice()) {
        (Property::NoLostUpdate, [_, by]) => Some(*by),
        _ => None,
    }
}

/// Whether a link of this kind tells an event.
fn tells(kind: CauseKind, event: &Event) -> bool {
    match kind {
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

/// How far a clock was off, if it was.
fn ahead(mono: i64, wall: i64) -> String {
    let off = |ns: i64| ns.abs() >= SLIGHT_NS;
    let words = |ns: i64| format!("{} {}", seconds(ns.unsigned_abs()), if ns < 0 { "behind" } else { "ahead" });
    match (off(mono), off(wall)) {
        (false, false) => String::new(),
        _ if mono == wall => format!(", which was {}", words(wall)),
        (false, true) => format!(" (its wall clock was {})", words(wall)),
        (true, false) => format!(" (its monotonic clock was {})", words(mono)),
        (true, true) => format!(" (its monotonic clock was {}, its wall clock {})", words(mono), words(wall)),
    }
}

/// What a message took, where that is worth a word.
pub(super) fn delay(run: &CaseRun, sent: SimTime, at: SimTime) -> Option<String> {
    (at.0.saturating_sub(sent.0) > run.late_ns).then(|| format!("sent at {}", moment(sent)))
}
