//! A chain while it is put together: every candidate for a link, with how much it matters.

use fencepost_models::history::{Cause as End, Event, GrantId};
use fencepost_scenarios::check::Evidence;
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
        let name = node.map(|node| visible(self.run.name_of(node)));
        let text = visible(&text);
        let cause = Cause { at, until: None, node: name, kind, text, violates: Vec::new(), place: node };
        if !self.links.iter().any(|(_, link)| link.at == at && link.text == cause.text) {
            self.links.push((weight, cause));
        }
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
                self.add(weight, at, story.client, CauseKind::Acquired, text);
            }
            (None, Some((at, server))) => {
                let text =
                    format!("{} gave the lock to {who}, which never learnt of it{aside}", self.run.name_of(*server));
                self.add(weight, *at, Some(*server), CauseKind::Granted, text);
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
        self.add(weight, end.at, Some(end.server), CauseKind::Ended, text);
    }

    /// The client let go of the lock, as far as it was concerned.
    pub fn released(&mut self, weight: u8, grant: GrantId, before: SimTime) {
        let Some(story) = self.story(grant) else { return };
        if let Some(at) = story.released.filter(|at| *at <= before) {
            let text = format!("{} released the lock", self.who(grant));
            self.add(weight, at, story.client, CauseKind::Released, text);
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
        self.add(weight, span.from, node, CauseKind::Fault, text);
        if let Some((_, link)) = self.links.last_mut() {
            link.until = span.to;
        }
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
        self.links.sort_by_key(|link| (link.1.at, rank(&link.1)));
        self.links.into_iter().map(|(_, cause)| cause).collect()
    }

    /// The violation is where it happened, or a link of its own.
    fn name_violation(&mut self, evidence: &Evidence, sentence: &str) {
        let here = self.links.iter_mut().filter(|(_, link)| link.at == evidence.at && link.kind != CauseKind::Fault);
        if let Some((weight, link)) = here.max_by_key(|(weight, _)| *weight) {
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

/// The order of what happened at the same moment.
fn rank(cause: &Cause) -> u8 {
    match cause.kind {
        CauseKind::Fault => 2,
        CauseKind::Ended | CauseKind::Healed => 0,
        CauseKind::Due => 3,
        _ => 1,
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
