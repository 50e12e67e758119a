//! A lock that did not come, or came to the wrong one: takeover, progress, fifo.

use std::collections::BTreeMap;

use fencepost_models::history::{Event, GrantId};
use fencepost_scenarios::check::Evidence;
use fencepost_sim::{NodeId, SimTime};

use super::CauseKind;
use super::faults::Scene;
use super::links::Links;
use crate::case_run::GrantStory;

pub(super) fn takeover(links: &mut Links<'_>, evidence: &Evidence) -> Vec<GrantId> {
    let grants = evidence.grants();
    let Some(holder) = grants.first().copied() else { return grants };
    let Some(story) = links.story(holder) else { return grants };
    let from = story.asked.or(story.began()).unwrap_or_default();
    let crashed = story.given_up.unwrap_or(links.at);
    links.acquired(10, holder, "");
    links.faults(&Scene { old: Some(story), new: None, from, to: links.at });
    links.waiters(crashed, Some(holder));
    links.on_record(links.at);
    links.record_ended(8, holder, links.at);
    links.leaders(5, from, links.at);
    links.due();
    links.came_too_late();
    grants
}

pub(super) fn progress(links: &mut Links<'_>) -> Vec<GrantId> {
    let healed = links.run.healed().unwrap_or(links.at);
    let last = links.run.grants.values().filter(|story| story.began().is_some_and(|at| at <= healed));
    let last = last.max_by_key(|story| story.began());
    let from = last.and_then(|story| story.asked.or(story.began())).unwrap_or_default();
    let grants: Vec<GrantId> = last.map(|story| GrantId(story.id)).into_iter().collect();
    if let Some(grant) = grants.first() {
        links.acquired(8, *grant, "");
        links.record_ended(6, *grant, links.at);
    }
    links.faults(&Scene { old: last, new: None, from, to: healed });
    links.add(9, healed, None, CauseKind::Healed, "all faults were healed".to_owned());
    links.waiters(healed, None);
    links.on_record(links.at);
    links.leaders(5, from, links.at);
    links.due();
    links.came_too_late();
    grants
}

pub(super) fn fifo(links: &mut Links<'_>, evidence: &Evidence) -> Vec<GrantId> {
    let grants = evidence.grants();
    let (Some(waiter), Some(granted)) = (grants.first().copied(), grants.get(1).copied()) else { return grants };
    let from = links.enqueued(waiter).map_or(SimTime(0), |(at, _)| at);
    let [first, second] = [waiter, granted].map(|grant| links.story(grant));
    for (weight, grant) in [(10, waiter), (9, granted)] {
        if let Some((at, server)) = links.enqueued(grant) {
            let text = format!("{} let {} wait in line", links.run.name_of(server), links.who(grant));
            links.add_of(grant, weight, at, Some(server), CauseKind::Waited, text);
        }
    }
    if links.enqueued(granted).is_none()
        && let Some(asked) = second.and_then(|story| story.asked)
    {
        let text = format!("{} asked for the lock, and was not put in line", links.who(granted));
        links.add_of(granted, 8, asked, second.and_then(|story| story.client), CauseKind::Waited, text);
    }
    links.faults(&Scene { old: first, new: second, from, to: links.at });
    links.last_end(from);
    links.leaders(6, from, links.at);
    if let Some((at, server)) = second.and_then(|story| story.given.iter().rev().find(|(at, _)| *at <= links.at)) {
        let (name, winner, loser) = (links.run.name_of(*server), links.who(granted), links.who(waiter));
        let text = format!("{name} gave the lock to {winner}, although {loser} had been in line before");
        links.add_of(granted, 10, *at, Some(*server), CauseKind::Granted, text);
    }
    if let Some(at) = first.and_then(|story| story.acquired) {
        let text = format!("{} acquired the lock only then", links.who(waiter));
        links.add_of(waiter, 4, at, first.and_then(|story| story.client), CauseKind::Acquired, text);
    }
    grants
}

