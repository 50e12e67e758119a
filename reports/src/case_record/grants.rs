//! The timeline of each grant at its client, the servers and the store.

use std::collections::BTreeMap;

use fencepost_models::history::{Ack, Cause, Event, GrantId, OrderId, Token, Version};
use fencepost_sim::{NodeId, SimTime};

use super::clocks::ClockOffset;
use super::{Entry, FaultSpan};

/// One grant, or one attempt to acquire.
#[derive(Default)]
pub(crate) struct GrantTimeline {
    pub id: GrantId,
    pub client: Option<NodeId>,
    /// The time at which the client invoked the acquire.
    pub invoked: Option<SimTime>,
    pub acquired: Option<SimTime>,
    pub token: Option<Token>,
    /// The times and servers of its grants.
    pub granted_by: Vec<(SimTime, NodeId)>,
    pub ended: Vec<RecordEnd>,
    /// The end of its Validity.
    pub validity_ended: Option<SimTime>,
    pub release_invoked: Option<SimTime>,
    pub reads: Vec<(SimTime, Version)>,
    pub writes_sent: Vec<(SimTime, OrderId)>,
    pub writes_accepted: Vec<AcceptedWrite>,
    pub writes_returned: Vec<(SimTime, OrderId, Ack)>,
    /// The end of its Belief.
    pub belief_ended: Option<SimTime>,
    /// The time of its last event until its release returned.
    pub last_event: SimTime,
    release_returned: bool,
}

/// The end of a server's record of a grant.
#[derive(Clone, Copy)]
pub(crate) struct RecordEnd {
    pub at: SimTime,
    pub server: NodeId,
    pub cause: Cause,
    /// The server's clocks at that moment.
    pub offset: ClockOffset,
}

/// A write that the store accepted.
#[derive(Clone, Copy)]
pub(crate) struct AcceptedWrite {
    pub at: SimTime,
    pub order: OrderId,
    pub based_on: Version,
    pub version: Version,
}

impl GrantTimeline {
    /// Returns the time at which it was first granted or acquired.
    pub fn began(&self) -> Option<SimTime> {
        let granted = self.granted_by.iter().map(|(at, _)| *at).min();
        granted.into_iter().chain(self.acquired).min()
    }

    /// Returns its Belief: the interval in which its client believed that it held the lock.
    pub fn belief(&self) -> Option<(SimTime, Option<SimTime>)> {
        self.acquired.map(|from| (from, self.belief_ended))
    }

    pub fn believed_at(&self, at: SimTime) -> bool {
        self.belief().is_some_and(|(from, to)| from <= at && to.is_none_or(|to| at < to))
    }

    /// Returns the time of its first operation that the store accepted.
    pub fn first_effect(&self) -> Option<SimTime> {
        self.reads.iter().map(|(at, _)| *at).chain(self.writes_accepted.iter().map(|write| write.at)).min()
    }

    /// Returns its records: server, start and end of each.
    pub fn records(&self) -> Vec<(NodeId, SimTime, Option<SimTime>)> {
        let mut records: Vec<(NodeId, SimTime, Option<SimTime>)> = Vec::new();
        for (from, server) in &self.granted_by {
            let open = records.iter().any(|(at, _, to)| at == server && to.is_none_or(|to| to > *from));
            if !open {
                let end = self.ended.iter().find(|end| end.server == *server && end.at >= *from);
                records.push((*server, *from, end.map(|end| end.at)));
            }
        }
        // After a failover, another server ends the record of the first.
        if let ([only], Some(end)) = (records.as_mut_slice(), self.ended.first())
            && only.2.is_none()
        {
            only.2 = Some(end.at);
        }
        records
    }

    /// Returns the end of its Record: if several servers granted it, when fewer than a majority had it on record.
    pub fn record_end(&self, servers: usize) -> Option<RecordEnd> {
        self.record(servers)?.1
    }

    /// Returns the time at which enough servers had granted it.
    pub fn granted(&self, servers: usize) -> Option<SimTime> {
        self.record(servers).map(|record| record.0).or(self.began())
    }

