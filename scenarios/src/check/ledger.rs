//! The ledger of grants: in what order they came, whose they are, and which are on record. This is the ground truth
//! that the client side is held against.

use std::num::NonZeroU32;

use fencepost_models::history::{Ack, Event, GrantId};
use fencepost_sim::NodeId;

use super::Facts;
use super::evidence::Party;
use super::table::Table;

/// A grant's place in the grant order, counted from 1.
pub(super) type Rank = NonZeroU32;

/// What the services really granted.
pub(super) struct Ledger {
    quorum: u32,
    rank_by_return: bool,
    /// Grants that have a rank, and attempts that may get one after their client stopped asking. Operations can
    /// arrive late by any length of time, so that nothing is ever forgotten here: 12 bytes a grant.
    known: Table<GrantId, Known>,
    /// Attempts that have not returned, and grants that some server has on record.
    standing: Vec<Standing>,
    servers: Vec<NodeId>,
    ranks: u32,
    newest: Option<GrantId>,
    came: Option<GrantId>,
    record: RecordChange,
}

/// What the latest event did to a Record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordChange {
    Unchanged,
    Began(GrantId),
    Over(GrantId),
}

#[derive(Default)]
struct Known {
    client: Option<NodeId>,
    rank: Option<Rank>,
}

struct Standing {
    grant: GrantId,
    client: Option<NodeId>,
    /// The attempt has not returned yet.
    awaited: bool,
    /// A server applied it.
    applied: bool,
    /// The servers that have it on record now.
    holding: u64,
}

impl Ledger {
    pub(super) fn new(facts: &Facts) -> Self {
        Ledger {
            quorum: facts.quorum.max(1),
            rank_by_return: facts.rank_by_return,
            known: Table::with_capacity(facts.expected_orders()),
            standing: Vec::new(),
            servers: Vec::new(),
            ranks: 0,
            newest: None,
            came: None,
            record: RecordChange::Unchanged,
        }
    }

    pub(super) fn observe(&mut self, event: &Event) {
        self.came = None;
        self.record = RecordChange::Unchanged;
        match *event {
            Event::AcquireInvoked { client, grant } => self.ask(client, grant),
            Event::Granted { server, grant } => self.apply(server, grant),
            Event::Ended { server, grant, .. } => self.end(server, grant),
            Event::Acquired { client, grant, .. } => {
                self.rank(grant, Some(client));
                self.hear(grant);
            }
            Event::NotAcquired { client, grant, ack } => {
                if ack == Ack::Unknown {
                    self.known.row(grant).client = Some(client);
                }
                self.hear(grant);
            }
            Event::NestedInvoked { client, nested, .. } => self.ask(client, nested),
            Event::NestedReturned { client, nested, ack, .. } => {
                if ack == Ack::Unknown {
                    self.known.row(nested).client = Some(client);
                }
                self.hear(nested);
            }
            Event::ClientCrashed { client } => self.stop_asking(client),
            _ => {}
        }
    }

    /// What the latest event did to a Record.
    pub(super) fn record_change(&self) -> RecordChange {
        self.record
    }

    /// The grant that the latest event gave a rank.
    pub(super) fn came(&self) -> Option<GrantId> {
        self.came
    }

    pub(super) fn rank_of(&self, grant: GrantId) -> Option<Rank> {
        self.known.get(grant)?.rank
    }

    /// The grant of the highest rank so far.
    pub(super) fn newest(&self) -> Option<GrantId> {
        self.newest
    }

    /// The lowest rank among grants whose client has not heard of them yet.
    pub(super) fn lowest_awaited(&self) -> Option<Rank> {
        self.standing.iter().filter(|s| s.awaited && s.applied).filter_map(|s| self.rank_of(s.grant)).min()
    }

    /// A grant of this client that is on record.
    pub(super) fn record_of(&self, client: NodeId) -> Option<GrantId> {
        self.standing.iter().find(|s| s.client == Some(client) && self.is_record(s)).map(|s| s.grant)
    }

    /// Whether the grant is on record now.
    pub(super) fn is_on_record(&self, grant: GrantId) -> bool {
        self.standing.iter().any(|s| s.grant == grant && self.is_record(s))
    }

    /// The grant as it appears in a sentence.
    pub(super) fn party(&self, grant: GrantId) -> Party {
        let known = self.known.get(grant);
        let standing = self.standing.iter().find(|s| s.grant == grant);
        Party {
            grant,
            client: known.and_then(|k| k.client).or_else(|| standing.and_then(|s| s.client)),
            rank: known.and_then(|k| k.rank),
        }
    }

    fn ask(&mut self, client: NodeId, grant: GrantId) {
        let place = self.place_of(grant, Some(client));
        self.standing[place].awaited = true;
    }

    fn apply(&mut self, server: NodeId, grant: GrantId) {
        let bit = self.bit(server);
        let place = self.place_of(grant, None);
        let was_record = self.is_record(&self.standing[place]);
        let standing = &mut self.standing[place];
        standing.applied = true;
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
            self.known.row(grant).rank = None;
        }
        self.rank(grant, client);
    }

    fn end(&mut self, server: NodeId, grant: GrantId) {
        let bit = self.bit(server);
        let Some(place) = self.standing.iter().position(|s| s.grant == grant) else { return };
        let was_record = self.is_record(&self.standing[place]);
        self.standing[place].holding &= !bit;
        if was_record && !self.is_record(&self.standing[place]) {
            self.record = RecordChange::Over(grant);
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
                self.known.row(standing.grant).client = Some(client);
                self.forget_if_over(place);
            }
        }
    }

    fn rank(&mut self, grant: GrantId, client: Option<NodeId>) {
        let known = self.known.row(grant);
        known.client = known.client.or(client);
        if known.rank.is_none() {
            known.rank = Some(Rank::MIN.saturating_add(self.ranks));
            self.ranks += 1;
            self.newest = Some(grant);
            self.came = Some(grant);
        }
    }

    fn place_of(&mut self, grant: GrantId, client: Option<NodeId>) -> usize {
        if let Some(place) = self.standing.iter().position(|s| s.grant == grant) {
            return place;
        }
        let client = client.or_else(|| self.known.get(grant).and_then(|known| known.client));
        self.standing.push(Standing { grant, client, awaited: false, applied: false, holding: 0 });
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
