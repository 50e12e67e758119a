//! The ledger of grants: their order, their clients, and which are on record. It is ground truth, taken from the servers
//! and not from what clients know.

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

/// The grants of all services.
pub(crate) struct Ledger {
    quorum: u32,
    rank_by_return: bool,
    /// Grants that have a rank, and attempts that may get one after their client gave up. Operations can arrive late by
    /// any length of time, so no entry is removed: 16 bytes a grant.
    known: Table<GrantId, Known>,
    /// Attempts that have not returned, and grants that a server has on record.
    active: Vec<Active>,
    servers: Vec<NodeId>,
    ranks: u32,
    /// The newest grant of each resource.
    newest: [Option<GrantId>; 2],
    new_grant: Option<GrantId>,
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

struct Active {
    grant: GrantId,
    client: Option<NodeId>,
    resource: ResourceId,
    /// The attempt has not returned yet.
    pending: bool,
    /// The servers that have it on record now, one bit each.
    holding: u64,
}

impl Ledger {
    pub(crate) fn new(case: &CaseSpec) -> Self {
        Ledger {
            quorum: case.quorum.max(1),
            rank_by_return: case.rank_by_return,
            known: Table::with_capacity(case.expected_orders()),
            active: Vec::new(),
            servers: Vec::new(),
            ranks: 0,
            newest: [None; 2],
            new_grant: None,
            record: RecordChange::Unchanged,
        }
    }

    pub(crate) fn observe(&mut self, event: &Event) {
        self.new_grant = None;
        self.record = RecordChange::Unchanged;
        match *event {
            Event::AcquireInvoked { client, grant, resource } => self.attempt_began(client, grant, resource),
            Event::Granted { server, grant } => self.record_began(server, grant),
            Event::Ended { server, grant, .. } => self.record_ended(server, grant),
            Event::Acquired { client, grant, .. } => {
                self.assign_rank(grant, Some(client));
                self.attempt_returned(grant);
            }
            Event::NotAcquired { client, grant, ack } => {
                if ack == Ack::Unknown {
                    self.known_of(grant).client = Some(client);
                }
                self.attempt_returned(grant);
            }
            Event::NestedInvoked { client, grant, nested } => {
                self.attempt_began(client, nested, self.resource_of(grant))
            }
            Event::NestedReturned { client, nested, ack, .. } => {
                if ack == Ack::Unknown {
                    self.known_of(nested).client = Some(client);
                }
                self.attempt_returned(nested);
            }
            Event::ClientCrashed { client } => self.client_crashed(client),
            _ => {}
        }
    }

    /// What the latest event did to a Record.
    pub(crate) fn record_change(&self) -> RecordChange {
        self.record
    }

    /// The grant that the latest event gave a rank.
    pub(crate) fn new_grant(&self) -> Option<GrantId> {
        self.new_grant
    }

    pub(crate) fn rank_of(&self, grant: GrantId) -> Option<Rank> {
        self.known.get(grant)?.rank
    }

    /// The resource of the grant.
    pub(crate) fn resource_of(&self, grant: GrantId) -> ResourceId {
        let known = self.known.get(grant).map(|known| known.resource);
        known.or_else(|| self.active(grant).map(|active| active.resource)).unwrap_or_default()
    }

    /// The row at the store that the grant is for.
    pub(crate) fn row_of(&self, grant: GrantId) -> usize {
        self.resource_of(grant).0.into()
    }

    /// Whether the grant has the highest rank of its resource so far.
    pub(crate) fn is_newest(&self, grant: GrantId) -> bool {
        self.newest[usize::from(self.resource_of(grant).0)] == Some(grant)
    }

    /// A grant of this resource that is on record.
    pub(crate) fn record_on(&self, resource: ResourceId) -> Option<GrantInfo> {
        let record = self.active.iter().find(|s| s.resource == resource && self.is_record(s))?;
        Some(self.info(record.grant))
    }

    /// The grants of this resource that are on record.
    pub(crate) fn records_on(&self, resource: ResourceId) -> impl Iterator<Item = Record> {
        let records = self.active.iter().filter(move |s| s.resource == resource && self.is_record(s));
        records.map(|active| Record { grant: active.grant, pending: active.pending })
    }

    /// The lowest rank among grants whose acquire has not returned.
    pub(crate) fn lowest_pending(&self) -> Option<Rank> {
        self.active.iter().filter(|s| s.pending).filter_map(|s| self.rank_of(s.grant)).min()
    }

