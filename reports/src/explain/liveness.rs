//! Explains violations by a lock that was not granted, or was granted in the wrong order: takeover, progress, fifo.

use std::collections::BTreeMap;

use fencepost_models::history::{Event, GrantId};
use fencepost_scenarios::check::Evidence;
use fencepost_sim::{NodeId, SimTime};

use super::CauseKind;
use super::builder::ChainBuilder;
use super::fault_causes::FaultContext;
use crate::case_record::GrantTimeline;
use crate::text::counted;

pub(super) fn takeover(chain: &mut ChainBuilder<'_>, evidence: &Evidence) -> Vec<GrantId> {
    let grants = evidence.grants();
    let Some(holder) = grants.first().copied() else { return grants };
    let Some(timeline) = chain.grant(holder) else { return grants };
    let from = timeline.invoked.or(timeline.began()).unwrap_or_default();
    let crashed = timeline.belief_ended.unwrap_or(chain.at);
    chain.acquired(10, holder, "");
    chain.faults(&FaultContext { old: Some(timeline), new: None, from, to: chain.at });
    chain.waiters(crashed, Some(holder));
    chain.on_record(chain.at);
    chain.record_ended(8, holder, chain.at);
    chain.leaders(5, from, chain.at);
    chain.bound_passed();
    chain.acquired_too_late();
    grants
}

pub(super) fn progress(chain: &mut ChainBuilder<'_>) -> Vec<GrantId> {
    let healed = chain.record.healed().unwrap_or(chain.at);
    let before = chain.record.grants.values().filter(|grant| grant.began().is_some_and(|at| at <= healed));
    let last = before.max_by_key(|grant| grant.began());
    let from = last.and_then(|grant| grant.invoked.or(grant.began())).unwrap_or_default();
    if let Some(grant) = last {
        chain.acquired(8, grant.id, "");
        chain.record_ended(6, grant.id, chain.at);
    }
    chain.faults(&FaultContext { old: last, new: None, from, to: healed });
    chain.add(9, healed, None, CauseKind::Healed, "all faults were healed".to_owned());
    chain.waiters(healed, None);
    chain.on_record(chain.at);
    chain.leaders(5, from, chain.at);
    chain.bound_passed();
    chain.acquired_too_late();
    last.map(|grant| grant.id).into_iter().collect()
}

pub(super) fn fifo(chain: &mut ChainBuilder<'_>, evidence: &Evidence) -> Vec<GrantId> {
    let grants = evidence.grants();
    let (Some(waiter), Some(granted)) = (grants.first().copied(), grants.get(1).copied()) else { return grants };
    let from = chain.enqueued(waiter).map_or(SimTime(0), |(at, _)| at);
    let [first, second] = [waiter, granted].map(|grant| chain.grant(grant));
    for (weight, grant) in [(10, waiter), (9, granted)] {
        if let Some((at, server)) = chain.enqueued(grant) {
            let text = format!("{} enqueued {}", chain.record.name(server), chain.holder(grant));
            chain.add_for(grant, weight, at, Some(server), CauseKind::Waited, text);
        }
    }
    if let (None, Some(invoked)) = (chain.enqueued(granted), second.and_then(|grant| grant.invoked)) {
        let text = format!("{} tried to acquire the lock, and was not enqueued", chain.holder(granted));
        chain.add_for(granted, 8, invoked, second.and_then(|grant| grant.client), CauseKind::Waited, text);
    }
    chain.faults(&FaultContext { old: first, new: second, from, to: chain.at });
    chain.last_end(from);
    chain.leaders(6, from, chain.at);
    let grant = second.and_then(|grant| grant.granted_by.iter().rev().find(|(at, _)| *at <= chain.at));
    if let Some((at, server)) = grant {
        let (name, winner, loser) = (chain.record.name(*server), chain.holder(granted), chain.holder(waiter));
        let text = format!("{name} granted the lock to {winner}, although {loser} had been enqueued before");
        chain.add_for(granted, 10, *at, Some(*server), CauseKind::Granted, text);
    }
    if let Some(at) = first.and_then(|grant| grant.acquired) {
        let text = format!("{} acquired the lock only after that", chain.holder(waiter));
        chain.add_for(waiter, 4, at, first.and_then(|grant| grant.client), CauseKind::Acquired, text);
    }
    grants
}

