//! What one client did twice, and what they all did together: reentrancy, no-duplicate, no-oversell.

use std::collections::BTreeSet;

use fencepost_models::history::{Ack, Event, GrantId, OrderEnd, OrderId};
use fencepost_scenarios::check::Evidence;
use fencepost_scenarios::property::Property;
use fencepost_sim::SimTime;

use super::faults::Scene;
use super::links::Links;
use super::{Cause, CauseKind};
use crate::case_run::GrantStory;

pub(super) fn reentrancy(links: &mut Links<'_>, evidence: &Evidence) -> Vec<GrantId> {
    let grants = evidence.grants();
    let Some(outer) = grants.first().copied() else { return grants };
    let Some(story) = links.story(outer) else { return grants };
    let from = story.asked.or(story.began()).unwrap_or_default();
    links.acquired(10, outer, "");
    links.faults(&Scene { old: Some(story), new: None, from, to: links.at });
    for note in links.run.notes_between(from, links.at) {
        let (client, text) = match note.event {
            Event::NestedInvoked { client, grant, .. } if grant == outer => (client, "asked for the lock that it held"),
            Event::NestedReturned { client, grant, ack, .. } if grant == outer => (
                client,
                match ack {
                    Ack::Ok => "had the lock once more",
                    Ack::Failed => "was refused the lock that it held",
                    Ack::Unknown => "did not learn whether it had the lock once more",
                },
            ),
            Event::NestedReleaseInvoked { client, grant } if grant == outer => {
                (client, "released what it had acquired again")
            }
            Event::NestedReleaseReturned { client, grant, .. } if grant == outer => (client, "was through with that"),
            _ => continue,
        };
        let text = format!("{} {text}", links.run.name_of(client));
        links.add(8, note.at, Some(client), CauseKind::Other, text);
    }
    links.record_ended(9, outer, links.at);
    grants
}

pub(super) fn duplicate(links: &mut Links<'_>, evidence: &Evidence) -> Vec<GrantId> {
    let Some(order) = links.order_written_at(links.at) else { return evidence.grants() };
    let mut grants: BTreeSet<GrantId> = evidence.grants().into_iter().collect();
    let writers = links.run.grants.values().filter(|story| story.written.iter().any(|write| write.order == order));
    grants.extend(writers.map(|story| GrantId(story.id)));
    let grants: Vec<GrantId> = grants.into_iter().collect();
    let stories: Vec<&GrantStory> = grants.iter().filter_map(|grant| links.story(*grant)).collect();
    let from = stories.iter().filter_map(|story| story.asked).min().unwrap_or_default();
    grants.iter().for_each(|grant| links.acquired(7, *grant, ""));
    links.faults(&Scene { old: stories.first().copied(), new: None, from, to: links.at });
    for (story, grant) in stories.iter().zip(&grants) {
        links.tries(story, *grant, order);
    }
    grants
}

/// What the updates came to in the end: explained by the first of them that went wrong.
pub(super) fn sum(links: &mut Links<'_>, property: Property) -> Vec<GrantId> {
    let run = links.run;
    let explained = [Property::EffectExclusion, Property::NoLostUpdate, Property::NoDuplicate];
    let reason = explained.iter().find_map(|property| {
        run.report.evidence.iter().find(|evidence| evidence.property == *property && evidence.at <= links.at)
    });
    let mut grants = Vec::new();
    if let Some(evidence) = reason {
        let chain = super::chain(run, evidence);
        for cause in chain.causes.into_iter().rev().take(7) {
            let weight = if cause.violates.is_empty() { 7 } else { 10 };
            links.push(weight, Cause { violates: Vec::new(), ..cause });
        }
        grants = chain.grants;
    }
    if property == Property::NoOversell {
        links.last_sales(if reason.is_some() { 0 } else { 3 });
    }
    grants
}

impl Links<'_> {
    fn order_written_at(&self, at: SimTime) -> Option<OrderId> {
        self.run.notes_between(at, at).iter().find_map(|note| match note.event {
            Event::WriteAccepted { order, .. } => Some(order),
            _ => None,
        })
    }

    /// What was tried for an order under one grant, and what its client learnt of it.
    fn tries(&mut self, story: &GrantStory, grant: GrantId, order: OrderId) {
        let (who, until) = (self.who(grant), self.at);
        for (at, _) in story.sent.iter().filter(|(at, other)| *other == order && *at <= until) {
            let again = if self.has(CauseKind::Sent) { " again" } else { "" };
            let text = format!("{who} sent the write of order {order}{again}");
            self.add_of(grant, 8, *at, story.client, CauseKind::Sent, text);
        }
        for write in story.written.iter().filter(|write| write.order == order && write.at <= until) {
            let again = if self.has(CauseKind::Wrote) { " once more" } else { "" };
            let text = format!("the store accepted order {order}{again}, as version {}", write.version);
            self.add_of(grant, 9, write.at, Some(self.run.cast.store), CauseKind::Wrote, text);
        }
        for (at, _, ack) in story.returned.iter().filter(|(at, other, _)| *other == order && *at <= until) {
            if *ack == Ack::Unknown {
                let text = format!("{who} gave up waiting for an answer, and did not know what had become of it");
                self.add_of(grant, 9, *at, story.client, CauseKind::Other, text);
            }
        }
    }

    /// The last orders that were sold, up to the one that was too many.
    fn last_sales(&mut self, before: usize) {
        let notes = self.run.notes_between(SimTime(0), self.at).iter();
        let sold = notes.rev().filter_map(|note| match note.event {
            Event::OrderResolved { client, order, units, end: OrderEnd::Acked } => {
                Some((note.at, client, order, units))
            }
            _ => None,
        });
        let sold: Vec<_> = sold.take(before + 1).collect();
        for (at, client, order, units) in sold {
            let last = if at == self.at { ": more was sold than there had been" } else { "" };
            let many = if units == 1 { "1 unit".to_owned() } else { format!("{units} units") };
            let text = format!("{} had order {order} ({many}) acknowledged{last}", self.run.name_of(client));
            self.add(8, at, Some(client), CauseKind::Other, text);
        }
    }
}
