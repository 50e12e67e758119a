//! Turns what happens in a case into a list of what to say.

use std::collections::BTreeSet;

use fencepost_models::history::{Ack, Cause, Event, GrantId};
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::run::recorder::{TraceEvent, Watcher};
use fencepost_sim::units::LONGEST;
use fencepost_sim::{Clocks, NodeId, SimTime};

use super::cast::Cast;
use super::clocks::{ahead, mark, seconds};
use super::events;
use super::faults::{Faults, News};
use super::focus::Focus;
use super::fold::Fold;

/// One piece of a log.
pub(super) enum Item {
    /// A new part begins.
    Chapter { at: SimTime, words: String },
    /// Something happened.
    Line(Line),
    /// Something was counted, or left out.
    Note { at: SimTime, words: String },
}

/// Something that happened.
pub(super) struct Line {
    pub at: SimTime,
    pub node: String,
    pub clocks: String,
    pub words: String,
    /// It is about a grant that the evidence names.
    pub marked: bool,
    pub(super) grant: Option<GrantId>,
    /// More of the same from other nodes is told on the same line: which event it was, and where else it happened.
    pub(super) same: Option<(Event, Vec<NodeId>)>,
}

/// Watches a case and keeps what to say of it.
pub(super) struct Teller {
    pub(super) cast: Cast,
    pub(super) focus: Focus,
    pub(super) full: bool,
    pub(super) faults: Faults,
    pub(super) fold: Fold,
    pub(super) items: Vec<Item>,
    /// From when on nothing is told, if that is so now.
    pub(super) silent_since: Option<SimTime>,
    /// The next grant is what came of one that the evidence names.
    successor_awaited: bool,
    /// Grants whose holders believe in them no longer.
    given_up: BTreeSet<GrantId>,
    /// What a fault that ended did to the clocks shows only afterwards.
    pub(super) news: Vec<News>,
    /// A message that took longer than this is late.
    pub(super) late_ns: u64,
}

/// What a message may take beyond the longest latency before it is called late.
const SLACK_NS: u64 = 150_000_000;

/// Where latency has no bound, this is late.
const LATE_NS: u64 = 1_000_000_000;

impl Teller {
    pub fn new(cell: &Cell, focus: Focus, full: bool) -> Teller {
        let longest = cell.scenario.network.latency.longest();
        let late_ns = if longest >= LONGEST { LATE_NS } else { longest.as_nanos() as u64 + SLACK_NS };
        let words = format!("run, at most {}", seconds(cell.scenario.run_for.as_nanos() as u64));
        let silent_since = (!focus.tells(SimTime(0))).then_some(SimTime(0));
        Teller {
            cast: Cast::new(cell),
            focus,
            full,
            faults: Faults::default(),
            fold: Fold::default(),
            items: vec![Item::Chapter { at: SimTime(0), words }],
            silent_since,
            successor_awaited: false,
            given_up: BTreeSet::new(),
            news: Vec::new(),
            late_ns,
        }
    }

    /// Ends the log, and gives it away.
    pub fn finish(&mut self, ended: SimTime) -> Vec<Item> {
        self.fall_silent(ended);
        if let Some(since) = self.silent_since.take() {
            self.leave_out(since, ended);
        }
        self.name_others();
        self.name_violations();
        std::mem::take(&mut self.items)
    }

    fn name_others(&mut self) {
        for item in &mut self.items {
            if let Item::Line(Line { words, same: Some((_, others)), .. }) = item
                && !others.is_empty()
            {
                let verb = if others.len() == 1 { "does" } else { "do" };
                *words += &format!("; so {verb} {}", self.cast.list(others.iter().copied()));
            }
        }
    }

    /// Every violation shows in the log, at its moment.
    fn name_violations(&mut self) {
        for violation in &self.focus.violations {
            let concerned = |line: &Line| {
                let named = line.grant.is_some_and(|grant| violation.grants.contains(&grant));
                line.at == violation.at && (named || violation.grants.is_empty())
            };
            let line = self.items.iter_mut().rev().find_map(|item| match item {
                Item::Line(line) if concerned(line) => Some(line),
                _ => None,
            });
            let name = violation.property.name();
            match line {
                Some(line) => {
                    line.marked = true;
                    line.words += &format!("   ◀ here {name} is violated");
                }
                None => {
                    let place = self.items.iter().position(|item| item.at() > violation.at);
                    let words = format!("◀ here {name} is violated");
                    let line = Line::new(violation.at, String::new(), String::new(), words);
                    let place = place.unwrap_or(self.items.len());
                    self.items.insert(place, Item::Line(Line { marked: true, ..line }));
                }
            }
        }
    }
}

impl Item {
    fn at(&self) -> SimTime {
        match self {
            Item::Chapter { at, .. } | Item::Note { at, .. } => *at,
            Item::Line(line) => line.at,
        }
    }
}

impl Line {
    pub fn new(at: SimTime, node: String, clocks: String, words: String) -> Line {
        Line { at, node, clocks, words, marked: false, grant: None, same: None }
    }
}

impl Watcher for Teller {
    fn record(&mut self, event: &TraceEvent<'_>) {
        let (at, clocks) = (event.at, event.clocks);
        let mut news = std::mem::take(&mut self.news);
        news.extend(self.faults.stepped(at, clocks, &self.cast));
        self.tell_news(at, clocks, news);
        match event.event() {
            Some(event) => self.see_event(at, clocks, event),
            None => self.see_occurrence(at, clocks, &event.what),
        }
    }
}

