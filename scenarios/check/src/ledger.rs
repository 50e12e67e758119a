//! The ledger of grants: in what order they came, whose they are, and which are on record. This is the ground truth
//! that the client side is held against.

#[cfg(test)]
mod tests;

use std::num::NonZeroU32;

use fencepost_models::ResourceId;
use fencepost_models::history::{Ack, Event, GrantId};
use fencepost_sim::NodeId;

use crate::check::CaseSpec;
use crate::evidence::GrantInfo;
use crate::obstacles::Record;
use crate::table::Table;

/// A grant's place in the grant order, counted from 1.
pub(crate) type Rank = NonZeroU32;

/// What the services really granted.
pub(crate) struct Ledger {
    quorum: u32,
    rank_by_return: bool,
    /// Grants that have a rank, and attempts that may get one after their client stopped asking. Operations can
    /// arrive late by any length of time, so that nothing is ever forgotten here: 16 bytes a grant.
    known: Table<GrantId, Known>,
    /// Attempts that have not returned, and grants that some server has on record.
    standing: Vec<Standing>,
    servers: Vec<NodeId>,
    ranks: u32,
    /// The newest grant of each resource.
    newest: [Option<GrantId>; 2],
    came: Option<GrantId>,
    record: RecordChange,
}

/// What the latest event did to a Record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordChange {
    Unchanged,
    Began(GrantId),
    Ended(GrantId),
}

#[derive(Default)]
struct Known {
    client: Option<NodeId>,
    rank: Option<Rank>,
    resource: ResourceId,
}

struct Standing {
    grant: GrantId,
    client: Option<NodeId>,
    resource: ResourceId,
    /// The attempt has not returned yet.
    awaited: bool,
    /// The servers that have it on record now.
    holding: u64,
}

impl Ledger {
    pub(crate) fn new(facts: &CaseSpec) -> Self {
        Ledger {
            quorum: facts.quorum.max(1),
            rank_by_return: facts.rank_by_return,
            known: Table::with_capacity(facts.expected_orders()),
            standing: Vec::new(),
            servers: Vec::new(),
            ranks: 0,
            newest: [None; 2],
            came: None,
            record: RecordChange::Unchanged,
        }
    }

    pub(crate) fn observe(&mut self, event: &Event) {
        self.came = None;
        self.record = RecordChange::Unchanged;
        match *event {
            Event::AcquireInvoked { client, grant, resource } => self.ask(client, grant, resource),
            Event::Granted { server, grant } => self.apply(server, grant),
            Event::Ended { server, grant, .. } => self.end(server, grant),
            Event::Acquired { client, grant, .. } => {
                self.rank(grant, Some(client));
                self.hear(grant);
            }
            Event::NotAcquired { client, grant, ack } => {
                if ack == Ack::Unknown {
                    self.known_of(grant).client = Some(client);
                }
                self.hear(grant);
            }
            Event::NestedInvoked { client, grant, nested } => self.ask(client, nested, self.resource_of(grant)),
            Event::NestedReturned { client, nested, ack, .. } => {
                if ack == Ack::Unknown {
                    self.known_of(nested).client = Some(client);
                }
                self.hear(nested);
            }
            Event::ClientCrashed { client } => self.stop_asking(client),
            _ => {}
        }
    }

    /// What the latest event did to a Record.
    pub(crate) fn record_change(&self) -> RecordChange {
        self.record
    }

    /// The grant that the latest event gave a rank.
    pub(crate) fn new_grant(&self) -> Option<GrantId> {
        self.came
    }

    pub(crate) fn rank_of(&self, grant: GrantId) -> Option<Rank> {
        self.known.get(grant)?.rank
    }

    /// What the grant is of.
    pub(crate) fn resource_of(&self, grant: GrantId) -> ResourceId {
        let known = self.known.get(grant).map(|known| known.resource);
        known.or_else(|| self.standing(grant).map(|standing| standing.resource)).unwrap_or_default()
    }

    /// The number of the row that the grant is of.
    pub(crate) fn row_of(&self, grant: GrantId) -> usize {
        self.resource_of(grant).0.into()
    }

    /// Whether the grant is that of the highest rank so far, of all of its resource.
    pub(crate) fn is_newest(&self, grant: GrantId) -> bool {
        self.newest[usize::from(self.resource_of(grant).0)] == Some(grant)
    }

    /// A grant of this resource that is on record.
    pub(crate) fn record_on(&self, resource: ResourceId) -> Option<GrantInfo> {
        let record = self.standing.iter().find(|s| s.resource == resource && self.is_record(s))?;
        Some(self.info(record.grant))
    }

    /// The grants of this resource that are on record.
    pub(crate) fn records_on(&self, resource: ResourceId) -> impl Iterator<Item = Record> {
        let records = self.standing.iter().filter(move |s| s.resource == resource && self.is_record(s));
        records.map(|standing| Record { grant: standing.grant, awaited: standing.awaited })
    }

    /// The lowest rank among grants whose client has not heard of them yet.
    pub(crate) fn lowest_pending(&self) -> Option<Rank> {
        self.standing.iter().filter(|s| s.awaited).filter_map(|s| self.rank_of(s.grant)).min()
    }

