//! The ledger of grants: their order, their clients, and which of them are on record. The ledger is ground truth: it
//! follows the servers, not what clients know.

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

/// A grant's position in the grant order, counted from 1.
pub(crate) type Rank = NonZeroU32;

/// The grants of all services.
pub(crate) struct Ledger {
    quorum: u32,
    rank_by_return: bool,
    /// Grants that have a rank, and attempts that may get one after their client gave up. Operations can be arbitrarily
    /// late, so entries are never removed (16 bytes per grant).
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

/// The effect of the latest event on Records.
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
    /// Whether the attempt has not returned yet.
    pending: bool,
    /// The servers that currently have the grant on record, one bit each.
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

    /// Returns the effect of the latest event on Records.
    pub(crate) fn record_change(&self) -> RecordChange {
        self.record
    }

    /// Returns the grant to which the latest event assigned a rank.
    pub(crate) fn new_grant(&self) -> Option<GrantId> {
        self.new_grant
    }

    pub(crate) fn rank_of(&self, grant: GrantId) -> Option<Rank> {
        self.known.get(grant)?.rank
    }

    /// Returns the resource of the grant.
    pub(crate) fn resource_of(&self, grant: GrantId) -> ResourceId {
        let known = self.known.get(grant).map(|known| known.resource);
        known.or_else(|| self.active(grant).map(|active| active.resource)).unwrap_or_default()
    }

    /// Returns the index of the store's row that the grant protects.
    pub(crate) fn row_of(&self, grant: GrantId) -> usize {
        self.resource_of(grant).0.into()
    }

    /// Returns whether the grant has the highest rank of its resource so far.
    pub(crate) fn is_newest(&self, grant: GrantId) -> bool {
        self.newest[usize::from(self.resource_of(grant).0)] == Some(grant)
    }

    /// Returns a grant of this resource that is on record, if any.
    pub(crate) fn record_on(&self, resource: ResourceId) -> Option<GrantInfo> {
        let record = self.active.iter().find(|a| a.resource == resource && self.is_record(a))?;
        Some(self.info(record.grant))
    }

    /// Returns the grants of this resource that are on record.
    pub(crate) fn records_on(&self, resource: ResourceId) -> impl Iterator<Item = Record> {
        let records = self.active.iter().filter(move |a| a.resource == resource && self.is_record(a));
        records.map(|active| Record { grant: active.grant, pending: active.pending })
    }

    /// Returns the lowest rank among grants whose acquire has not returned.
    pub(crate) fn lowest_pending(&self) -> Option<Rank> {
        self.active.iter().filter(|a| a.pending).filter_map(|a| self.rank_of(a.grant)).min()
    }

    /// Returns the grants of this client that are on record, with their resources.
    pub(crate) fn records_of(&self, client: NodeId) -> impl Iterator<Item = (GrantId, ResourceId)> {
        let mine = self.active.iter().filter(move |a| a.client == Some(client) && self.is_record(a));
        mine.map(|active| (active.grant, active.resource))
    }

    /// Returns whether the grant is currently on record.
    pub(crate) fn is_on_record(&self, grant: GrantId) -> bool {
        self.active.iter().any(|a| a.grant == grant && self.is_record(a))
    }

    /// Returns the grant as it appears in evidence.
    pub(crate) fn info(&self, grant: GrantId) -> GrantInfo {
        let known = self.known.get(grant);
        let active = self.active(grant);
        GrantInfo {
            grant,
            client: known.and_then(|k| k.client).or_else(|| active.and_then(|a| a.client)),
            rank: known.and_then(|k| k.rank),
        }
    }

    fn active(&self, grant: GrantId) -> Option<&Active> {
        self.active.iter().find(|active| active.grant == grant)
    }

    /// Returns the permanent entry of a grant, which is created if necessary.
    fn known_of(&mut self, grant: GrantId) -> &mut Known {
        let resource = self.resource_of(grant);
        let known = self.known.row(grant);
        known.resource = resource;
        known
    }

    fn attempt_began(&mut self, client: NodeId, grant: GrantId, resource: ResourceId) {
        let index = self.index_of(grant, Some(client));
        self.active[index].resource = resource;
        self.active[index].pending = true;
    }

    fn record_began(&mut self, server: NodeId, grant: GrantId) {
        let bit = self.bit(server);
        let index = self.index_of(grant, None);
        let was_record = self.is_record(&self.active[index]);
        let active = &mut self.active[index];
        active.holding |= bit;
        let client = active.client;
        if was_record || !self.is_record(&self.active[index]) {
            return;
        }
        self.record = RecordChange::Began(grant);
        if self.rank_by_return {
            return;
        }
        // An attempt may need several rounds. Its rank is that of the last quorum.
        if self.active[index].pending {
            self.known_of(grant).rank = None;
        }
        self.assign_rank(grant, client);
    }

    fn record_ended(&mut self, server: NodeId, grant: GrantId) {
        let bit = self.bit(server);
        let Some(index) = self.active.iter().position(|a| a.grant == grant) else { return };
        let was_record = self.is_record(&self.active[index]);
        self.active[index].holding &= !bit;
        if was_record && !self.is_record(&self.active[index]) {
            self.record = RecordChange::Ended(grant);
        }
        self.remove_if_ended(index);
    }

    fn attempt_returned(&mut self, grant: GrantId) {
        if let Some(index) = self.active.iter().position(|a| a.grant == grant) {
            self.active[index].pending = false;
            self.remove_if_ended(index);
        }
    }

    /// Keeps the client of each pending attempt, because requests of a crashed client may still be granted.
    fn client_crashed(&mut self, client: NodeId) {
        for index in (0..self.active.len()).rev() {
            let active = &mut self.active[index];
            if active.client == Some(client) && active.pending {
                active.pending = false;
                let grant = active.grant;
                self.known_of(grant).client = Some(client);
                self.remove_if_ended(index);
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

    fn index_of(&mut self, grant: GrantId, client: Option<NodeId>) -> usize {
        if let Some(index) = self.active.iter().position(|a| a.grant == grant) {
            return index;
        }
        let client = client.or_else(|| self.known.get(grant).and_then(|known| known.client));
        let resource = self.resource_of(grant);
        self.active.push(Active { grant, client, resource, pending: false, holding: 0 });
        self.active.len() - 1
    }

    fn remove_if_ended(&mut self, index: usize) {
        if !self.active[index].pending && self.active[index].holding == 0 {
            self.active.swap_remove(index);
        }
    }

    fn is_record(&self, active: &Active) -> bool {
        active.holding.count_ones() >= self.quorum
    }

    /// Returns the server's bit. With a quorum of 1, all servers share one bit: after a failover, the new leader ends
    /// grants of the old one.
    fn bit(&mut self, server: NodeId) -> u64 {
        if self.quorum == 1 {
            return 1;
        }
        let index = self.servers.iter().position(|s| *s == server).unwrap_or_else(|| {
            self.servers.push(server);
            self.servers.len() - 1
        });
        1_u64.checked_shl(index as u32).expect("a lock whose grants need a quorum has at most 64 servers")
    }
}
