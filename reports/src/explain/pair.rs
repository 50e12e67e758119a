//! Two grants in each other's way: one that went stale, and one that came after it.

use fencepost_models::history::{Event, GrantId};
use fencepost_scenarios::check::Evidence;
use fencepost_scenarios::property::Property;
use fencepost_sim::SimTime;

use super::CauseKind;
use super::faults::Scene;
use super::links::{Links, delay};
use crate::case_run::{GrantStory, Written};

/// Explains a violation that is about two grants. Gives them back, the one that went wrong first.
pub(super) fn two_grants(links: &mut Links<'_>, evidence: &Evidence) -> Vec<GrantId> {
    let mut grants = evidence.grants();
    if let ([newest], Property::Fencing) = (grants.as_slice(), evidence.property) {
        grants.extend(fenced_by(links, *newest));
    }
    grants.dedup();
    let servers = links.run.servers.len();
    grants.sort_by_key(|grant| links.story(*grant).and_then(|story| story.granted(servers)).unwrap_or_default());
    match *grants.as_slice() {
        [old, new] => links.pair(old, new, evidence),
        [only] => links.alone(only),
        _ => {}
    }
    grants
}

/// The grant whose token was higher than that of one that was refused.
fn fenced_by(links: &Links<'_>, newest: GrantId) -> Option<GrantId> {
    let before = |story: &&GrantStory| story.id != newest.0 && story.first_effect().is_some_and(|at| at <= links.at);
    let others = links.run.grants.values().filter(before);
    others.max_by_key(|story| (story.token, story.first_effect())).map(|story| GrantId(story.id))
}