impl Teller {
    /// Whether this moment is told; says what was left out before it, or what was counted, where that changes.
    pub(super) fn listen(&mut self, at: SimTime) -> bool {
        let tells = self.focus.tells(at);
        if let (true, Some(since)) = (tells, self.silent_since) {
            self.leave_out(since, at);
            self.silent_since = None;
        } else if !tells {
            self.fall_silent(at);
        }
        tells
    }

    fn fall_silent(&mut self, at: SimTime) {
        if self.silent_since.is_none() {
            self.flush(true);
            self.fold = Fold::default();
            self.silent_since = Some(at);
        }
    }

    pub(super) fn leave_out(&mut self, since: SimTime, at: SimTime) {
        if let Some(mut words) = self.fold.left_out(since, at) {
            let still_on = self.faults.still_active(&self.cast);
            if !still_on.is_empty() {
                words += &format!("; still on: {}", still_on.join(", "));
            }
            self.items.push(Item::Note { at, words });
        }
    }

    /// Says what was counted, if it is worth an interruption: more so at a `turn` of events than amid a unit of work.
    pub(super) fn flush(&mut self, turn: bool) {
        if self.fold.is_weighty() || (turn && self.fold.is_long()) {
            self.flush_all();
        }
    }

    /// Says what was counted, whatever it is.
    pub(super) fn flush_all(&mut self) {
        if let Some((at, words)) = self.fold.meanwhile(&self.cast) {
            self.items.push(Item::Note { at, words });
        }
    }

    pub(super) fn line(&self, at: SimTime, clocks: &Clocks, node: Option<NodeId>, words: String) -> Line {
        let name = node.map_or(String::new(), |node| self.cast.name(node).to_owned());
        let clocks = node.map_or(String::new(), |node| mark(ahead(clocks, node, at)));
        Line::new(at, name, clocks, words)
    }

    fn see_event(&mut self, at: SimTime, clocks: &Clocks, event: &Event) {
        self.cast.learn(event);
        let grant = event.grant().or_else(|| match event {
            Event::OrderResolved { order, .. } => self.cast.order(*order).grant,
            _ => None,
        });
        match (event, grant) {
            (Event::Acquired { .. }, Some(grant)) => self.greet(grant),
            (Event::ReleaseInvoked { .. } | Event::LossObserved { .. }, Some(grant)) => {
                self.given_up.insert(grant);
            }
            _ => {}
        }
        if self.listen(at) && (self.full || self.is_told(at, event, grant)) {
            if let Some((node, words)) = events::told(event, &self.cast) {
                self.tell_event(at, clocks, node, words, grant, event);
            }
        } else {
            self.fold.count(at, event);
        }
        if let Event::Ended { grant, cause, .. } = event {
            self.successor_awaited |= self.focus.involves(*grant) && *cause != Cause::Released(*grant);
        }
        self.cast.learn_row(event);
    }

    /// The grant that follows on one that ended before its holder was done is part of the story.
    fn greet(&mut self, grant: GrantId) {
        if std::mem::take(&mut self.successor_awaited) {
            self.focus.promote(grant);
        }
    }

    /// Whether an event is told where not all are.
    fn is_told(&self, at: SimTime, event: &Event, grant: Option<GrantId>) -> bool {
        if let Event::RolledBack { .. } = event {
            return true;
        }
        if matches!(event, Event::OrderResolved { .. }) && self.focus.is_nameless_violation(at) {
            return true;
        }
        if !grant.is_some_and(|grant| self.focus.knows(grant)) {
            return false;
        }
        match event {
            Event::ValidityEnded { grant, .. } => !self.given_up.contains(grant),
            // A read counts from when the store let it through, which is the time that evidence names.
            Event::AcquireInvoked { .. } | Event::ReadOk { .. } => false,
            Event::WriteReturned { ack, .. } | Event::ReleaseReturned { ack, .. } => *ack != Ack::Ok,
            _ => true,
        }
    }

    fn tell_event(
        &mut self,
        at: SimTime,
        clocks: &Clocks,
        node: NodeId,
        words: String,
        grant: Option<GrantId>,
        event: &Event,
    ) {
        if !self.full && self.joins_last_line(at, node, event) {
            return;
        }
        self.flush(matches!(event, Event::Acquired { .. } | Event::Granted { .. } | Event::Ended { .. }));
        let marked = grant.is_some_and(|grant| self.focus.involves(grant));
        let same = matches!(event, Event::Granted { .. } | Event::Ended { .. }).then(|| (event.clone(), Vec::new()));
        let line = Line { grant, same, marked, ..self.line(at, clocks, Some(node), words) };
        self.items.push(Item::Line(line));
    }

    /// Servers that do the same for the same grant at about the same time share a line.
    fn joins_last_line(&mut self, at: SimTime, node: NodeId, event: &Event) -> bool {
        let Some(Item::Line(line)) = self.items.last_mut() else { return false };
        let Some((first, others)) = &mut line.same else { return false };
        let alike = match (&*first, event) {
            (Event::Granted { grant: a, .. }, Event::Granted { grant: b, .. }) => a == b,
            (Event::Ended { grant: a, cause: x, .. }, Event::Ended { grant: b, cause: y, .. }) => a == b && x == y,
            _ => false,
        };
        if alike && at.0 - line.at.0 <= SLACK_NS {
            others.push(node);
        }
        alike && at.0 - line.at.0 <= SLACK_NS
    }
}
