//! What became of each grant, at its client, at the service and at the store.

use std::collections::BTreeMap;

use fencepost_models::history::{Ack, Cause, Event, GrantId, OrderId, Token, Version};
use fencepost_sim::{NodeId, SimTime};

use super::{Note, Span};

/// One grant, or an attempt at one.
#[derive(Default)]
pub(crate) struct GrantStory {
    pub id: u32,
    pub client: Option<NodeId>,
    pub asked: Option<SimTime>,
    pub acquired: Option<SimTime>,
    pub token: Option<Token>,
    /// Where the servers gave it.
    pub given: Vec<(SimTime, NodeId)>,
    /// Where the servers ended it, and how far the server's wall clock was ahead.
    pub ended: Vec<Ended>,
    /// When it was no longer valid by the lock's own reckoning.
    pub invalid: Option<SimTime>,
    pub released: Option<SimTime>,
    pub reads: Vec<(SimTime, Version)>,
    pub sent: Vec<(SimTime, OrderId)>,
    pub written: Vec<Written>,
    pub returned: Vec<(SimTime, OrderId, Ack)>,
    pub refused: Vec<(SimTime, OrderId)>,
    /// When its holder ceased to believe in it, if it did.
    pub given_up: Option<SimTime>,
}

/// A grant ended at a server.
#[derive(Clone, Copy)]
pub(crate) struct Ended {
    pub at: SimTime,
    pub server: NodeId,
    pub cause: Cause,
    pub mono_ahead: i64,
    pub wall_ahead: i64,
}

/// A write that the store accepted.
#[derive(Clone, Copy)]
pub(crate) struct Written {
    pub at: SimTime,
    pub order: OrderId,
    pub based_on: Version,
    pub version: Version,
}

impl GrantStory {
    /// When it came to be, as far as anybody saw.
    pub fn began(&self) -> Option<SimTime> {
        let given = self.given.iter().map(|(at, _)| *at).min();
        given.into_iter().chain(self.acquired).min()
    }

    /// From when to when its client believed in it.
    pub fn belief(&self) -> Option<(SimTime, Option<SimTime>)> {
        self.acquired.map(|from| (from, self.given_up))
    }

    pub fn believed_at(&self, at: SimTime) -> bool {
        self.belief().is_some_and(|(from, to)| from <= at && to.is_none_or(|to| at < to))
    }

    /// The first thing it did at the store.
    pub fn first_effect(&self) -> Option<SimTime> {
        self.reads.iter().map(|(at, _)| *at).chain(self.written.iter().map(|write| write.at)).min()
    }

    /// From when to when each server had it on record.
    pub fn records(&self) -> Vec<(NodeId, SimTime, Option<SimTime>)> {
        let mut records: Vec<(NodeId, SimTime, Option<SimTime>)> = Vec::new();
        for (from, server) in &self.given {
            let open = records.iter().any(|(at, _, to)| at == server && to.is_none_or(|to| to > *from));
            if !open {
                let end = self.ended.iter().find(|end| end.server == *server && end.at >= *from);
                records.push((*server, *from, end.map(|end| end.at)));
            }
        }
        // After a failover, another server ends what the first one gave.
        if let ([only], Some(end)) = (records.as_mut_slice(), self.ended.first())
            && only.2.is_none()
        {
            only.2 = Some(end.at);
        }
        records
    }

    /// When the service had it on record no longer: where several servers gave it, fewer than a majority.
    pub fn record_end(&self, servers: usize) -> Option<Ended> {
        self.record(servers)?.1
    }

    /// When enough servers had given it.
    pub fn granted(&self, servers: usize) -> Option<SimTime> {
        self.record(servers).map(|record| record.0).or(self.began())
    }

    /// From when to when enough servers had it on record: an attempt that asks in rounds counts from its last.
    fn record(&self, servers: usize) -> Option<(SimTime, Option<Ended>)> {
        let quorum = if self.givers().len() > 1 { servers / 2 + 1 } else { 1 };
        let mut holding: Vec<NodeId> = Vec::new();
        let mut record = None;
        let mut ended = self.ended.iter().peekable();
        for (at, server) in &self.given {
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

    /// The servers that gave it, in order.
    pub fn givers(&self) -> Vec<NodeId> {
        let mut servers: Vec<NodeId> = self.given.iter().map(|(_, server)| *server).collect();
        servers.sort_unstable();
        servers.dedup();
        servers
    }

    fn note(&mut self, note: &Note) {
        let at = note.at;
        match note.event {
            Event::AcquireInvoked { client, .. } | Event::NestedInvoked { client, .. } => {
                self.client.get_or_insert(client);
                self.asked.get_or_insert(at);
            }
            Event::Acquired { client, token, .. } => {
                self.client.get_or_insert(client);
                self.acquired.get_or_insert(at);
                self.token = token;
            }
            Event::Granted { server, .. } => self.given.push((at, server)),
            Event::Ended { server, cause, .. } => {
                let Note { mono_ahead, wall_ahead, .. } = *note;
                self.ended.push(Ended { at, server, cause, mono_ahead, wall_ahead });
            }
            Event::ValidityEnded { .. } => self.invalid = self.invalid.or(Some(at)),
            Event::LossObserved { .. } => self.given_up = self.given_up.or(Some(at)),
            Event::ReleaseInvoked { .. } => {
                self.released.get_or_insert(at);
                self.given_up.get_or_insert(at);
            }
            Event::ReadAccepted { version, .. } => self.reads.push((at, version)),
            Event::WriteInvoked { order, .. } => self.sent.push((at, order)),
            Event::WriteAccepted { order, based_on, version, .. } => {
                self.written.push(Written { at, order, based_on, version });
            }
            Event::WriteReturned { order, ack, .. } => self.returned.push((at, order, ack)),
            Event::OperationRefused { order, .. } => self.refused.push((at, order)),
            _ => {}
        }
    }
}

/// A server has it on record no longer. Where one is enough, another may have taken over from it.
fn close(holding: &mut Vec<NodeId>, end: &Ended, quorum: usize, record: &mut Option<(SimTime, Option<Ended>)>) {
    let before = holding.len();
    holding.retain(|server| *server != end.server && quorum > 1);
    if let Some((_, over @ None)) = record
        && before >= quorum
        && holding.len() < quorum
    {
        *over = Some(*end);
    }
}

pub(super) fn stories(notes: &[Note], spans: &[Span]) -> BTreeMap<GrantId, GrantStory> {
    let mut stories: BTreeMap<GrantId, GrantStory> = BTreeMap::new();
    for note in notes {
        if let Some(grant) = subject(&note.event) {
            stories.entry(grant).or_insert_with(|| GrantStory { id: grant.0, ..GrantStory::default() }).note(note);
        }
    }
    for crash in spans.iter().filter(|span| span.fault.kind.crashes()) {
        let holds = |story: &&mut GrantStory| {
            story.acquired.is_some_and(|at| at <= crash.from)
                && story.given_up.is_none_or(|at| at > crash.from)
                && story.client.is_some_and(|client| crash.fault.nodes.contains(&client))
        };
        stories.values_mut().filter(holds).for_each(|story| story.given_up = Some(crash.from));
    }
    stories
}

/// The attempt that an event is about: of a nested one, the attempt itself.
fn subject(event: &Event) -> Option<GrantId> {
    match *event {
        Event::NestedInvoked { nested, .. } => Some(nested),
        Event::NestedReturned { .. } | Event::NestedReleaseInvoked { .. } | Event::NestedReleaseReturned { .. } => None,
        _ => event.grant(),
    }
}
