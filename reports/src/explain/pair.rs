//! Explains violations by two grants: one that is no longer valid, and its successor.

use fencepost_models::history::{Cause as End, Event, GrantId};
use fencepost_scenarios::check::Evidence;
use fencepost_scenarios::property::Property;
use fencepost_sim::SimTime;

use super::CauseKind;
use super::builder::ChainBuilder;
use super::fault_causes::FaultContext;
use crate::case_record::{AcceptedWrite, GrantTimeline};
use crate::text::{listed, moment};

/// Explains a violation by up to two grants. Returns the grants, starting with the one that went wrong.
pub(super) fn two_grants(chain: &mut ChainBuilder<'_>, evidence: &Evidence) -> Vec<GrantId> {
    let mut grants = evidence.grants();
    if let ([newest], Property::Fencing) = (grants.as_slice(), evidence.property) {
        grants.extend(fenced_by(chain, *newest));
    }
    grants.dedup();
    let servers = chain.record.servers.len();
    grants.sort_by_key(|grant| chain.grant(*grant).and_then(|grant| grant.granted(servers)).unwrap_or_default());
    match *grants.as_slice() {
        [old, new] => chain.pair(old, new, evidence),
        [only] => chain.single_grant(only),
        _ => {}
    }
    grants
}

/// Returns the grant with the highest token among those that reached the store before `newest` was rejected.
fn fenced_by(chain: &ChainBuilder<'_>, newest: GrantId) -> Option<GrantId> {
    let before = |grant: &&GrantTimeline| grant.id != newest && grant.first_effect().is_some_and(|at| at <= chain.at);
    let others = chain.record.grants.values().filter(before);
    others.max_by_key(|grant| (grant.token, grant.first_effect())).map(|grant| grant.id)
}

