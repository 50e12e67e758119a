//! Explains violations by one client or by all orders together: reentrancy, no-duplicate, no-oversell, consistent.

use std::collections::BTreeSet;

use fencepost_models::history::{Ack, Event, GrantId, OrderEnd, OrderId};
use fencepost_scenarios::check::Evidence;
use fencepost_scenarios::property::Property;
use fencepost_sim::SimTime;

use super::builder::ChainBuilder;
use super::fault_causes::FaultContext;
use super::{Cause, CauseKind};
use crate::case_record::GrantTimeline;
use crate::text::counted;

pub(super) fn reentrancy(chain: &mut ChainBuilder<'_>, evidence: &Evidence) -> Vec<GrantId> {
    let grants = evidence.grants();
    let Some(outer) = grants.first().copied() else { return grants };
    let Some(timeline) = chain.grant(outer) else { return grants };
    let from = timeline.invoked.or(timeline.began()).unwrap_or_default();
    chain.acquired(10, outer, "");
    chain.faults(&FaultContext { old: Some(timeline), new: None, from, to: chain.at });
    for (at, event) in chain.record.events_between(from, chain.at) {
        if let (Some(text), Some(client), true) = (nested_text(event), event.client(), event.grant() == Some(outer)) {
            let text = format!("{} {text}", chain.record.name(client));
            chain.add(8, at, Some(client), CauseKind::Other, text);
        }
    }
    chain.record_ended(9, outer, chain.at);
    grants
}

fn nested_text(event: &Event) -> Option<&'static str> {
    Some(match event {
        Event::NestedInvoked { .. } => "tried to acquire the lock that it held",
        Event::NestedReturned { ack: Ack::Ok, .. } => "acquired the lock a second time",
        Event::NestedReturned { ack: Ack::Failed, .. } => "was refused the lock that it held",
        Event::NestedReturned { ack: Ack::Unknown, .. } => "did not learn whether it acquired the lock a second time",
        Event::NestedReleaseInvoked { .. } => "released the second acquire",
        Event::NestedReleaseReturned { .. } => "finished that release",
        _ => return None,
    })
}

pub(super) fn duplicate(chain: &mut ChainBuilder<'_>, evidence: &Evidence) -> Vec<GrantId> {
    let mut written = chain.record.events_between(chain.at, chain.at);
    let order = written.find_map(|(_, event)| match event {
        Event::WriteAccepted { order, .. } => Some(*order),
        _ => None,
    });
    let Some(order) = order else { return evidence.grants() };
    let mut grants: BTreeSet<GrantId> = evidence.grants().into_iter().collect();
    let wrote = |grant: &&GrantTimeline| grant.writes_accepted.iter().any(|write| write.order == order);
    grants.extend(chain.record.grants.values().filter(wrote).map(|grant| grant.id));
    let grants: Vec<GrantId> = grants.into_iter().collect();
    let timelines: Vec<&GrantTimeline> = grants.iter().filter_map(|grant| chain.grant(*grant)).collect();
    let from = timelines.iter().filter_map(|grant| grant.invoked).min().unwrap_or_default();
    grants.iter().for_each(|grant| chain.acquired(7, *grant, ""));
    chain.faults(&FaultContext { old: timelines.first().copied(), new: None, from, to: chain.at });
    timelines.iter().for_each(|timeline| chain.writes_of(timeline, order));
    grants
}

/// Explains a wrong sum by the first violation that caused it.
pub(super) fn sum(chain: &mut ChainBuilder<'_>, property: Property) -> Vec<GrantId> {
    let record = chain.record;
    let causes = [Property::EffectExclusion, Property::NoLostUpdate, Property::NoDuplicate];
    let reason = causes.iter().find_map(|property| {
        record.report.evidence.iter().find(|evidence| evidence.property == *property && evidence.at <= chain.at)
    });
    let mut grants = Vec::new();
    if let Some(evidence) = reason {
        let other = super::chain(record, evidence);
        for cause in other.causes.into_iter().rev().take(7) {
            let weight = if cause.violates.is_empty() { 7 } else { 10 };
            chain.push(weight, Cause { violates: Vec::new(), ..cause });
        }
        grants = other.grants;
    }
    if property == Property::NoOversell {
        chain.last_sales(if reason.is_some() { 1 } else { 4 });
    }
    grants
}

impl ChainBuilder<'_> {
    /// Adds the writes of an order under one grant, and their unknown outcomes.
    fn writes_of(&mut self, timeline: &GrantTimeline, order: OrderId) {
        let (grant, holder, until) = (timeline.id, self.holder(timeline.id), self.at);
        for (at, _) in timeline.writes_sent.iter().filter(|(at, other)| *other == order && *at <= until) {
            let again = if self.has(CauseKind::Sent) { " again" } else { "" };
            let text = format!("{holder} sent the write of order {order}{again}");
            self.add_for(grant, 8, *at, timeline.client, CauseKind::Sent, text);
        }
        for write in timeline.writes_accepted.iter().filter(|write| write.order == order && write.at <= until) {
            let again = if self.has(CauseKind::Wrote) { " again" } else { "" };
            let text = format!("the store accepted order {order}{again}, as version {}", write.version);
            self.add_for(grant, 9, write.at, Some(self.record.names.store), CauseKind::Wrote, text);
        }
        for (at, _, ack) in timeline.writes_returned.iter().filter(|(at, other, _)| *other == order && *at <= until) {
            if *ack == Ack::Unknown {
                let text = format!("{holder} received no reply, and did not know whether the write was accepted");
                self.add_for(grant, 9, *at, timeline.client, CauseKind::Other, text);
            }
        }
    }

    /// Adds the last orders that were sold, up to the one that exceeded the stock.
    fn last_sales(&mut self, count: usize) {
        let events = self.record.events_between(SimTime(0), self.at).rev();
        let sold = events.filter_map(|(at, event)| match *event {
            Event::OrderResolved { client, order, units, end: OrderEnd::Acked } => Some((at, client, order, units)),
            _ => None,
        });
        for (at, client, order, units) in sold.take(count).collect::<Vec<_>>() {
            let last = if at == self.at { ": more units sold than were in stock" } else { "" };
            let text = format!(
                "order {order} of {} was acknowledged ({}){last}",
                self.record.name(client),
                counted(units, "unit")
            );
            self.add(8, at, Some(client), CauseKind::Other, text);
        }
    }
}