impl ChainBuilder<'_> {
    /// Adds the first two clients that tried to acquire the lock, with the time and the number of their attempts.
    fn waiters(&mut self, since: SimTime, except: Option<GrantId>) {
        let holder = except.and_then(|grant| self.grant(grant)).and_then(|grant| grant.client);
        let mut waiting: BTreeMap<NodeId, (SimTime, u32)> = BTreeMap::new();
        for (at, event) in self.record.events_between(since, self.at) {
            if let Event::AcquireInvoked { client, .. } = *event
                && Some(client) != holder
            {
                waiting.entry(client).or_insert((at, 0)).1 += 1;
            }
        }
        for grant in self.record.grants.values().filter(|grant| grant.invoked.is_some_and(|at| at < since)) {
            let waits = grant.acquired.is_none() && self.attempt_ended(grant).is_none_or(|at| at > since);
            if let (true, Some(client), Some(at)) = (waits && grant.client != holder, grant.client, grant.invoked) {
                let entry = waiting.entry(client).or_insert((at, 0));
                *entry = (at.min(entry.0), entry.1 + 1);
            }
        }
        for (client, (at, attempts)) in waiting.into_iter().take(2) {
            let attempts = if attempts > 1 { format!(" ({})", counted(attempts, "attempt")) } else { String::new() };
            let text = format!("{} tried to acquire the lock{attempts}", self.record.name(client));
            self.add(7, at, Some(client), CauseKind::Waited, text);
        }
    }

    /// Returns the time at which an attempt failed or its client crashed.
    fn attempt_ended(&self, grant: &GrantTimeline) -> Option<SimTime> {
        let from = grant.invoked?;
        let mut events = self.record.events_between(from, self.record.report.ended);
        let is_end = |event: &Event| matches!(event, Event::NotAcquired { grant: other, .. } if *other == grant.id);
        let failed = events.find(|(_, event)| is_end(event)).map(|(at, _)| at);
        let crashed = grant.client.and_then(|client| self.record.crashed(client, from));
        failed.into_iter().chain(crashed).min()
    }

    /// Adds the grant that the service still had on record at `at`.
    fn on_record(&mut self, at: SimTime) {
        let servers = self.record.servers.len();
        let open = self.record.grants.values().rev().find(|grant| {
            grant.began().is_some_and(|from| from <= at)
                && grant.record_end(servers).is_none_or(|end| end.at > at)
                && !grant.granted_by.is_empty()
        });
        if let Some((grant, (since, server))) = open.and_then(|grant| Some((grant, *grant.granted_by.first()?))) {
            let (name, holder) = (self.record.name(server), self.holder(grant.id));
            let text = format!("{name} granted the lock to {holder}, and still had it on record when the bound passed");
            self.add_for(grant.id, 8, since, Some(server), CauseKind::Kept, text);
        }
    }

    fn bound_passed(&mut self) {
        let text = "the lock's bound passed without a grant".to_owned();
        self.add(10, self.at, None, CauseKind::Due, text);
    }

    /// Adds the first acquire after the bound, unless an attempt failed at the bound itself.
    fn acquired_too_late(&mut self) {
        let mut now = self.record.events_between(self.at, self.at);
        if now.any(|(_, event)| matches!(event, Event::NotAcquired { .. })) {
            return;
        }
        let mut after = self.record.events_between(self.at, self.record.report.ended).filter(|(at, _)| *at > self.at);
        let next = after.find_map(|(at, event)| match event {
            Event::Acquired { client, .. } => Some((at, *client)),
            _ => None,
        });
        if let Some((at, client)) = next {
            let text = format!("{} acquired the lock, after the bound", self.record.name(client));
            self.add(3, at, Some(client), CauseKind::Acquired, text);
        }
    }

    fn enqueued(&self, waiter: GrantId) -> Option<(SimTime, NodeId)> {
        self.record.events_between(SimTime(0), self.at).rev().find_map(|(at, event)| match *event {
            Event::Enqueued { server, grant } if grant == waiter => Some((at, server)),
            _ => None,
        })
    }

    /// Adds the end of the grant that the waiters were waiting for.
    fn last_end(&mut self, from: SimTime) {
        let last = self.record.events_between(from, self.at).rev().find_map(|(_, event)| match event {
            Event::Ended { grant, .. } => Some(*grant),
            _ => None,
        });
        if let Some(grant) = last {
            self.record_ended(7, grant, self.at);
        }
    }
}