impl Links<'_> {
    pub(super) fn pair(&mut self, old: GrantId, new: GrantId, evidence: &Evidence) {
        let (Some(first), Some(second)) = (self.story(old), self.story(new)) else { return };
        let came = second.granted(self.run.servers.len()).unwrap_or(self.at);
        let scene = Scene {
            old: Some(first),
            new: Some(second),
            from: first.asked.or(first.began()).unwrap_or_default(),
            to: self.at,
        };
        // It may have learnt of its grant after the other.
        let late = first.acquired.zip(second.acquired).is_some_and(|(first, second)| first > second);
        let aside = if late { self.still_held(second, first, Property::BeliefExclusion) } else { String::new() };
        self.acquired(10, old, &aside);
        self.basis(old);
        self.faults(&scene);
        self.validity_ended(old);
        self.record_ended(9, old, came);
        self.leaders(6, first.began().unwrap_or_default(), came);
        if first.released.is_some_and(|at| at <= came) {
            self.released(9, old, came);
        }
        self.came(first, second, evidence);
        self.effects(new, 8);
        self.late_acts(old, came, evidence);
        self.rolled_back();
        self.refusal();
    }

    /// The second grant came, although the first was still there.
    fn came(&mut self, first: &GrantStory, second: &GrantStory, evidence: &Evidence) {
        let new = GrantId(second.id);
        let here = second.given.iter().find(|(at, _)| *at == self.at);
        if let (Property::GrantExclusion, Some((at, server))) = (evidence.property, here) {
            let (name, who) = (self.run.name_of(*server), self.who(new));
            let aside = self.still_held(first, second, evidence.property);
            let text = format!("{name} gave the lock to {who}{aside}");
            self.add_of(new, 10, *at, Some(*server), CauseKind::Granted, text);
        }
        let belief = if evidence.property == Property::ValidityExclusion {
            evidence.property
        } else {
            Property::BeliefExclusion
        };
        let aside = self.still_held(first, second, belief);
        self.acquired(if self.has(CauseKind::Granted) { 7 } else { 10 }, new, &aside);
    }

    /// One grant on its own, with the faults around it.
    pub(super) fn alone(&mut self, grant: GrantId) {
        let Some(story) = self.story(grant) else { return };
        let from = story.asked.or(story.began()).unwrap_or_default();
        self.acquired(10, grant, "");
        self.faults(&Scene { old: Some(story), new: None, from, to: self.at });
        self.effects(grant, 8);
        self.record_ended(7, grant, self.at);
        self.rolled_back();
        self.refusal();
    }

    /// What was true of the first grant when the second came.
    fn still_held(&self, first: &GrantStory, second: &GrantStory, property: Property) -> String {
        let who = first.client.map_or("somebody", |client| self.run.name_of(client));
        let at = second.acquired.or(second.began()).unwrap_or(self.at);
        let came = second.granted(self.run.servers.len()).unwrap_or(at);
        let on_record = first.record_end(self.run.servers.len()).is_none_or(|end| end.at > came);
        let stopped = first.client.is_some_and(|client| {
            self.run.spans.iter().any(|span| span.pauses(client) && span.from <= at && span.to.is_none_or(|to| to > at))
        });
        let paused = if stopped { ", standing still," } else { "" };
        match (first.believed_at(at), property) {
            (_, Property::GrantExclusion) if on_record && !first.given.is_empty() => {
                format!(", although {who}'s grant had neither ended nor run out")
            }
            (true, Property::ValidityExclusion) => format!(", while {who}{paused} took its own grant for valid"),
            (true, _) if first.client != second.client => format!("; {who}{paused} believed that it held it, too"),
            _ => String::new(),
        }
    }

    /// What the old grant's write was computed from.
    fn basis(&mut self, grant: GrantId) {
        let Some(story) = self.story(grant) else { return };
        let read = story.reads.iter().rev().find(|(at, _)| *at <= self.at);
        if let Some((at, version)) = read {
            let text = format!("{} read the data (version {version})", self.who(grant));
            self.add_of(grant, 5, *at, Some(self.run.cast.store), CauseKind::Read, text);
        }
    }

    fn validity_ended(&mut self, grant: GrantId) {
        let Some(story) = self.story(grant) else { return };
        if let Some(at) = story.invalid.filter(|at| *at <= self.at && story.believed_at(*at)) {
            let text = format!("{}'s grant was no longer valid by the lock's own reckoning", self.who(grant));
            self.add_of(grant, 4, at, story.client, CauseKind::Other, text);
        }
    }

    /// What a grant did at the store up to the violation.
    pub(super) fn effects(&mut self, grant: GrantId, weight: u8) {
        let Some(story) = self.story(grant) else { return };
        if let Some((at, version)) = story.reads.first().filter(|(at, _)| *at <= self.at) {
            let text = format!("{} read the data (version {version})", self.who(grant));
            self.add_of(grant, weight - 2, *at, Some(self.run.cast.store), CauseKind::Read, text);
        }
        let until = self.at;
        for write in story.written.iter().filter(|write| write.at <= until).take(2) {
            self.write(weight, grant, write);
        }
    }

    fn write(&mut self, weight: u8, grant: GrantId, write: &Written) {
        let who = self.who(grant);
        let story = self.story(grant);
        let sent = story
            .and_then(|story| story.sent.iter().rev().find(|(at, order)| *order == write.order && *at <= write.at));
        let late = sent.and_then(|(sent, _)| delay(self.run, *sent, write.at));
        let late = late.map_or(String::new(), |late| format!(", {late},"));
        let lost = self.lost_to(write);
        let text = format!(
            "the store accepted {who}'s write{late} and made version {} from version {}{lost}",
            write.version, write.based_on
        );
        self.add_of(grant, weight, write.at, Some(self.run.cast.store), CauseKind::Wrote, text);
        if let (false, Some((sent, _))) = (late.is_empty(), sent) {
            let text = format!("{who} sent its write, which was long on its way");
            self.add_of(grant, weight - 1, *sent, story.and_then(|story| story.client), CauseKind::Sent, text);
        }
    }

    /// What a write wiped out.
    fn lost_to(&self, write: &Written) -> String {
        let lost = write.based_on + 1..write.version;
        let other = |story: &&GrantStory| story.written.iter().any(|other| lost.contains(&other.version));
        let mut owners: Vec<&str> =
            self.run.grants.values().filter(other).map(|story| self.who(GrantId(story.id))).collect();
        owners.dedup();
        let whose = if owners.len() == 1 { format!("{}'s ", owners[0]) } else { String::new() };
        match lost.end.saturating_sub(lost.start) {
            0 => String::new(),
            1 => format!(": {whose}version {} is lost", lost.start),
            _ => format!(": {whose}versions {} to {} are lost", lost.start, lost.end - 1),
        }
    }

    /// What the first grant did after the second had come.
    fn late_acts(&mut self, old: GrantId, came: SimTime, evidence: &Evidence) {
        let Some(story) = self.story(old) else { return };
        let until = self.at;
        for write in story.written.iter().filter(|write| write.at <= until) {
            let weight = if write.at == self.at || write.at > came { 10 } else { 6 };
            self.write(weight, old, write);
        }
        if evidence.property == Property::OwnerRelease {
            self.released(9, old, self.at);
            self.foreign_release();
        }
    }

    /// The release that ended another's grant.
    fn foreign_release(&mut self) {
        for note in self.run.notes_between(self.at, self.at) {
            if let Event::Ended { server, grant, cause: fencepost_models::history::Cause::Released(by) } = note.event
                && by != grant
            {
                let name = self.run.name_of(server);
                let text = format!("{}'s release ended the grant of {} at {name}", self.who(by), self.who(grant));
                self.add_of(grant, 10, note.at, Some(server), CauseKind::Ended, text);
            }
        }
    }

    /// The store forgot what it had accepted.
    fn rolled_back(&mut self) {
        for note in self.run.notes_between(SimTime(0), self.at) {
            if let Event::RolledBack { version, .. } = note.event {
                let text = format!("the store had lost its newest writes: it was back at version {version}");
                let weight = if note.at == self.at { 10 } else { 5 };
                self.add(weight, note.at, Some(self.run.cast.store), CauseKind::RolledBack, text);
            }
        }
    }

    fn refusal(&mut self) {
        for note in self.run.notes_between(self.at, self.at) {
            if let Event::OperationRefused { grant, .. } = note.event {
                let text = format!("the guard of the store refused {}", self.who(grant));
                self.add_of(grant, 10, note.at, Some(self.run.cast.store), CauseKind::Refused, text);
            }
        }
    }
}