impl ChainBuilder<'_> {
    fn pair(&mut self, old: GrantId, new: GrantId, evidence: &Evidence) {
        let (Some(first), Some(second)) = (self.grant(old), self.grant(new)) else { return };
        let granted = second.granted(self.record.servers.len()).unwrap_or(self.at);
        let from = first.invoked.or(first.began()).unwrap_or_default();
        // The first client may receive its grant after the second client received the later grant.
        let late = first.acquired.zip(second.acquired).is_some_and(|(first, second)| first > second);
        let aside = if late { self.still_held(second, first, Property::BeliefExclusion) } else { String::new() };
        self.acquired(10, old, &aside);
        self.last_read(old);
        self.faults(&FaultContext { old: Some(first), new: Some(second), from, to: self.at });
        self.validity_ended(old);
        self.record_ended(9, old, granted);
        self.leaders(6, first.began().unwrap_or_default(), granted);
        if first.release_invoked.is_some_and(|at| at <= granted) {
            self.released(9, old, granted);
        }
        self.second_grant(first, second, evidence);
        self.effects(new, 8);
        self.late_effects(old, granted, evidence);
        self.rolled_back();
        self.refusal();
    }

    /// Adds the second grant, and whether the first was still held.
    fn second_grant(&mut self, first: &GrantTimeline, second: &GrantTimeline, evidence: &Evidence) {
        let new = second.id;
        let here = second.granted_by.iter().find(|(at, _)| *at == self.at);
        if let (Property::GrantExclusion, Some((at, server))) = (evidence.property, here) {
            let (name, holder) = (self.record.name(*server), self.holder(new));
            let aside = self.still_held(first, second, evidence.property);
            let text = format!("{name} granted the lock to {holder}{aside}");
            self.add_for(new, 10, *at, Some(*server), CauseKind::Granted, text);
        }
        let belief = match evidence.property {
            Property::ValidityExclusion => Property::ValidityExclusion,
            _ => Property::BeliefExclusion,
        };
        let aside = self.still_held(first, second, belief);
        self.acquired(if self.has(CauseKind::Granted) { 7 } else { 10 }, new, &aside);
    }

    /// Adds the causes of a violation that involves only one grant.
    fn single_grant(&mut self, grant: GrantId) {
        let Some(timeline) = self.grant(grant) else { return };
        let from = timeline.invoked.or(timeline.began()).unwrap_or_default();
        self.acquired(10, grant, "");
        self.faults(&FaultContext { old: Some(timeline), new: None, from, to: self.at });
        self.effects(grant, 8);
        self.record_ended(7, grant, self.at);
        self.rolled_back();
        self.refusal();
    }

    /// Returns a clause that says how the first grant was still held when the second began, or an empty string.
    fn still_held(&self, first: &GrantTimeline, second: &GrantTimeline, property: Property) -> String {
        let holder = self.holder(first.id);
        let servers = self.record.servers.len();
        let at = second.acquired.or(second.began()).unwrap_or(self.at);
        let granted = second.granted(servers).unwrap_or(at);
        let on_record = first.record_end(servers).is_none_or(|end| end.at > granted);
        let is_paused = |client| self.record.faults.iter().any(|span| span.pauses(client) && span.is_active_at(at));
        let paused = if first.client.is_some_and(is_paused) { ", paused," } else { "" };
        match (first.believed_at(at), property) {
            (_, Property::GrantExclusion) if on_record && !first.granted_by.is_empty() => {
                format!(", although {holder}'s grant had not ended")
            }
            (true, Property::ValidityExclusion) => format!(", while {holder}{paused} considered its own grant valid"),
            (true, _) if first.client != second.client => format!(" while {holder}{paused} believed it held the lock"),
            _ => String::new(),
        }
    }

    /// Adds the read from which the old grant's write was computed.
    fn last_read(&mut self, grant: GrantId) {
        let Some(timeline) = self.grant(grant) else { return };
        if let Some((at, version)) = timeline.reads.iter().rev().find(|(at, _)| *at <= self.at) {
            self.read(5, grant, *at, *version);
        }
    }

    fn read(&mut self, weight: u8, grant: GrantId, at: SimTime, version: u64) {
        let text = format!("{} read the data (version {version})", self.holder(grant));
        self.add_for(grant, weight, at, Some(self.record.names.store), CauseKind::Read, text);
    }

    fn validity_ended(&mut self, grant: GrantId) {
        let Some(timeline) = self.grant(grant) else { return };
        if let Some(at) = timeline.validity_ended.filter(|at| *at <= self.at && timeline.believed_at(*at)) {
            let text = format!("the validity of {}'s grant ended by the client's clock", self.holder(grant));
            self.add_for(grant, 4, at, timeline.client, CauseKind::Other, text);
        }
    }

    /// Adds the operations of a grant at the store before the violation.
    fn effects(&mut self, grant: GrantId, weight: u8) {
        let Some(timeline) = self.grant(grant) else { return };
        if let Some((at, version)) = timeline.reads.first().filter(|(at, _)| *at <= self.at) {
            self.read(weight - 2, grant, *at, *version);
        }
        let until = self.at;
        for write in timeline.writes_accepted.iter().filter(|write| write.at <= until).take(2) {
            self.write(weight, grant, write);
        }
    }

    fn write(&mut self, weight: u8, grant: GrantId, write: &AcceptedWrite) {
        let (holder, store) = (self.holder(grant), self.record.names.store);
        let Some(timeline) = self.grant(grant) else { return };
        let mut sent = timeline.writes_sent.iter().rev();
        let sent = sent.find(|(at, order)| *order == write.order && *at <= write.at).map(|(at, _)| *at);
        let late = sent.filter(|sent| write.at.0 - sent.0 > self.record.late_ns);
        let sent_at = late.map_or(String::new(), |sent| format!(", sent at {},", moment(sent)));
        let (version, based_on) = (write.version, write.based_on);
        let overwritten = self.overwritten(write);
        let text = format!(
            "the store accepted {holder}'s write{sent_at} as version {version}, based on version {based_on}{}",
            overwritten.as_deref().unwrap_or_default()
        );
        let cause = self.cause_for(grant, write.at, Some(store), CauseKind::Wrote, text);
        self.push(weight, super::Cause { overwrites: overwritten.is_some(), ..cause });
        if let Some(sent) = late {
            let text = format!("{holder} sent its write, which was delayed in transit");
            self.add_for(grant, weight - 1, sent, timeline.client, CauseKind::Sent, text);
        }
    }

    /// Returns a clause with the versions that a write overwrote, and their writers. `None` if it overwrote none.
    fn overwritten(&self, write: &AcceptedWrite) -> Option<String> {
        let versions = write.based_on + 1..write.version;
        let other =
            |grant: &&GrantTimeline| grant.writes_accepted.iter().any(|write| versions.contains(&write.version));
        let mut owners: Vec<&str> =
            self.record.grants.values().filter(other).map(|grant| self.holder(grant.id)).collect();
        owners.dedup();
        let owners = if owners.is_empty() { String::new() } else { format!("{}'s ", listed(&owners)) };
        match versions.end.saturating_sub(versions.start) {
            0 => None,
            1 => Some(format!(": {owners}version {} is lost", versions.start)),
            _ => Some(format!(": {owners}versions {} to {} are lost", versions.start, versions.end - 1)),
        }
    }

    /// Adds the writes of the first grant. Those after the second grant have a higher weight.
    fn late_effects(&mut self, old: GrantId, granted: SimTime, evidence: &Evidence) {
        let Some(timeline) = self.grant(old) else { return };
        let until = self.at;
        for write in timeline.writes_accepted.iter().filter(|write| write.at <= until) {
            let weight = if write.at == self.at || write.at > granted { 10 } else { 6 };
            self.write(weight, old, write);
        }
        if evidence.property == Property::OwnerRelease {
            self.released(9, old, self.at);
            self.foreign_release();
        }
    }

    /// Adds the release that ended another client's grant.
    fn foreign_release(&mut self) {
        for (at, event) in self.record.events_between(self.at, self.at) {
            if let Event::Ended { server, grant, cause: End::Released(by) } = *event
                && by != grant
            {
                let name = self.record.name(server);
                let text = format!("{}'s release ended the grant of {} at {name}", self.holder(by), self.holder(grant));
                self.add_for(grant, 10, at, Some(server), CauseKind::Ended, text);
            }
        }
    }

    /// Adds each rollback in which the store lost accepted writes.
    fn rolled_back(&mut self) {
        for (at, event) in self.record.events_between(SimTime(0), self.at) {
            if let Event::RolledBack { version, .. } = event {
                let text = format!("the store lost its unsynced writes and was back at version {version}");
                let weight = if at == self.at { 10 } else { 5 };
                self.add(weight, at, Some(self.record.names.store), CauseKind::RolledBack, text);
            }
        }
    }

    fn refusal(&mut self) {
        for (at, event) in self.record.events_between(self.at, self.at) {
            if let Event::OperationRefused { grant, .. } = *event {
                let text = format!("the store rejected an operation of {}", self.holder(grant));
                self.add_for(grant, 10, at, Some(self.record.names.store), CauseKind::Refused, text);
            }
        }
    }
}