impl Links<'_> {
    /// Who wanted the lock, since when and how often in vain.
    fn waiters(&mut self, since: SimTime, except: Option<GrantId>) {
        let holder = except.and_then(|grant| self.story(grant)).and_then(|story| story.client);
        let mut asked: BTreeMap<NodeId, (SimTime, u32)> = BTreeMap::new();
        for note in self.run.notes_between(since, self.at) {
            if let Event::AcquireInvoked { client, .. } = note.event
                && Some(client) != holder
            {
                asked.entry(client).or_insert((note.at, 0)).1 += 1;
            }
        }
        for story in self.run.grants.values().filter(|story| story.asked.is_some_and(|at| at < since)) {
            let waiting = story.acquired.is_none() && self.answered(story).is_none_or(|at| at > since);
            if let (true, Some(client), Some(at)) = (waiting && story.client != holder, story.client, story.asked) {
                let entry = asked.entry(client).or_insert((at, 0));
                *entry = (at.min(entry.0), entry.1 + 1);
            }
        }
        for (client, (at, times)) in asked.into_iter().take(2) {
            let who = self.run.name_of(client);
            let tries = if times > 1 { format!(" ({times} attempts)") } else { String::new() };
            let text = format!("{who} wanted the lock{tries}");
            self.add(7, at, Some(client), CauseKind::Waited, text);
        }
    }

    /// When an attempt came to nothing.
    fn answered(&self, story: &GrantStory) -> Option<SimTime> {
        let from = story.asked?;
        let notes = self.run.notes_between(from, self.run.report.ended).iter();
        let mut over =
            notes.filter(|note| matches!(note.event, Event::NotAcquired { grant, .. } if grant.0 == story.id));
        let failed = over.next().map(|note| note.at);
        let crashed = story.client.and_then(|client| self.run.crashed(client, from));
        failed.into_iter().chain(crashed).min()
    }

    /// What the service still had on record.
    fn on_record(&mut self, at: SimTime) {
        let stuck = self.run.grants.values().rev().find(|story| {
            story.began().is_some_and(|from| from <= at)
                && story.record_end(self.run.servers.len()).is_none_or(|end| end.at > at)
                && !story.given.is_empty()
        });
        if let Some(story) = stuck {
            let since = story.given.first().map_or(at, |(at, _)| *at);
            let server = story.given.first().map(|(_, server)| *server);
            let (name, who) = (server.map_or("?", |server| self.run.name_of(server)), self.who(GrantId(story.id)));
            let text = format!("{name} gave the lock to {who}, and still had that on record when the time was up");
            self.add_of(GrantId(story.id), 8, since, server, CauseKind::Kept, text);
        }
    }

    fn due(&mut self) {
        let text = "the time in which the lock promises to be had was up, and nobody had it".to_owned();
        self.add(10, self.at, None, CauseKind::Due, text);
    }

    fn came_too_late(&mut self) {
        let vain = self.vain_attempts(self.at, self.at);
        let after = self.run.notes_between(self.at, self.run.report.ended).iter();
        let next = after.filter(|note| vain == 0 && note.at > self.at).find_map(|note| match note.event {
            Event::Acquired { client, .. } => Some((note.at, client)),
            _ => None,
        });
        if let Some((at, client)) = next {
            let text = format!("{} acquired the lock, too late", self.run.name_of(client));
            self.add(3, at, Some(client), CauseKind::Acquired, text);
        }
    }

    fn enqueued(&self, waiter: GrantId) -> Option<(SimTime, NodeId)> {
        let notes = self.run.notes_between(SimTime(0), self.at).iter();
        let mut at = notes.rev().filter_map(|note| match note.event {
            Event::Enqueued { server, grant } if grant == waiter => Some((note.at, server)),
            _ => None,
        });
        at.next()
    }

    /// The end of the grant for whose lock they had been waiting.
    fn last_end(&mut self, from: SimTime) {
        let notes = self.run.notes_between(from, self.at).iter();
        let last = notes.rev().find_map(|note| match note.event {
            Event::Ended { grant, .. } => Some(grant),
            _ => None,
        });
        if let Some(grant) = last {
            self.record_ended(7, grant, self.at);
        }
    }
}