    /// Returns the interval in which enough servers had it on record. Of several rounds of an attempt, the last counts.
    fn record(&self, servers: usize) -> Option<(SimTime, Option<RecordEnd>)> {
        let quorum = if self.grantors().len() > 1 { servers / 2 + 1 } else { 1 };
        let mut holding: Vec<NodeId> = Vec::new();
        let mut record = None;
        let mut ended = self.ended.iter().peekable();
        for (at, server) in &self.granted_by {
            while let Some(end) = ended.next_if(|end| end.at <= *at) {
                close(&mut holding, end, quorum, &mut record);
            }
            if !holding.contains(server) {
                holding.push(*server);
                if holding.len() == quorum {
                    record = Some((*at, None));
                }
            }
        }
        ended.for_each(|end| close(&mut holding, end, quorum, &mut record));
        record
    }

    /// Returns the servers that granted it, sorted.
    pub fn grantors(&self) -> Vec<NodeId> {
        let mut servers: Vec<NodeId> = self.granted_by.iter().map(|(_, server)| *server).collect();
        servers.sort_unstable();
        servers.dedup();
        servers
    }

    fn observe(&mut self, entry: &Entry, event: &Event) {
        let at = entry.at;
        match *event {
            Event::AcquireInvoked { client, .. } | Event::NestedInvoked { client, .. } => {
                self.client.get_or_insert(client);
                self.invoked.get_or_insert(at);
            }
            Event::Acquired { client, token, .. } => {
                self.client.get_or_insert(client);
                self.acquired.get_or_insert(at);
                self.token = token;
            }
            Event::Granted { server, .. } => self.granted_by.push((at, server)),
            Event::Ended { server, cause, .. } => {
                self.ended.push(RecordEnd { at, server, cause, offset: entry.offset });
            }
            Event::ValidityEnded { .. } => {
                self.validity_ended.get_or_insert(at);
            }
            Event::LossObserved { .. } => {
                self.belief_ended.get_or_insert(at);
            }
            Event::ReleaseInvoked { .. } => {
                self.release_invoked.get_or_insert(at);
                self.belief_ended.get_or_insert(at);
            }
            Event::ReadAccepted { version, .. } => self.reads.push((at, version)),
            Event::WriteInvoked { order, .. } => self.writes_sent.push((at, order)),
            Event::WriteAccepted { order, based_on, version, .. } => {
                self.writes_accepted.push(AcceptedWrite { at, order, based_on, version });
            }
            Event::WriteReturned { order, ack, .. } => self.writes_returned.push((at, order, ack)),
            _ => {}
        }
    }
}

/// Removes a server whose record ended. If one server suffices, another may have replaced it after a failover, so any end
/// closes the record.
fn close(holding: &mut Vec<NodeId>, end: &RecordEnd, quorum: usize, record: &mut Option<(SimTime, Option<RecordEnd>)>) {
    let before = holding.len();
    holding.retain(|server| *server != end.server && quorum > 1);
    if let Some((_, over @ None)) = record
        && before >= quorum
        && holding.len() < quorum
    {
        *over = Some(*end);
    }
}

pub(super) fn timelines(entries: &[Entry], faults: &[FaultSpan]) -> BTreeMap<GrantId, GrantTimeline> {
    let mut timelines: BTreeMap<GrantId, GrantTimeline> = BTreeMap::new();
    for (entry, event) in entries.iter().filter_map(|entry| Some((entry, entry.event()?))) {
        if let Some(grant) = attempt(event) {
            let new = || GrantTimeline { id: grant, ..GrantTimeline::default() };
            timelines.entry(grant).or_insert_with(new).observe(entry, event);
        }
        let timeline = event.grant().and_then(|grant| timelines.get_mut(&grant));
        if let Some(timeline) = timeline.filter(|timeline| !timeline.release_returned) {
            timeline.last_event = entry.at;
            timeline.release_returned = matches!(event, Event::ReleaseReturned { .. });
        }
    }
    for crash in faults.iter().filter(|span| span.fault.kind.crashes()) {
        let believes = |timeline: &&mut GrantTimeline| {
            timeline.believed_at(crash.from) && timeline.client.is_some_and(|client| crash.crashes(client))
        };
        timelines.values_mut().filter(believes).for_each(|timeline| timeline.belief_ended = Some(crash.from));
    }
    timelines
}

/// Returns the attempt that an event is about. For a nested acquire, this is the nested attempt.
fn attempt(event: &Event) -> Option<GrantId> {
    match *event {
        Event::NestedInvoked { nested, .. } => Some(nested),
        Event::NestedReturned { .. } | Event::NestedReleaseInvoked { .. } | Event::NestedReleaseReturned { .. } => None,
        _ => event.grant(),
    }
}