    /// The grants of this client that are on record, with what they are of.
    pub(crate) fn records_of(&self, client: NodeId) -> impl Iterator<Item = (GrantId, ResourceId)> {
        let mine = self.standing.iter().filter(move |s| s.client == Some(client) && self.is_record(s));
        mine.map(|standing| (standing.grant, standing.resource))
    }

    /// Whether the grant is on record now.
    pub(crate) fn is_on_record(&self, grant: GrantId) -> bool {
        self.standing.iter().any(|s| s.grant == grant && self.is_record(s))
    }

    /// The grant as it appears in a sentence.
    pub(crate) fn info(&self, grant: GrantId) -> GrantInfo {
        let known = self.known.get(grant);
        let standing = self.standing(grant);
        GrantInfo {
            grant,
            client: known.and_then(|k| k.client).or_else(|| standing.and_then(|s| s.client)),
            rank: known.and_then(|k| k.rank),
        }
    }

    fn standing(&self, grant: GrantId) -> Option<&Standing> {
        self.standing.iter().find(|standing| standing.grant == grant)
    }

    /// What is known of a grant, for good.
    fn known_of(&mut self, grant: GrantId) -> &mut Known {
        let resource = self.resource_of(grant);
        let known = self.known.row(grant);
        known.resource = resource;
        known
    }

    fn ask(&mut self, client: NodeId, grant: GrantId, resource: ResourceId) {
        let place = self.place_of(grant, Some(client));
        self.standing[place].resource = resource;
        self.standing[place].awaited = true;
    }

    fn apply(&mut self, server: NodeId, grant: GrantId) {
        let bit = self.bit(server);
        let place = self.place_of(grant, None);
        let was_record = self.is_record(&self.standing[place]);
        let standing = &mut self.standing[place];
        standing.holding |= bit;
        let client = standing.client;
        if was_record || !self.is_record(&self.standing[place]) {
            return;
        }
        self.record = RecordChange::Began(grant);
        if self.rank_by_return {
            return;
        }
        // An attempt that asks in rounds is granted when enough servers hold it together for the last time.
        if self.standing[place].awaited {
            self.known_of(grant).rank = None;
        }
        self.rank(grant, client);
    }

    fn end(&mut self, server: NodeId, grant: GrantId) {
        let bit = self.bit(server);
        let Some(place) = self.standing.iter().position(|s| s.grant == grant) else { return };
        let was_record = self.is_record(&self.standing[place]);
        self.standing[place].holding &= !bit;
        if was_record && !self.is_record(&self.standing[place]) {
            self.record = RecordChange::Ended(grant);
        }
        self.forget_if_over(place);
    }

    /// The attempt returned.
    fn hear(&mut self, grant: GrantId) {
        if let Some(place) = self.standing.iter().position(|s| s.grant == grant) {
            self.standing[place].awaited = false;
            self.forget_if_over(place);
        }
    }

    /// The client is gone, but what it sent may still be granted, and then it is good to know whose grant that is.
    fn stop_asking(&mut self, client: NodeId) {
        for place in (0..self.standing.len()).rev() {
            let standing = &mut self.standing[place];
            if standing.client == Some(client) && standing.awaited {
                standing.awaited = false;
                let grant = standing.grant;
                self.known_of(grant).client = Some(client);
                self.forget_if_over(place);
            }
        }
    }

    fn rank(&mut self, grant: GrantId, client: Option<NodeId>) {
        let known = self.known_of(grant);
        known.client = known.client.or(client);
        if known.rank.is_none() {
            let resource = known.resource;
            self.known.row(grant).rank = Some(Rank::MIN.saturating_add(self.ranks));
            self.ranks += 1;
            self.newest[usize::from(resource.0)] = Some(grant);
            self.came = Some(grant);
        }
    }

    fn place_of(&mut self, grant: GrantId, client: Option<NodeId>) -> usize {
        if let Some(place) = self.standing.iter().position(|s| s.grant == grant) {
            return place;
        }
        let client = client.or_else(|| self.known.get(grant).and_then(|known| known.client));
        let resource = self.resource_of(grant);
        self.standing.push(Standing { grant, client, resource, awaited: false, holding: 0 });
        self.standing.len() - 1
    }

    fn forget_if_over(&mut self, place: usize) {
        if !self.standing[place].awaited && self.standing[place].holding == 0 {
            self.standing.swap_remove(place);
        }
    }

    fn is_record(&self, standing: &Standing) -> bool {
        standing.holding.count_ones() >= self.quorum
    }

    /// The server's bit. Servers of which one is enough are one service: after a failover, the new leader ends what
    /// the old one granted.
    fn bit(&mut self, server: NodeId) -> u64 {
        if self.quorum == 1 {
            return 1;
        }
        let place = self.servers.iter().position(|s| *s == server).unwrap_or_else(|| {
            self.servers.push(server);
            self.servers.len() - 1
        });
        1_u64.checked_shl(place as u32).expect("a lock whose grants need a quorum has at most 64 servers")
    }
}