    /// The grants of this client that are on record, with their resources.
    pub(crate) fn records_of(&self, client: NodeId) -> impl Iterator<Item = (GrantId, ResourceId)> {
        let mine = self.active.iter().filter(move |s| s.client == Some(client) && self.is_record(s));
        mine.map(|active| (active.grant, active.resource))
    }

    /// Whether the grant is on record now.
    pub(crate) fn is_on_record(&self, grant: GrantId) -> bool {
        self.active.iter().any(|s| s.grant == grant && self.is_record(s))
    }

    /// The grant as it appears in evidence.
    pub(crate) fn info(&self, grant: GrantId) -> GrantInfo {
        let known = self.known.get(grant);
        let active = self.active(grant);
        GrantInfo {
            grant,
            client: known.and_then(|k| k.client).or_else(|| active.and_then(|s| s.client)),
            rank: known.and_then(|k| k.rank),
        }
    }

    fn active(&self, grant: GrantId) -> Option<&Active> {
        self.active.iter().find(|active| active.grant == grant)
    }

    /// The permanent entry of a grant.
    fn known_of(&mut self, grant: GrantId) -> &mut Known {
        let resource = self.resource_of(grant);
        let known = self.known.row(grant);
        known.resource = resource;
        known
    }

    fn attempt_began(&mut self, client: NodeId, grant: GrantId, resource: ResourceId) {
        let place = self.place_of(grant, Some(client));
        self.active[place].resource = resource;
        self.active[place].pending = true;
    }

    fn record_began(&mut self, server: NodeId, grant: GrantId) {
        let bit = self.bit(server);
        let place = self.place_of(grant, None);
        let was_record = self.is_record(&self.active[place]);
        let active = &mut self.active[place];
        active.holding |= bit;
        let client = active.client;
        if was_record || !self.is_record(&self.active[place]) {
            return;
        }
        self.record = RecordChange::Began(grant);
        if self.rank_by_return {
            return;
        }
        // An attempt may ask in rounds: it is granted when a quorum last formed.
        if self.active[place].pending {
            self.known_of(grant).rank = None;
        }
        self.assign_rank(grant, client);
    }

    fn record_ended(&mut self, server: NodeId, grant: GrantId) {
        let bit = self.bit(server);
        let Some(place) = self.active.iter().position(|s| s.grant == grant) else { return };
        let was_record = self.is_record(&self.active[place]);
        self.active[place].holding &= !bit;
        if was_record && !self.is_record(&self.active[place]) {
            self.record = RecordChange::Ended(grant);
        }
        self.remove_if_over(place);
    }

    fn attempt_returned(&mut self, grant: GrantId) {
        if let Some(place) = self.active.iter().position(|s| s.grant == grant) {
            self.active[place].pending = false;
            self.remove_if_over(place);
        }
    }

    /// The client is gone, but its requests may still be granted: the client of such a grant must be known.
    fn client_crashed(&mut self, client: NodeId) {
        for place in (0..self.active.len()).rev() {
            let active = &mut self.active[place];
            if active.client == Some(client) && active.pending {
                active.pending = false;
                let grant = active.grant;
                self.known_of(grant).client = Some(client);
                self.remove_if_over(place);
            }
        }
    }

    fn assign_rank(&mut self, grant: GrantId, client: Option<NodeId>) {
        let known = self.known_of(grant);
        known.client = known.client.or(client);
        if known.rank.is_none() {
            let resource = known.resource;
            self.known.row(grant).rank = Some(Rank::MIN.saturating_add(self.ranks));
            self.ranks += 1;
            self.newest[usize::from(resource.0)] = Some(grant);
            self.new_grant = Some(grant);
        }
    }

    fn place_of(&mut self, grant: GrantId, client: Option<NodeId>) -> usize {
        if let Some(place) = self.active.iter().position(|s| s.grant == grant) {
            return place;
        }
        let client = client.or_else(|| self.known.get(grant).and_then(|known| known.client));
        let resource = self.resource_of(grant);
        self.active.push(Active { grant, client, resource, pending: false, holding: 0 });
        self.active.len() - 1
    }

    fn remove_if_over(&mut self, place: usize) {
        if !self.active[place].pending && self.active[place].holding == 0 {
            self.active.swap_remove(place);
        }
    }

    fn is_record(&self, active: &Active) -> bool {
        active.holding.count_ones() >= self.quorum
    }

    /// The server's bit. With a quorum of 1, all servers are one service: after a failover, the new leader ends grants of
    /// the old one.
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
